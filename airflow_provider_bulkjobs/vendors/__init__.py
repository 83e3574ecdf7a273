# SPDX-License-Identifier: Apache-2.0
"""All supported vendors. To add one, add a module or package here and an entry in ``VENDORS``."""

from __future__ import annotations

from airflow_provider_bulkjobs.vendors.acquia_campaign_studio.vendor import AcquiaCampaignStudio
from airflow_provider_bulkjobs.vendors.activecampaign.vendor import ActiveCampaign
from airflow_provider_bulkjobs.vendors.brevo.vendor import Brevo
from airflow_provider_bulkjobs.vendors.eloqua.vendor import Eloqua
from airflow_provider_bulkjobs.vendors.hubspot.vendor import HubSpot
from airflow_provider_bulkjobs.vendors.intercom.vendor import Intercom
from airflow_provider_bulkjobs.vendors.klaviyo.vendor import Klaviyo
from airflow_provider_bulkjobs.vendors.sendgrid.vendor import SendGrid
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

VENDORS: tuple[Vendor, ...] = (
    Intercom(),
    SendGrid(),
    ActiveCampaign(),
    AcquiaCampaignStudio(),
    HubSpot(),
    Klaviyo(),
    Brevo(),
    Eloqua(),
)
