# SPDX-License-Identifier: Apache-2.0
"""The results of single items: reading them from the vendor, and writing them to files."""
