# SPDX-License-Identifier: Apache-2.0
"""Waiting for jobs: polling, known job states, the gate, the result."""
