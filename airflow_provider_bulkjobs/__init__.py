# SPDX-License-Identifier: Apache-2.0
"""Wait for bulk contact imports of marketing and CRM vendors in Apache Airflow, and gate on their result."""

__version__ = "0.1.0"
