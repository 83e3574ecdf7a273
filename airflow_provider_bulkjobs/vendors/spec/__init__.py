# SPDX-License-Identifier: Apache-2.0
"""The types that a vendor declaration consists of."""
