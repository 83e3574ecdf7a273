# SPDX-License-Identifier: Apache-2.0
"""What vendors have in common, each piece once."""
