# SPDX-License-Identifier: Apache-2.0
"""The lowest layer: flows, jobs, redaction. It imports nothing from this package except the exceptions."""
