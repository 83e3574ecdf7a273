# SPDX-License-Identifier: Apache-2.0
"""The ground that everything stands on: flows, jobs, redaction. It imports nothing of the rest but the exceptions."""
