# SPDX-License-Identifier: Apache-2.0
"""The base class of the sensor and the submitting operator: waits for jobs in every sensor mode, and the gate."""

from __future__ import annotations

import math
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
    before_skip,
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
from airflow_provider_bulkjobs.configuration import max_outage
from airflow_provider_bulkjobs.exceptions import JobExpiredError, JobFailedError
from airflow_provider_bulkjobs.links import VendorPageLink, push_page_link
from airflow_provider_bulkjobs.sensors.deferring import deferral, next_trigger
from airflow_provider_bulkjobs.sensors.memory import PokeMemory
from airflow_provider_bulkjobs.waiting.cancel_on_kill import canceling
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.messages import (
    NEXT_STEPS,
    checkpoint_message,
    deferred_message,
    start_message,
    timeout_message,
    worker_start_message,
)
from airflow_provider_bulkjobs.waiting.poll_interval import MIN_DEFERRAL, PollInterval
from airflow_provider_bulkjobs.waiting.poll_sync import MAY_PASS, poll_all
from airflow_provider_bulkjobs.waiting.summary import counted_items, describe, with_missing
from airflow_provider_bulkjobs.waiting.tracker import JobTracker

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook

TRIGGER_FAILED = "__fail__"  # the method name that Airflow passes if the trigger failed
TRIGGER_TIMEOUT = "Trigger timeout"  # the error that Airflow passes if the trigger timed out
POKE_ATTEMPTS = 3  # in reschedule mode, in which the next poke continues without holding a slot in between
FIRST_POLLS = 10.0  # maximum seconds for the first polls on the worker
MIN_INTERVAL = 1.0  # seconds between polls in the triggerer; a poke_interval of 0 would be a busy loop
DEFERRABLE: bool = conf.getboolean("operators", "default_deferrable", fallback=False)


