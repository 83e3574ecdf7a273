# SPDX-License-Identifier: Apache-2.0
"""The vendors. One more is one file beside these and one line in the list."""

from __future__ import annotations

from airflow_provider_bulkjobs.vendors.acquia_campaign_studio import AcquiaCampaignStudio
from airflow_provider_bulkjobs.vendors.activecampaign import ActiveCampaign
from airflow_provider_bulkjobs.vendors.base import Vendor
from airflow_provider_bulkjobs.vendors.hubspot import HubSpot
from airflow_provider_bulkjobs.vendors.intercom import Intercom
from airflow_provider_bulkjobs.vendors.klaviyo import Klaviyo
from airflow_provider_bulkjobs.vendors.sendgrid import SendGrid

VENDORS: tuple[Vendor, ...] = (
    Intercom(),
    SendGrid(),
    ActiveCampaign(),
    AcquiaCampaignStudio(),
    HubSpot(),
    Klaviyo(),
)
