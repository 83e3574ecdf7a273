# SPDX-License-Identifier: Apache-2.0
"""GetResponse: imports of contacts."""

from airflow_provider_bulkjobs.vendors.getresponse.vendor import GetResponse

__all__ = ["GetResponse"]
