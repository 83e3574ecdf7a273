# SPDX-License-Identifier: Apache-2.0
"""The tests of this package need it installed: tests/test_external_provider.py runs them."""

collect_ignore = ["tests"]
