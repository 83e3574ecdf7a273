# SPDX-License-Identifier: Apache-2.0
"""Parse DAG files, as Airflow parses them."""

from pathlib import Path
from typing import Any


def load(folder: Path) -> Any:
    """Return the bag of the DAGs in a folder, with ``import_errors`` and ``captured_warnings``."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before Airflow 3.2
        from airflow.models import DagBag
    return DagBag(dag_folder=folder)
