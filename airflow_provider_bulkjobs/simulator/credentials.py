# SPDX-License-Identifier: Apache-2.0
"""The credentials that the simulated vendors accept. They are not valid anywhere else."""

from __future__ import annotations

INTERCOM_TOKEN = "intercom-token"  # noqa: S105
SENDGRID_KEY = "SG.sendgrid-key"
ACTIVECAMPAIGN_KEY = "activecampaign-key"
ACQUIA_USER = "api-bot"
ACQUIA_PASSWORD = "acquia-password"  # noqa: S105
ACQUIA_CLIENT_ID = "acquia-client"
ACQUIA_CLIENT_SECRET = "acquia-secret"  # noqa: S105
