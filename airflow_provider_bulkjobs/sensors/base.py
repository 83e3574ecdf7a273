# SPDX-License-Identifier: Apache-2.0
"""What the sensor and the submitting operator share: waiting for jobs, in every mode a sensor has, and the gate."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
    first_poke_at,
)
from airflow_provider_bulkjobs.arguments import (
    check_literal,
    read_allowed_failures,
    read_conn_id,
    read_expected_items,
    read_job_ids,
)
from airflow_provider_bulkjobs.failures import JobExpiredError, JobFailedError
from airflow_provider_bulkjobs.links import VendorPageLink, push_page_link
from airflow_provider_bulkjobs.sensors.deferring import deferral, next_trigger
from airflow_provider_bulkjobs.sensors.memory import PokeMemory
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.messages import (
    NEXT_STEPS,
    checkpoint_stored,
    deferred_message,
    start_message,
    timeout_message,
)
from airflow_provider_bulkjobs.waiting.poll_interval import FLOOR, PollInterval
from airflow_provider_bulkjobs.waiting.poll_sync import MAY_PASS, poll_all
from airflow_provider_bulkjobs.waiting.summary import describe
from airflow_provider_bulkjobs.waiting.tracker import JobTracker

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook

FIRST_POLLS = 10.0  # seconds the first polls of many jobs may take on the worker
SHORTEST_INTERVAL = 1.0  # seconds between polls in the triggerer, where a poke_interval of 0 would be a tight loop
DEFERRABLE: bool = conf.getboolean("operators", "default_deferrable", fallback=False)


class BulkJobBaseSensor(BaseSensorOperator):
    """Wait for the jobs in ``self.job_id``, in any mode, and judge their result.

    What the arguments mean is told by :class:`~airflow_provider_bulkjobs.sensors.bulk_job.BulkJobSensor`.
    """

    template_fields: Sequence[str] = ("conn_id", "allowed_failures", "expected_items")
    operator_extra_links = (VendorPageLink(),)

    job_id: Any

    def __init__(
        self,
        *,
        conn_id: str,
        job_kind: str | None,
        allowed_failures: Any,
        expected_items: Any,
        cancel_on_kill: bool,
        deferrable: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # What a template or another task will fill in is checked when it is there; the rest can be checked now.
        check_literal(conn_id, read_conn_id)
        check_literal(allowed_failures, read_allowed_failures)
        check_literal(expected_items, read_expected_items)
        self.conn_id = conn_id
        self.job_kind = job_kind
        self.allowed_failures = allowed_failures
        self.expected_items = expected_items
        self.cancel_on_kill = cancel_on_kill
        self.deferrable = deferrable
        self._tracker: JobTracker | None = None
        self._hook: BulkJobHook | None = None
        self._memory: PokeMemory | None = None
        self._started_at: float | None = None

    def execute(self, context: Context) -> Any:
        """Wait in the mode asked for; return the result."""
        self._tracker = self._hook = None
        self._started_at = time.time()
        with self._as_a_sensor_fails():
            return self._poke_or_defer(context) if self.deferrable else super().execute(context)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002
        """Judge what the trigger has found out and return the result, or continue after a checkpoint."""
        from airflow_provider_bulkjobs.triggers.event import WaitTimedOutError, read_event

        with self._as_a_sensor_fails():
            if trigger := next_trigger(event):
                self.log.info(checkpoint_stored(len(trigger.known_jobs), len(trigger.job_ids), trigger.first_poll_at))
                raise deferral(trigger, self._remember())
            try:
                result = read_event(event)
            except WaitTimedOutError as error:
                raise AirflowSensorTimeout(timeout_message(self.timeout, str(error))) from error
            except errors.JobDisappearedError as error:
                raise JobExpiredError(str(error)) from error
            return self._pass(result)

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask about every job that has not finished yet."""
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        hook, wait = self._start(context)
        deadline = wait.started_at + self.timeout
        if self.reschedule:
            policy = RetryPolicy(max_sleep=max(self.poke_interval, 60.0), on_retry=self.log.warning)
        else:
            policy = RetryPolicy(remaining=lambda: deadline - time.time(), on_retry=self.log.warning)
        later = 0.0
        try:
            poll_all(hook, wait, policy, silent_fail=self.silent_fail, is_last_poll=self.reschedule)
        except errors.RateLimitDelayError as error:
            self.log.warning("%s; asking again after that", error)
            later = error.seconds
        except errors.DeadlineExceededError as error:
            raise AirflowSensorTimeout(timeout_message(self.timeout, f"{wait.progress_summary} ({error})")) from error
        finally:
            if self._memory:
                self._memory.save(wait)
        if not wait.unfinished:
            return PokeReturnValue(is_done=True, xcom_value=self._pass(wait.result))
        if time.time() > deadline:
            # BaseSensorOperator would say so a moment later, but not how things stand.
            raise AirflowSensorTimeout(timeout_message(self.timeout, wait.progress_summary))
        if later > self.poke_interval and not (self.silent_fail or self.never_fail):  # which would swallow it
            raise AirflowRescheduleException(datetime.fromtimestamp(min(time.time() + later, deadline), UTC))
        return PokeReturnValue(is_done=False)

    def on_kill(self) -> None:
        """Stop the unfinished jobs, if asked to."""
        if self.cancel_on_kill and (job_ids := self._open_jobs()):
            from airflow_provider_bulkjobs.hooks.bulk_job import hook_for

            # A new hook: the old one may have been interrupted in the middle of a request.
            hook = hook_for(self.conn_id)
            for job_id in job_ids:
                self.log.info("The task was killed: asking %s to stop job %s", hook.vendor.label, job_id)
                try:
                    hook.cancel_job(job_id, self.job_kind)
                except errors.BulkJobError as error:
                    self.log.warning("Job %s could not be stopped: %s", job_id, error)

    def _open_jobs(self) -> list[str]:
        return self._tracker.stoppable if self._tracker else []

    def _start(self, context: Context) -> tuple[BulkJobHook, JobTracker]:
        if self._hook and self._tracker:
            return self._hook, self._tracker
        from airflow_provider_bulkjobs.hooks.bulk_job import hook_for

        # Everything that can be wrong without asking the vendor, in the order in which users would mend it.
        try:
            job_ids = read_job_ids(self.job_id)
        except errors.NoJobsError as error:
            raise AirflowSkipException("job_id is empty: nothing was submitted, so nothing is waited for") from error
        read_allowed_failures(self.allowed_failures)
        read_expected_items(self.expected_items)
        hook = hook_for(read_conn_id(self.conn_id))
        kind = hook.job_kind(self.job_kind)
        if self.cancel_on_kill:
            hook.cancelable_job_kind(self.job_kind)
        self._memory = PokeMemory(context, self.timeout) if self.reschedule else None
        first_poke = first_poke_at(context) if self.reschedule else None
        wait = JobTracker(
            vendor=hook.vendor,
            kind=kind,
            conn_id=self.conn_id,
            job_ids=job_ids,
            started_at=first_poke.timestamp() if first_poke else self._started_at or time.time(),
            **(self._memory.load() if self._memory else {}),
        )
        page = push_page_link(context, hook, kind)
        wait.status_change()  # an earlier poke has logged what is known already
        if not first_poke:
            self.log.info(start_message(wait, self.poke_interval, self.timeout, page))
        self._hook, self._tracker = hook, wait
        return hook, wait

    def _poke_or_defer(self, context: Context) -> dict[str, Any]:
        from airflow_provider_bulkjobs.http.retry import RetryPolicy
        from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger

        hook, wait = self._start(context)
        until = time.time() + FIRST_POLLS
        policy = RetryPolicy(failures=1, max_sleep=1.0, remaining=lambda: until - time.time())
        try:
            poll_all(hook, wait, policy, silent_fail=self.silent_fail)
        except MAY_PASS as error:
            self.log.warning("%s; going on in the triggerer", error)
        if not wait.unfinished:
            return self._pass(wait.result)
        max_wait = max(self.max_wait.total_seconds(), SHORTEST_INTERVAL) if self.max_wait else None
        schedule = PollInterval(self.poke_interval, self.exponential_backoff, max_wait)
        first_poll_at = time.time() + max(schedule.wait_after(1), FLOOR, hook.transport.pause_left)
        self.log.info(deferred_message(first_poll_at))
        trigger = BulkJobTrigger(
            hook_class=f"{type(hook).__module__}.{type(hook).__qualname__}",
            conn_id=self.conn_id,
            job_ids=wait.job_ids,
            job_kind=wait.kind.name,
            started_at=wait.started_at,
            deadline=wait.started_at + self.timeout,
            first_poll_at=first_poll_at,
            known_jobs=wait.known_jobs,
            poke_interval=max(self.poke_interval, SHORTEST_INTERVAL),
            exponential_backoff=self.exponential_backoff,
            max_wait=max_wait,
            silent_fail=self.silent_fail,
            cancel_on_kill=self.cancel_on_kill,
        )
        raise deferral(trigger, self._remember())

    def _remember(self) -> dict[str, Any]:
        """Return what ``execute_complete`` is to be told, beside the event."""
        return {}

    def _pass(self, result: dict[str, Any]) -> dict[str, Any]:
        verdict = judge(result, read_allowed_failures(self.allowed_failures), read_expected_items(self.expected_items))
        told = describe(result)
        if not verdict.passed:
            raise JobFailedError(f"{told}. The gate stays closed: {verdict.reason}. {NEXT_STEPS}")
        self.log.info("%s. The gate opens: %s.", told, verdict.reason)
        return result

    @contextmanager
    def _as_a_sensor_fails(self) -> Iterator[None]:
        """Turn errors into skips as ``BaseSensorOperator`` means to; deferred, and at a timeout, it does so in part."""
        try:
            yield
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except (AirflowFailException, AirflowSensorTimeout, AirflowTaskTimeout) as error:
            flag = "soft_fail" if self.soft_fail else "never_fail" if self.never_fail else ""
            if flag and (self.deferrable or not isinstance(error, AirflowTaskTimeout)):  # between pokes, that fails
                raise AirflowSkipException(f"{error} (skipped because of {flag})") from error
            raise
        except Exception as error:
            if self.never_fail:
                raise AirflowSkipException(f"{error} (skipped because of never_fail)") from error
            raise
