# SPDX-License-Identifier: Apache-2.0
"""All supported vendors. To add one, add a module or package here and an entry in ``VENDORS``."""

from __future__ import annotations

from airflow_provider_bulkjobs.vendors.acquia_campaign_studio.vendor import AcquiaCampaignStudio
from airflow_provider_bulkjobs.vendors.activecampaign.vendor import ActiveCampaign
from airflow_provider_bulkjobs.vendors.brevo.vendor import Brevo
from airflow_provider_bulkjobs.vendors.constant_contact.vendor import ConstantContact
from airflow_provider_bulkjobs.vendors.customer_io.vendor import CustomerIo
from airflow_provider_bulkjobs.vendors.dotdigital.vendor import Dotdigital
from airflow_provider_bulkjobs.vendors.eloqua.vendor import Eloqua
from airflow_provider_bulkjobs.vendors.getresponse.vendor import GetResponse
from airflow_provider_bulkjobs.vendors.hubspot.vendor import HubSpot
from airflow_provider_bulkjobs.vendors.intercom.vendor import Intercom
from airflow_provider_bulkjobs.vendors.klaviyo.vendor import Klaviyo
from airflow_provider_bulkjobs.vendors.mailchimp.vendor import Mailchimp
from airflow_provider_bulkjobs.vendors.mailjet.vendor import Mailjet
from airflow_provider_bulkjobs.vendors.marketo.vendor import Marketo
from airflow_provider_bulkjobs.vendors.omnisend.vendor import Omnisend
from airflow_provider_bulkjobs.vendors.salesforce_bulk.vendor import SalesforceBulk
from airflow_provider_bulkjobs.vendors.sendgrid.vendor import SendGrid
from airflow_provider_bulkjobs.vendors.shopify.vendor import Shopify
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor
from airflow_provider_bulkjobs.vendors.zendesk_bulk.vendor import Zendesk
from airflow_provider_bulkjobs.vendors.zoho_crm.vendor import ZohoCRM

VENDORS: tuple[Vendor, ...] = (
    Intercom(),
    SendGrid(),
    ActiveCampaign(),
    AcquiaCampaignStudio(),
    HubSpot(),
    Klaviyo(),
    Brevo(),
    Mailjet(),
    Marketo(),
    Mailchimp(),
    SalesforceBulk(),
    Zendesk(),
    Dotdigital(),
    GetResponse(),
    CustomerIo(),
    ConstantContact(),
    Eloqua(),
    Omnisend(),
    Shopify(),
    ZohoCRM(),
)
