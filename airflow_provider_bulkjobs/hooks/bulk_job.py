# SPDX-License-Identifier: Apache-2.0
"""The hooks: one per connection type, all of them :class:`BulkJobHook` with another vendor."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from airflow_provider_bulkjobs._airflow import HAS_FLASK_FORMS, BaseHook, get_connection_async, run_in_thread
from airflow_provider_bulkjobs.arguments import read_job_id
from airflow_provider_bulkjobs.exceptions import BadArgumentError, BadConnectionError
from airflow_provider_bulkjobs.hooks.connection import read_account, read_extra
from airflow_provider_bulkjobs.hooks.connection_form import form_behaviour, form_widgets
from airflow_provider_bulkjobs.hooks.connection_lookup import (
    WORKER_LIMIT,
    lookup_error,
    read_connection,
    retry_lookup_async,
)
from airflow_provider_bulkjobs.hooks.connection_test import ask, explain
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.fields import Account, connection_title

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
    from airflow_provider_bulkjobs.http.session import AccountSession
    from airflow_provider_bulkjobs.protocol.job import BulkJob
    from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor


class BulkJobHook(BaseHook):
    """Talk to one vendor's bulk jobs with the credentials of a connection.

    A subclass sets :attr:`vendor` and has everything else: connection type, form, connection test, sensor and
    trigger. Creating a hook reads nothing; the connection is read when it is first needed.

    :param conn_id: the connection; ``<type>_default`` if not given.
    """

    vendor: ClassVar[Vendor]
    conn_name_attr = "conn_id"
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Derive what Airflow wants to know of a hook class from its vendor."""
        super().__init_subclass__(**kwargs)
        vendor = cls.__dict__.get("vendor")
        if vendor is None:
            return
        cls.conn_type = vendor.conn_type
        cls.hook_name = vendor.label
        cls.default_conn_name = f"{vendor.conn_type}_default"
        # Airflow only looks for these two in the class itself, not in what it inherits.
        cls.get_connection_form_widgets = staticmethod(lambda: form_widgets(vendor.fields, drawn=HAS_FLASK_FORMS))
        cls.get_ui_field_behaviour = staticmethod(lambda: form_behaviour(vendor.fields, drawn=HAS_FLASK_FORMS))

    def __init__(self, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id or self.default_conn_name

    def get_job(self, job_id: str | int, job_kind: str | None = None) -> BulkJob:
        """Ask the vendor how a job stands.

        :param job_id: the vendor's id of the job.
        :param job_kind: one of the vendor's job kinds; its first one if not given.
        :raises JobNotFoundError: the vendor does not know the job.
        :raises BadArgumentError: the id or the kind makes no sense.
        :raises BadConnectionError: the connection is missing, of another type, or incomplete.
        :raises VendorAPIError: the vendor refused, in its own words.
        :raises VendorUnavailableError: the vendor was down or throttled for longer than patience lasts.
        """
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        kind, job_id = self.job_kind(job_kind), read_job_id(job_id)
        return self.transport.run(lambda: kind.status(self.account, job_id), RetryPolicy(on_retry=self.log.warning))

    async def aget_job(self, job_id: str | int, job_kind: str | None = None) -> BulkJob:
        """Ask the vendor how a job stands, without holding the event loop. See :meth:`get_job`."""
        from airflow_provider_bulkjobs.http.pool import shared_transport
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        kind, job_id = self.job_kind(job_kind), read_job_id(job_id)
        account = await retry_lookup_async(self.load_account, self.log.warning, WORKER_LIMIT)
        async with shared_transport(self.vendor, account) as transport:
            return await transport.run(lambda: kind.status(account, job_id), RetryPolicy(on_retry=self.log.warning))

    def cancel_job(self, job_id: str | int, job_kind: str | None = None) -> bool:
        """Ask the vendor to stop a job; return ``False`` if it is over already, or gone, which is no error.

        Acquia forgets a job that is stopped, and also one that is over, with its details.

        :raises BadArgumentError: the vendor cannot stop jobs of this kind.
        """
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        kind, job_id = self.cancelable_job_kind(job_kind), read_job_id(job_id)
        policy = RetryPolicy(failures=3, on_retry=self.log.warning)
        return self._stopped(job_id, self.transport.run(lambda: kind.stop(self.account, job_id), policy))

    async def acancel_job(self, job_id: str | int, job_kind: str | None = None) -> bool:
        """Ask the vendor to stop a job, without holding the event loop. See :meth:`cancel_job`."""
        from airflow_provider_bulkjobs.http.pool import shared_transport
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        kind, job_id = self.cancelable_job_kind(job_kind), read_job_id(job_id)
        account = await retry_lookup_async(self.load_account, self.log.warning, WORKER_LIMIT)
        policy = RetryPolicy(failures=3, on_retry=self.log.warning)
        async with shared_transport(self.vendor, account) as transport:
            return self._stopped(job_id, await transport.run(lambda: kind.stop(account, job_id), policy))

    def _stopped(self, job_id: str, stopped: bool) -> bool:
        if not stopped:
            self.log.info("%s job %s is over or gone; there is nothing to cancel", self.vendor.label, job_id)
        return stopped

    def get_conn(self) -> AccountSession:
        """Return a requests session with the connection's address and credentials, for calls of your own.

        Paths are relative: ``hook.get_conn().put("/v3/marketing/contacts", json=…)``. It refuses other hosts.
        """
        return self.transport.session

    def test_connection(self) -> tuple[bool, str]:
        """Ask the cheapest question that needs the credentials; say in a sentence how that went."""
        from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport

        try:
            # Airflow tests a copy of the connection under a name that the user never saw.
            account = self._account(read_connection(self.conn_id), conn_id=None)
            transport = RequestsTransport(self.vendor, account)
            try:
                return True, ask(self.vendor, account, transport)
            finally:
                transport.close()
        except Exception as error:  # noqa: BLE001  (whatever it is, the form must say something)
            return False, explain(self.vendor, error)

    def job_kind(self, name: str | None) -> JobKind:
        """Return the vendor's job kind of that name, or its default one.

        :raises BadArgumentError: there is none of that name; the message has those there are.
        """
        kinds = {kind.name: kind for kind in self.vendor.kinds}
        if name is None:
            return self.vendor.kinds[0]
        if name not in kinds:
            raise BadArgumentError(
                f"job_kind={name!r} is unknown to {self.vendor.label}: use one of {', '.join(kinds)}"
            )
        return kinds[name]

    def cancelable_job_kind(self, job_kind: str | None) -> JobKind:
        """Return a job kind whose jobs can be stopped.

        :raises BadArgumentError: the vendor cannot stop jobs of this kind.
        """
        kind = self.job_kind(job_kind)
        if kind.cancel is None:
            raise BadArgumentError(
                f"{self.vendor.label} has no way to stop a {kind.noun} (job_kind {kind.name!r}): leave out the "
                "cancel, or stop the job in the vendor's own pages if they let you"
            )
        return kind

    @cached_property
    def account(self) -> Account:
        """The account that the connection describes, checked."""
        return self._account(read_connection(self.conn_id), self.conn_id)

    def using(self, connection: Connection) -> Self:
        """Take the account from a connection that has been read already; return the hook."""
        self.account = self._account(connection, self.conn_id)
        return self

    def reload_connection(self) -> bool:
        """Read the connection again; return whether it has changed, and use it from now on if so."""
        before = self.account.fingerprint
        self.using(read_connection(self.conn_id))
        if self.account.fingerprint == before:
            return False
        self.__dict__.pop("transport").close()
        return True

    async def load_account(self) -> Account:
        """Read the connection anew, once, without holding the event loop.

        :raises ConnectionLookupError: Airflow could not read it now; another attempt may succeed.
        :raises BadConnectionError: there is no such connection, or it cannot be used.
        """
        try:
            connection = await get_connection_async(self.conn_id)
        except Exception as error:  # noqa: BLE001  (each Airflow and each secrets backend has its own)
            raise await run_in_thread(lookup_error, self.conn_id, error) from None
        return self._account(connection, self.conn_id)

    @cached_property
    def transport(self) -> RequestsTransport:
        """The synchronous driver of this hook's account."""
        from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport

        return RequestsTransport(self.vendor, self.account)

    def _account(self, connection: Connection, conn_id: str | None) -> Account:
        if connection.conn_type != self.conn_type:
            raise BadConnectionError(
                f"{connection_title(conn_id)} is of type {connection.conn_type!r}, and {type(self).__name__} needs "
                f"{self.conn_type!r}: use another connection, or change its type."
            )
        return read_account(
            self.vendor.fields,
            conn_id=conn_id,
            host=connection.host,
            port=connection.port,
            schema=connection.schema,
            login=connection.login,
            password=connection.password,
            extra=read_extra(conn_id, connection.extra),
        )


def hook_for(conn_id: str) -> BulkJobHook:
    """Return the hook of a connection, chosen by its type; also one that another package brings.

    :raises BadConnectionError: there is no such connection, or it is not of a bulk job type.
    :raises ConnectionLookupError: Airflow could not read it.
    """
    connection = read_connection(conn_id)
    for hook_class in HOOKS:
        if hook_class.conn_type == connection.conn_type:
            return hook_class(conn_id).using(connection)
    try:
        hook = connection.get_hook()
    except Exception:  # noqa: BLE001  (an unknown type, a provider that cannot be imported: told below)
        hook = None
    if isinstance(hook, BulkJobHook):
        return hook.using(connection)
    raise BadConnectionError(
        f"Connection {conn_id!r} is of type {connection.conn_type!r}, which has no bulk jobs: use one of type "
        f"{', '.join(hook_class.conn_type for hook_class in HOOKS)}"
    )


def _hook_class(vendor: Vendor) -> type[BulkJobHook]:
    name = f"{type(vendor).__name__}Hook"
    return type(name, (BulkJobHook,), {"vendor": vendor, "__module__": __name__, "__doc__": f"{vendor.label}."})


# One per vendor, so that a vendor is added in one list only: IntercomHook, SendGridHook, …
HOOKS = tuple(_hook_class(vendor) for vendor in VENDORS)
globals().update({hook_class.__name__: hook_class for hook_class in HOOKS})
