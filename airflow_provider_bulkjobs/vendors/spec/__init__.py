# SPDX-License-Identifier: Apache-2.0
"""The declarations that a vendor is made of."""
