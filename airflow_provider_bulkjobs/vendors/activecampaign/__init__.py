# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign: the bulk contact importer."""

from airflow_provider_bulkjobs.vendors.activecampaign.vendor import ActiveCampaign

__all__ = ["ActiveCampaign"]
