# SPDX-License-Identifier: Apache-2.0
"""The hooks: one subclass of :class:`BulkJobHook` per vendor and connection type."""

from __future__ import annotations

from collections.abc import Mapping
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
from airflow_provider_bulkjobs.hooks.connection_test import explain, run_test
from airflow_provider_bulkjobs.hooks.shared_lookup import share_lookup
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.fields import Account, connection_title

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
    from airflow_provider_bulkjobs.http.session import AccountSession
    from airflow_provider_bulkjobs.protocol.job import BulkJob
    from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor


class BulkJobHook(BaseHook):
    """Read and cancel a vendor's bulk jobs with the credentials of a connection.

    A subclass sets :attr:`vendor`; connection type, form, connection test, sensor and trigger follow from it. The
    connection is read on first use, not when a hook is created.

    Example::

        from airflow_provider_bulkjobs.hooks.bulk_job import SendGridHook

        hook = SendGridHook("sendgrid_default")

        def failed_items(job_id: str) -> int | None:  # in a task
            return hook.get_job(job_id, "contacts").failed

    :param conn_id: the connection; ``<type>_default`` if not given.
    """

    vendor: ClassVar[Vendor]
    conn_name_attr = "conn_id"
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Derive the attributes that Airflow expects of a hook class from its vendor."""
        super().__init_subclass__(**kwargs)
        vendor = cls.__dict__.get("vendor")
        if vendor is None:
            return
        cls.conn_type = vendor.conn_type
        cls.hook_name = vendor.label
        cls.default_conn_name = f"{vendor.conn_type}_default"
        # Airflow looks up these two in the class itself, not in its bases.
        cls.get_connection_form_widgets = staticmethod(lambda: form_widgets(vendor.fields, drawn=HAS_FLASK_FORMS))
        cls.get_ui_field_behaviour = staticmethod(lambda: form_behaviour(vendor.fields, drawn=HAS_FLASK_FORMS))

    def __init__(self, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id or self.default_conn_name

    @classmethod
    def accepts(cls, conn_type: str | None) -> bool:
        """Return whether connections of this type work: its own, or one of another provider that the vendor reads."""
        return conn_type == cls.conn_type or conn_type in cls.vendor.other_types

    def get_job(self, job_id: str | int, job_kind: str | None = None) -> BulkJob:
        """Request the current state of a job.

        :param job_id: the vendor's id of the job.
        :param job_kind: one of the vendor's job kinds; the vendor's first one by default.
        :raises JobNotFoundError: the vendor does not know the job.
        :raises BadArgumentError: the id or the kind is invalid.
        :raises BadConnectionError: the connection is missing, of another type, or incomplete.
        :raises VendorAPIError: the vendor rejected the request; has the vendor's message.
        :raises VendorUnavailableError: the vendor was down or rate limited until the attempts were used up.
        """
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        kind, job_id = self.job_kind(job_kind), read_job_id(job_id)
        return self.transport.run(lambda: kind.status(self.account, job_id), RetryPolicy(on_retry=self.log.warning))

    async def aget_job(self, job_id: str | int, job_kind: str | None = None) -> BulkJob:
        """Request the current state of a job without blocking the event loop. See :meth:`get_job`."""
        from airflow_provider_bulkjobs.http.pool import shared_transport
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        kind, job_id = self.job_kind(job_kind), read_job_id(job_id)
        account = await retry_lookup_async(self.load_account, self.log.warning, WORKER_LIMIT)
        async with shared_transport(self.vendor, account) as transport:
            return await transport.run(lambda: kind.status(account, job_id), RetryPolicy(on_retry=self.log.warning))

    def cancel_job(self, job_id: str | int, job_kind: str | None = None) -> bool:
        """Cancel a job; return ``False`` if it has already finished or was deleted, which is not an error.

        Acquia deletes a canceled job with its details, even one that had finished.

        :raises BadArgumentError: the vendor cannot cancel jobs of this kind.
        """
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        kind, job_id = self.cancelable_job_kind(job_kind), read_job_id(job_id)
        policy = RetryPolicy(max_attempts=3, on_retry=self.log.warning)
        return self._log_cancel(job_id, self.transport.run(lambda: kind.stop(self.account, job_id), policy))

    async def acancel_job(self, job_id: str | int, job_kind: str | None = None) -> bool:
        """Cancel a job without blocking the event loop. See :meth:`cancel_job`."""
        from airflow_provider_bulkjobs.http.pool import shared_transport
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        kind, job_id = self.cancelable_job_kind(job_kind), read_job_id(job_id)
        account = await retry_lookup_async(self.load_account, self.log.warning, WORKER_LIMIT)
        policy = RetryPolicy(max_attempts=3, on_retry=self.log.warning)
        async with shared_transport(self.vendor, account) as transport:
            return self._log_cancel(job_id, await transport.run(lambda: kind.stop(account, job_id), policy))

    def _log_cancel(self, job_id: str, is_canceled: bool) -> bool:
        if not is_canceled:
            self.log.info("%s job %s already finished or was deleted; nothing to cancel", self.vendor.label, job_id)
        return is_canceled

    def get_conn(self) -> AccountSession:
        """Return a requests session with the connection's base URL and credentials, for any other request.

        Paths are relative: ``hook.get_conn().put("/v3/marketing/contacts", json=…)``. Other hosts are rejected.
        """
        return self.transport.session

    def test_connection(self) -> tuple[bool, str]:
        """Send the cheapest authenticated request; return whether it succeeded, and a message for the form."""
        from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport

        try:
            # Airflow tests a copy of the connection under a name that the user never saw.
            account = self._account(read_connection(self.conn_id), conn_id=None)
            transport = RequestsTransport(self.vendor, account)
            try:
                return True, run_test(self.vendor, account, transport)
            finally:
                transport.close()
        except Exception as error:  # noqa: BLE001  (the form must show a message for any error)
            return False, explain(self.vendor, error)

    @property
    def class_path(self) -> str:
        """The dotted path of the hook's class, with which a trigger imports it."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def job_kind(self, name: str | None) -> JobKind:
        """Return the vendor's job kind with that name, or its default one.

        :raises BadArgumentError: there is none; the message lists the existing ones.
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
        """Return a job kind whose jobs can be canceled.

        :raises BadArgumentError: the vendor cannot cancel jobs of this kind.
        """
        kind = self.job_kind(job_kind)
        if kind.cancel is None:
            raise BadArgumentError(
                f"{self.vendor.label} does not support canceling a {kind.noun} (job_kind={kind.name!r}). Remove the "
                f"cancel, or cancel the job in the {self.vendor.label} web UI if possible."
            )
        return kind

    @cached_property
    def account(self) -> Account:
        """The validated account of the connection."""
        return self._account(read_connection(self.conn_id), self.conn_id)

    def with_connection(self, connection: Connection) -> Self:
        """Use a connection that has already been read; return the hook."""
        self.account = self._account(connection, self.conn_id)
        return self

    def reload_connection(self) -> bool:
        """Read the connection again and use it; return whether it has changed."""
        before = self.account.fingerprint
        self.with_connection(read_connection(self.conn_id))
        if self.account.fingerprint == before:
            return False
        self.__dict__.pop("transport").close()
        return True

    async def load_account(self) -> Account:
        """Read the connection again, once, without blocking the event loop.

        :raises ConnectionLookupError: Airflow could not read it; a retry may succeed.
        :raises BadConnectionError: the connection does not exist or is invalid.
        """
        return self._account(await _read_connection_async(self.conn_id), self.conn_id)

    @cached_property
    def transport(self) -> RequestsTransport:
        """The synchronous transport of this hook's account."""
        from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport

        return RequestsTransport(self.vendor, self.account)

    def _account(self, connection: Connection, conn_id: str | None) -> Account:
        if not self.accepts(connection.conn_type):
            raise BadConnectionError(
                f"{connection_title(conn_id)} is of type {connection.conn_type!r}, but {type(self).__name__} needs "
                f"{self.conn_type!r}. Use another connection, or change its type."
            )
        given = {"host": connection.host, "login": connection.login, "password": connection.password}
        values: Mapping[str, Any] = {**read_extra(conn_id, connection.extra), **given}
        if convert := self.vendor.other_types.get(connection.conn_type):
            values = convert(values)
        return read_account(
            self.vendor.fields,
            conn_id=conn_id,
            host=values.get("host"),
            port=connection.port,
            schema=connection.schema,
            login=values.get("login"),
            password=values.get("password"),
            extra=values,
        )


