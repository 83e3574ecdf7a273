# SPDX-License-Identifier: Apache-2.0
"""Submitting records: reading, checking, splitting into batches, sending, checkpoints."""
