# SPDX-License-Identifier: Apache-2.0
"""Waiting for jobs: polling, what is known of them, the gate, the result."""