def hook_for(conn_id: str) -> BulkJobHook:
    """Return the hook for a connection's type, which may come from another package.

    :raises BadConnectionError: the connection does not exist, or its type has no bulk jobs.
    :raises ConnectionLookupError: Airflow could not read it.
    """
    return _hook_with(conn_id, read_connection(conn_id))


async def hook_for_async(conn_id: str) -> BulkJobHook:
    """Return the hook for a connection's type as :func:`hook_for`, without blocking the event loop, in one attempt."""
    return await run_in_thread(_hook_with, conn_id, await _read_connection_async(conn_id))


async def _read_connection_async(conn_id: str) -> Connection:
    try:
        return await share_lookup(conn_id, get_connection_async)
    except Exception as error:  # noqa: BLE001  (it depends on the Airflow version and the secrets backend)
        raise await run_in_thread(lookup_error, conn_id, error) from None


def _hook_with(conn_id: str, connection: Connection) -> BulkJobHook:
    for hook_class in HOOKS:
        if hook_class.accepts(connection.conn_type):
            return hook_class(conn_id).with_connection(connection)
    problem = "which has no bulk jobs"
    try:
        hook = connection.get_hook()
    except Exception as error:  # noqa: BLE001  (an unknown type, or any error of another package)
        hook, problem = None, f"which has no hook that Airflow could load ({type(error).__name__})"
    if isinstance(hook, BulkJobHook):
        return hook.with_connection(connection)
    raise BadConnectionError(
        f"Connection {conn_id!r} is of type {connection.conn_type!r}, {problem}. Use one of type "
        f"{', '.join(hook_class.conn_type for hook_class in HOOKS)}, or of another package that is installed "
        "wherever tasks run (airflow providers hooks)."
    )


def _hook_class(vendor: Vendor) -> type[BulkJobHook]:
    name = f"{type(vendor).__name__}Hook"
    return type(name, (BulkJobHook,), {"vendor": vendor, "__module__": __name__, "__doc__": f"{vendor.label}."})


# One per vendor (IntercomHook, SendGridHook, …), generated so that a vendor is added in one list only.
HOOKS = tuple(_hook_class(vendor) for vendor in VENDORS)
globals().update({hook_class.__name__: hook_class for hook_class in HOOKS})
