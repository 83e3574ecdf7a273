# SPDX-License-Identifier: Apache-2.0
"""Bulk contact imports of Acme Mail in Apache Airflow."""
