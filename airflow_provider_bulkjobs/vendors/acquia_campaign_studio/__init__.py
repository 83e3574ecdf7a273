# SPDX-License-Identifier: Apache-2.0
"""Acquia Campaign Studio: bulk contact jobs."""

from airflow_provider_bulkjobs.vendors.acquia_campaign_studio.vendor import AcquiaCampaignStudio

__all__ = ["AcquiaCampaignStudio"]
