# SPDX-License-Identifier: Apache-2.0
"""Plot the results of ``airflow_cost.py --json``: the CPU-seconds of a wait in each scenario.

python benchmarks/waits_plot.py waits.json waits.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt


def main() -> None:
    parts = json.loads(Path(sys.argv[1]).read_text())
    heights = [len(costs) for costs in parts.values()]
    figure, axes = plt.subplots(
        len(parts), 1, figsize=(8, 0.4 * sum(heights) + 1.2), sharex=True, layout="constrained", height_ratios=heights
    )
    for axis, (title, costs) in zip(axes, parts.items(), strict=True):
        names, values = list(costs)[::-1], list(costs.values())[::-1]
        bars = axis.barh(names, values, color=["#1f77b4" if "triggerer" in name else "#c7c7c7" for name in names])
        axis.bar_label(bars, fmt=" %.2f", fontsize=8)
        axis.set_title(title, fontsize=9)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("CPU-seconds of Airflow per wait (less is better)", fontsize=8)
    axes[-1].margins(x=0.1)
    figure.savefig(sys.argv[2], dpi=110)


if __name__ == "__main__":
    main()
