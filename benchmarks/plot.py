# SPDX-License-Identifier: Apache-2.0
"""Plot the results of ``polls.py --json``: the median of the runs, and each run as a dot.

python benchmarks/plot.py polls.json polls.png
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

NAMES = {
    "raw_streams": "raw streams (lower bound)",
    "bare_aiohttp": "bare aiohttp",
    "ours": "BulkJobTrigger",
    "dbt_cloud": "DbtCloudRunJobTrigger",
    "http_event": "HttpEventTrigger",
}
PANELS = {
    "polls_per_cpu_s": "polls per CPU-second\n(more is better)",
    "lag_p99_ms": "event-loop lag p99, ms\n(less is better)",
    "kib_per_wait": "KiB per wait\n(less is better)",
}


def main() -> None:
    runs = json.loads(Path(sys.argv[1]).read_text())
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 2.8), sharey=True, layout="constrained")
    for axis, (metric, title) in zip(axes, PANELS.items(), strict=True):
        for row, (contender, name) in enumerate(reversed(NAMES.items())):
            seen = [run["full"][contender][metric] for run in runs]
            middle = statistics.median(seen)
            axis.barh(row, middle, color="#1f77b4" if contender == "ours" else "#c7c7c7", label=name)
            axis.scatter(seen, [row] * len(seen), s=8, color="black", zorder=3)
            axis.annotate(f" {middle:,.0f}", (max(seen), row), va="center", fontsize=8)
        axis.set_title(title, fontsize=9)
        axis.set_yticks(range(len(NAMES)), list(reversed(NAMES.values())), fontsize=8)
        axis.tick_params(axis="x", labelsize=7)
        axis.margins(x=0.2)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(sys.argv[2], dpi=110)


if __name__ == "__main__":
    main()
