# SPDX-License-Identifier: Apache-2.0
"""Files that a vendor downloads itself: in the user's object storage, and passed to the vendor as signed URLs.

https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/objectstorage.html
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from airflow_provider_bulkjobs.exceptions import BadArgumentError, BulkJobError, OutputWriteError
from airflow_provider_bulkjobs.submitting.paths import object_path, safe_repr
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Options, Payload

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

SECONDS = 2 * 3600  # the lifetime of a signed URL; the vendor may queue the job before it downloads the file


def require_folder(operation: Operation, options: Options) -> None:
    """Check that records can be uploaded.

    :raises BadArgumentError: the vendor downloads the records itself, and there is no folder for them.
    """
    name = operation.upload_folder
    if name and not (options.get(name) or options.get(operation.replaces_records or "")):
        raise BadArgumentError(
            f"option {name!r} is missing: the folder in object storage that the records are uploaded to, such as "
            f"s3://aws_default@bucket/folder. For a file that is already there, set {operation.replaces_records!r} "
            "instead of records."
        )


def with_file_url(operation: Operation, options: Options, payload: Payload, file_name: str) -> Options:
    """Return the options of a request with the URL of its file, without the folder.

    :param payload: the records, which are uploaded unless the options have a file.
    :param file_name: the name of the uploaded file. A retry replaces it.
    :raises BadArgumentError: the path is invalid, or its storage cannot sign URLs.
    :raises BulkJobError: the upload failed.
    """
    url_option, folder_option = operation.replaces_records or "", operation.upload_folder or ""
    given = str(options.get(url_option) or "")
    if given.lower().startswith(("https://", "http://")):
        url = given
    elif given:
        url = _signed(object_path(given, url_option), url_option)
    else:
        folder = str(options[folder_option]).rstrip("/")  # as text: the operator / warns in Airflow 2.11 and 3.0
        path = object_path(f"{folder}/{file_name}", folder_option)
        url = _signed(path, folder_option)  # first, so that no records are left in a storage that cannot sign
        _upload(payload, path)
    return {name: value for name, value in options.items() if name != folder_option} | {url_option: url}


def _signed(path: ObjectStoragePath, name: str) -> str:
    try:
        return str(path.fs.sign(path.path, expiration=SECONDS))
    except NotImplementedError:
        remedy = f"option {name!r}: the storage of {safe_repr(path)} has no signed URLs. Use S3, GCS or Azure."
        raise BadArgumentError(remedy) from None
    except Exception as error:  # noqa: BLE001  (the exceptions depend on the storage, and may contain credentials)
        raise BulkJobError(
            f"option {name!r}: no URL could be signed for {safe_repr(path)}: {type(error).__name__}. Check that the "
            "credentials of its connection can sign URLs."
        ) from None


def _upload(payload: Payload, path: ObjectStoragePath) -> None:
    try:
        with payload.open() as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
    except OutputWriteError:  # no space for a temporary file, which the payload may need
        raise
    except Exception as error:  # noqa: BLE001  (as above)
        raise BulkJobError(
            f"The records could not be uploaded to {safe_repr(path)}: {type(error).__name__}. Check that its "
            "connection may write there."
        ) from None
