# SPDX-License-Identifier: Apache-2.0
"""The network, written once: two drivers that hold the same conversations, and what they share."""
