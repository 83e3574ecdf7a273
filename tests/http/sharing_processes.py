# SPDX-License-Identifier: Apache-2.0
"""Send requests from several processes on one connection: workers and triggerers by turns.

    sharing_processes.py CONNECTION PROCESSES REQUESTS

Airflow is imported once, before the processes part.
"""

import asyncio
import json
import os
import sys
from typing import Any

from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.http.shared_slots import prepare_storage
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.sendgrid.vendor import SendGrid
from airflow_provider_bulkjobs.vendors.spec.fields import Account

VENDOR = SendGrid()


def scopes() -> Flow[Any]:
    return (yield Request("GET", "/v3/scopes"))


def work(account: Account, requests: int) -> None:
    transport = RequestsTransport(VENDOR, account)
    for _ in range(requests):
        transport.run(scopes, RetryPolicy())
    transport.close()


async def trigger(account: Account, requests: int) -> None:
    async with shared_transport(VENDOR, account) as transport:
        await asyncio.gather(*(transport.run(scopes, RetryPolicy()) for _ in range(requests)))


def main(connection: str, processes: str, requests: str) -> int:
    values = json.loads(connection)
    del values["conn_type"]
    account = read_account(VENDOR.fields, conn_id="mine", **values)
    prepare_storage()
    children = []
    for number in range(int(processes)):
        if child := os.fork():
            children.append(child)
            continue
        if number % 2:
            work(account, int(requests))
        else:
            asyncio.run(trigger(account, int(requests)))
        os._exit(0)
    return max(os.waitpid(child, 0)[1] for child in children)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) != 0)