class BulkJobBaseSensor(BaseSensorOperator):
    """Wait for the jobs in ``self.job_id``, in any mode, and evaluate their result.

    :class:`~airflow_provider_bulkjobs.sensors.bulk_job.BulkJobSensor` documents the arguments.
    """

    template_fields: Sequence[str] = ("conn_id", "allowed_failures", "expected_items")
    operator_extra_links = (VendorPageLink(),)
    _next_steps = NEXT_STEPS  # after a result that the gate did not accept

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
        # Values rendered from templates or XCom are checked at run time, all others now.
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
        self._delay = 0.0  # seconds until the next request, after a rate-limited poke
        # For the link. Empty: there is none; None: the process that started the wait may have pushed one.
        self.vendor_page: str | None = None

    def execute(self, context: Context) -> Any:
        """Wait in the selected mode; return the result."""
        self._tracker = self._hook = None
        self._delay = 0.0
        self._started_at = time.time()
        self.vendor_page = None if self.reschedule else ""
        with self._apply_fail_flags():
            if self.deferrable:
                return self._poke_or_defer(context)
            try:
                return super().execute(context)
            except AirflowRescheduleException as planned:
                raise AirflowRescheduleException(self._next_poke(planned.reschedule_date)) from None

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a deferral. ``soft_fail`` skips a trigger that timed out, and not one that failed."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout as error:  # the trigger timed out; Airflow 3.0 itself does not skip that
            if self.soft_fail:
                raise AirflowSkipException(f"{error} (skipped because of soft_fail)") from error
            raise
        except AirflowSkipException as error:
            reason = (next_kwargs or {}).get("error", "unknown reason")
            if next_method != TRIGGER_FAILED or reason == TRIGGER_TIMEOUT or not self.soft_fail:
                raise
            raise errors.BulkJobError(
                f"The trigger failed ({reason}), so nothing is known of the jobs. Check the log for its traceback and "
                "whether this package is installed in the triggerer. Then retry the task."
            ) from before_skip(error)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Evaluate the trigger's event and return the result, or continue after a checkpoint."""
        from airflow_provider_bulkjobs.triggers.event import (
            WaitTimedOutError,
            read_event,
            read_page,
            read_start_on_worker,
        )

        with self._apply_fail_flags():
            if start := read_start_on_worker(event):
                reason, self._started_at = start
                self.log.info(worker_start_message(reason))
                return self._poke_or_defer(context)
            if trigger := next_trigger(event):
                self.log.info(checkpoint_message(len(trigger.known_jobs), len(trigger.job_ids), trigger.first_poll_at))
                raise deferral(trigger, self._resume_kwargs())
            self.vendor_page = read_page(event)
            try:
                result = read_event(event)
            except WaitTimedOutError as error:
                raise AirflowSensorTimeout(timeout_message(self.timeout, str(error))) from error
            except errors.JobDisappearedError as error:
                raise JobExpiredError(str(error)) from error
            return self._evaluate(result)

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll every unfinished job once."""
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        hook, tracker = self._start(context)
        deadline, outage = tracker.started_at + self.timeout, max_outage()
        if self.reschedule:
            policy = RetryPolicy(
                max_attempts=POKE_ATTEMPTS,
                max_outage=outage,
                max_sleep=max(self.poke_interval, 60.0),
                on_retry=self.log.warning,
            )
        else:
            policy = RetryPolicy(
                max_attempts=math.inf,
                max_outage=outage,
                remaining=lambda: deadline - time.time(),
                on_retry=self.log.warning,
            )
        began = time.time()
        try:
            poll_all(hook, tracker, policy, silent_fail=self.silent_fail, is_last_poll=self.reschedule)
            tracker.failing_since = None
        except errors.VendorUnavailableError as error:
            tracker.failing_since = tracker.failing_since or began
            if not self.reschedule or time.time() - tracker.failing_since >= outage:
                raise
            self.log.warning("%s Polling again at the next poke.", error)
        except errors.RateLimitDelayError as error:
            self.log.warning("%s; polling again after that", error)
            self._delay, tracker.failing_since = error.seconds, None  # such a pause is no outage
        except errors.DeadlineExceededError as error:
            raise AirflowSensorTimeout(
                timeout_message(self.timeout, f"{tracker.progress_summary} ({error})")
            ) from error
        finally:
            if self._memory:
                self._memory.save(tracker)
        if not tracker.unfinished:
            return PokeReturnValue(is_done=True, xcom_value=self._evaluate(tracker.result))
        if time.time() > deadline:
            # BaseSensorOperator would raise this error, too, but without the progress.
            raise AirflowSensorTimeout(timeout_message(self.timeout, tracker.progress_summary))
        return PokeReturnValue(is_done=False)

    def _next_poke(self, planned: datetime) -> datetime:
        """Return when to poke again: the next poke is another process, which does not know of a pause."""
        hook, tracker = self._hook, self._tracker
        if not (hook and tracker):
            return planned
        now = time.time()
        latest = min(planned.timestamp(), *(now + tracker.longest_wait(job_id) for job_id in tracker.unfinished))
        resume_at = min(now + max(self._delay, hook.transport.pause_left), tracker.started_at + self.timeout)
        return datetime.fromtimestamp(max(latest, resume_at), UTC)

    def on_kill(self) -> None:
        """Cancel the unfinished jobs if ``cancel_on_kill`` is set."""
        if self.cancel_on_kill and (job_ids := self._open_jobs()):
            from airflow_provider_bulkjobs.hooks.bulk_job import hook_for

            # A new hook: the old one may have been interrupted during a request.
            hook = hook_for(self.conn_id)
            for job_id in job_ids:
                with canceling(self.log, hook.vendor.label, job_id):
                    hook.cancel_job(job_id, self.job_kind)

    def _open_jobs(self) -> list[str]:
        return self._tracker.stoppable if self._tracker else []

    def _start(self, context: Context) -> tuple[BulkJobHook, JobTracker]:
        if self._hook and self._tracker:
            return self._hook, self._tracker
        from airflow_provider_bulkjobs.hooks.bulk_job import hook_for

        # First the checks that need no request, in the order in which users would correct the errors.
        try:
            job_ids = read_job_ids(self.job_id)
        except errors.NoJobsError as error:
            raise AirflowSkipException("job_id is empty: nothing was submitted, no job to wait for") from error
        read_allowed_failures(self.allowed_failures)
        read_expected_items(self.expected_items)
        hook = hook_for(read_conn_id(self.conn_id))
        kind = hook.job_kind(self.job_kind)
        if self.cancel_on_kill:
            hook.cancelable_job_kind(self.job_kind)
        self._memory = PokeMemory(context, self.timeout) if self.reschedule else None
        first_poke = first_poke_at(context) if self.reschedule else None
        tracker = JobTracker(
            vendor=hook.vendor,
            kind=kind,
            conn_id=self.conn_id,
            job_ids=job_ids,
            started_at=first_poke.timestamp() if first_poke else self._started_at or time.time(),
            **(self._memory.load() if self._memory else {}),
        )
        self.vendor_page = page = push_page_link(context, hook, kind)
        tracker.status_change()  # an earlier poke has already logged the known states
        if not first_poke:
            self.log.info(start_message(tracker, self.poke_interval, self.timeout, page))
        self._hook, self._tracker = hook, tracker
        return hook, tracker

    def _poke_or_defer(self, context: Context) -> dict[str, Any]:
        from airflow_provider_bulkjobs.http.retry import RetryPolicy
        from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger

        hook, tracker = self._start(context)
        end = time.time() + FIRST_POLLS
        policy = RetryPolicy(max_attempts=1, max_sleep=1.0, remaining=lambda: end - time.time())
        try:
            poll_all(hook, tracker, policy, silent_fail=self.silent_fail)
        except MAY_PASS as error:
            self.log.warning("%s; continuing in the triggerer", error)
        if not tracker.unfinished:
            return self._evaluate(tracker.result)
        arguments = self.trigger_arguments
        schedule = PollInterval(self.poke_interval, self.exponential_backoff, arguments["max_wait"])
        interval = min(schedule.wait_after(1), *map(tracker.longest_wait, tracker.unfinished))
        first_poll_at = time.time() + max(interval, MIN_DEFERRAL, hook.transport.pause_left)
        self.log.info(deferred_message(first_poll_at))
        trigger = BulkJobTrigger(
            **arguments | {"job_kind": tracker.kind.name},
            hook_class=hook.class_path,
            job_ids=tracker.job_ids,
            started_at=tracker.started_at,
            deadline=tracker.started_at + self.timeout,
            first_poll_at=first_poll_at,
            known_jobs=tracker.known_jobs,
        )
        raise deferral(trigger, self._resume_kwargs())

    @property
    def trigger_arguments(self) -> dict[str, Any]:
        """The arguments of the trigger that are known before the wait starts."""
        return {
            "conn_id": self.conn_id,
            "job_kind": self.job_kind,
            "poke_interval": max(self.poke_interval, MIN_INTERVAL),
            "exponential_backoff": self.exponential_backoff,
            "max_wait": max(self.max_wait.total_seconds(), MIN_INTERVAL) if self.max_wait else None,
            "silent_fail": self.silent_fail,
            "cancel_on_kill": self.cancel_on_kill,
        }

    def _resume_kwargs(self) -> dict[str, Any]:
        """Return the arguments of ``execute_complete`` other than the event."""
        return {}

    def _evaluate(self, result: dict[str, Any]) -> dict[str, Any]:
        submitted = self._submitted_items(result)
        if submitted and (complete := with_missing(result, submitted)) is not result:
            self.log.warning(
                "The vendor has counted %d of %d submitted items; the others count as failed",
                *(counted_items(result), submitted),
            )
            result = complete
        verdict = judge(result, read_allowed_failures(self.allowed_failures), read_expected_items(self.expected_items))
        summary = describe(result)
        if not verdict.passed:
            raise JobFailedError(f"{summary}. Import rejected: {verdict.reason}. {self._next_steps}")
        self.log.info("%s. Import accepted: %s.", summary, verdict.reason)
        return result

    def _submitted_items(self, result: dict[str, Any]) -> int | None:
        """Return how many items were submitted, if this task knows it and the vendor does not."""
        return read_expected_items(self.expected_items) if result["total"] is None else None

    @contextmanager
    def _apply_fail_flags(self) -> Iterator[None]:
        """Apply ``soft_fail`` and ``never_fail``, also to the errors that ``BaseSensorOperator`` misses."""
        try:
            yield
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except (AirflowFailException, AirflowSensorTimeout, AirflowTaskTimeout) as error:
            flag = "soft_fail" if self.soft_fail else "never_fail" if self.never_fail else ""
            if flag and (
                self.deferrable or not isinstance(error, AirflowTaskTimeout)
            ):  # between two pokes, Airflow lets that timeout fail the task
                raise AirflowSkipException(f"{error} (skipped because of {flag})") from error
            raise
        except Exception as error:
            if self.never_fail:
                raise AirflowSkipException(f"{error} (skipped because of never_fail)") from error
            raise
