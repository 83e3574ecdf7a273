# SPDX-License-Identifier: Apache-2.0
"""HTTP: one engine with all the rules, and two transports that run its steps (requests and aiohttp)."""
