# SPDX-License-Identifier: Apache-2.0
"""The vendors. One more is one file beside these and one line in the list."""

from __future__ import annotations

from airflow_provider_bulkjobs.vendors.acquia_campaign_studio.vendor import AcquiaCampaignStudio
from airflow_provider_bulkjobs.vendors.activecampaign import ActiveCampaign
from airflow_provider_bulkjobs.vendors.hubspot.vendor import HubSpot
from airflow_provider_bulkjobs.vendors.intercom.vendor import Intercom
from airflow_provider_bulkjobs.vendors.klaviyo import Klaviyo
from airflow_provider_bulkjobs.vendors.sendgrid.vendor import SendGrid
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

VENDORS: tuple[Vendor, ...] = (
    Intercom(),
    SendGrid(),
    ActiveCampaign(),
    AcquiaCampaignStudio(),
    HubSpot(),
    Klaviyo(),
)
