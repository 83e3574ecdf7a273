# SPDX-License-Identifier: Apache-2.0
"""The cost of importing a sensor in a DAG file that has imported ``airflow.sdk`` already, for several providers.

    python benchmarks/imports.py

Each import runs in five fresh processes; the minimum counts, because the rest is noise.
"""

from __future__ import annotations

import os
import subprocess
import sys

REPEATS = 5
MODULES = {
    "`BulkJobSensor`": "airflow_provider_bulkjobs.sensors.bulk_job",
    "`BulkJobOperator`": "airflow_provider_bulkjobs.operators.bulk_job",
    "`HttpSensor`": "airflow.providers.http.sensors.http",
    "`DbtCloudJobRunSensor`": "airflow.providers.dbt.cloud.sensors.dbt",
}
PROGRAM = """
import importlib, sys, time, airflow.sdk
airflow.sdk.DAG, airflow.sdk.BaseSensorOperator
began = time.process_time()
importlib.import_module(sys.argv[1])
print((time.process_time() - began) * 1000)
print(*sorted({"requests", "aiohttp", "pendulum"} & sys.modules.keys()))
"""


def measure(module: str) -> tuple[float, str]:
    """Return the milliseconds of CPU time, and the heavy modules that are loaded afterwards."""
    lines = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, module],
        capture_output=True,
        check=True,
        text=True,
        env=os.environ | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"},
    ).stdout.splitlines()
    return float(lines[-2]), lines[-1]


def main() -> None:
    print("| | CPU time, ms | loaded afterwards |")
    print("|---|---|---|")
    for name, module in {"`airflow.sdk` alone": "airflow.sdk", **MODULES}.items():
        runs = [measure(module) for _ in range(REPEATS)]
        print(f"| {name} | {min(run[0] for run in runs):,.0f} | {runs[0][1] or '-'} |")


if __name__ == "__main__":
    main()
