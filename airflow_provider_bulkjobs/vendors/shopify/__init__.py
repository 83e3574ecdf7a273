# SPDX-License-Identifier: Apache-2.0
"""Shopify: bulk operations that create or update customers."""

from airflow_provider_bulkjobs.vendors.shopify.vendor import Shopify

__all__ = ["Shopify"]
