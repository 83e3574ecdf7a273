# SPDX-License-Identifier: Apache-2.0
"""Item results: reading them from the vendor and writing them to files."""
