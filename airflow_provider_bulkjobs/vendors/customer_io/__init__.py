# SPDX-License-Identifier: Apache-2.0
"""Customer.io: imports of people, events, relationships and objects."""

from airflow_provider_bulkjobs.vendors.customer_io.vendor import CustomerIo

__all__ = ["CustomerIo"]
