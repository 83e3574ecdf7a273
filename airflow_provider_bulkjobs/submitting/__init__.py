# SPDX-License-Identifier: Apache-2.0
"""Submitting records: reading, checking, cutting into batches, sending, checkpoints."""
