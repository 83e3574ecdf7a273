# SPDX-License-Identifier: Apache-2.0
"""The steps of one submit: which requests may be repeated, and what must not be forgotten between them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

from airflow_provider_bulkjobs.exceptions import BulkJobError, UnknownOutcomeError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Request, Response, SaveProgress, Upload
from airflow_provider_bulkjobs.vendors.spec.operation import SubmitFlow

Requests = Generator[Request | Upload, Response, str]


class SubmitSteps:
    """Runs the flow of a submit, and records whether it may be run again.

    :param idempotent: whether requests may be repeated that do not say so themselves.
    :param save: stores the values of :class:`SaveProgress` before the next request is sent.
    """

    def __init__(self, *, idempotent: bool, save: Callable[[SaveProgress], None]) -> None:
        self._idempotent = idempotent
        self._save = save
        self.is_executed = False  # a request that must not be repeated has succeeded, and nothing was saved since

    def run(self, flow: SubmitFlow) -> Requests:
        """Run the flow; pass its requests on, and return the id of the job.

        :raises UnknownOutcomeError: a request was executed that must not be repeated, and its response is unusable; or
            the flow is restarted after it, because a later request that is sent only once has failed.
        """
        if self.is_executed:
            raise UnknownOutcomeError("A later request failed, and an earlier one must not be repeated")
        return self._run(flow)

    def _run(self, flow: SubmitFlow) -> Requests:
        try:
            step = next(flow)
            while True:
                if isinstance(step, SaveProgress):
                    self._save(step)
                    self.is_executed = False
                    step = next(flow)
                    continue
                request = self._with_default(step)
                try:
                    response = yield request
                except BulkJobError as error:
                    step = flow.throw(error)  # the flow may send another request instead
                    continue
                was_executed = self.is_executed
                if isinstance(request, Request) and request.idempotent is False:
                    self.is_executed = True
                try:
                    step = flow.send(response)
                except VendorAPIError:  # a rejection in the body of a successful response
                    self.is_executed = was_executed
                    raise
        except StopIteration as end:
            job_id: str = end.value
            return job_id
        except VendorAPIError:
            raise
        except BulkJobError as error:
            if self.is_executed:  # the flow must not be restarted
                raise UnknownOutcomeError(str(error)) from error
            raise

    def _with_default(self, request: Request | Upload) -> Request | Upload:
        if isinstance(request, Upload) or request.idempotent is not None or request.method == "GET":
            return request
        return replace(request, idempotent=self._idempotent)
