# SPDX-License-Identifier: Apache-2.0
"""Draw the diagrams of the docs as SVG: docs/images/layers.svg and docs/images/wait.svg."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

IMAGES = Path(__file__).parent.parent / "docs" / "images"
WIDTH = 760
STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:13px;fill:#1a1a2e}"
    ".small{font-size:11px;fill:#555}.halo{paint-order:stroke;stroke:#fff;stroke-width:4px}.title{font-weight:600}"
    ".box{fill:#eef1fb;stroke:#5c6bc0}.outside{fill:#f5f5f5;stroke:#9e9e9e}"
    ".line{stroke:#5c6bc0;stroke-width:1.5;fill:none}.lane{stroke:#bbb;stroke-dasharray:4 4}"
    ".terminal{font-family:ui-monospace,monospace;font-size:12px}"
)
MARKER = (
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L10 5L0 10z" fill="#5c6bc0"/></marker></defs>'
)

# Each row of folders imports only what is below it.
LAYERS = (
    ("Airflow's classes", (("operators", "submit, results, cancel"), ("sensors", "poke, reschedule, deferred"))),
    ("", (("triggers", "the wait in the triggerer"), ("hooks", "connections, forms, test"))),
    (
        "what they do",
        (("submitting", "records, batches, checkpoint"), ("waiting", "tracker, gate"), ("results", "item results")),
    ),
    ("moving bytes", (("http", "one engine (retries, tokens, rate limits), two transports: requests and aiohttp"),)),
    ("vendors", (("vendors", "a declaration and pure functions for each; spec and toolkit are shared"),)),
    ("the ground", (("protocol", "Request, Response, Flow, BulkJob: no I/O, no clock, no Airflow"),)),
)

LANES = ("DAG and worker", "Triggerer", "Vendor")
# From lane, to lane (the same one: a remark), text.
STEPS = (
    (0, 2, "submit each batch; the checkpoint is stored in between"),
    (2, 0, "job ids"),
    (0, 2, "first poll"),
    (0, 1, "defer: ids and deadline as plain JSON"),
    (0, 0, "the worker slot is free"),
    (1, 2, "poll the unfinished jobs, within the rate limit"),
    (2, 1, "state and counts; errors are retried"),
    (1, 0, "event: every job has finished"),
    (0, 0, "the gate compares failed items with allowed_failures"),
)


def text(x: float, y: float, words: str, css: str = "", anchor: str = "middle") -> str:
    """Return a line of text."""
    return f'<text x="{x:g}" y="{y:g}" class="{css}" text-anchor="{anchor}">{escape(words)}</text>'


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return an arrow."""
    return f'<line class="line" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" marker-end="url(#head)"/>'


def box(x: float, y: float, width: float, height: float, css: str = "box") -> str:
    """Return a rectangle."""
    return f'<rect class="{css}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>'


def svg(height: int, title: str, parts: Iterator[str], width: int = WIDTH) -> str:
    """Return a picture; the title is read to those who do not see it."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        MARKER,
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def layers() -> str:
    """Return the folders of the package, as they import each other."""
    height, gap, left = 54, 22, 120
    width = WIDTH - left - 10

    def rows() -> Iterator[str]:
        for number, (label, boxes) in enumerate(LAYERS):
            y = 10 + number * (height + gap)
            yield text(left - 12, y + height / 2 + 4, label, "small", "end")
            each = (width - 12 * (len(boxes) - 1)) / len(boxes)
            for column, (name, subject) in enumerate(boxes):
                x = left + column * (each + 12)
                yield box(x, y, each, height)
                yield text(x + each / 2, y + 23, name, "title")
                yield text(x + each / 2, y + 41, subject, "small")
            if number + 1 < len(LAYERS):
                yield arrow(left + width / 2, y + height + 2, left + width / 2, y + height + gap - 2)

    return svg(10 + len(LAYERS) * (height + gap) - gap + 10, "The folders of the package and their imports", rows())


def wait() -> str:
    """Return a submit and a deferred wait, step by step."""
    top, step = 56, 44
    places = (120.0, 390.0, 650.0)
    bottom = top + len(STEPS) * step + 10

    def rows() -> Iterator[str]:
        for x, name in zip(places, LANES, strict=True):
            yield box(x - 80, 10, 160, 30, "outside" if name == "Vendor" else "box")
            yield text(x, 30, name, "title")
            yield f'<line class="lane" x1="{x:g}" y1="40" x2="{x:g}" y2="{bottom}"/>'
        for number, (start, end, words) in enumerate(STEPS, 1):
            y = top + number * step - 14
            label = f"{number}. {words}"
            if start == end:
                yield text(places[start] + 10, y, label, "small halo", "start")
                continue
            yield arrow(places[start], y, places[end], y)
            yield text((places[start] + places[end]) / 2, y - 6, label, "small halo")

    return svg(bottom + 10, "A submit and a deferred wait", rows())


def terminal(command: str, output: Sequence[str]) -> str:
    """Return what a command printed, as text in a picture of a terminal."""
    line, margin, advance = 17, 14, 7.3  # px; the advance of a character at 12 px
    lines = [f"$ {command}", *output]
    width = round(max(map(len, lines)) * advance) + 2 * margin

    def rows() -> Iterator[str]:
        for number, words in enumerate(lines):
            # The length holds the columns together in any monospaced font.
            length = f' textLength="{len(words) * advance:g}" lengthAdjust="spacingAndGlyphs"' if words else ""
            y = margin + (number + 0.8) * line
            yield f'<text class="terminal" x="{margin}" y="{y:g}" xml:space="preserve"{length}>{escape(words)}</text>'

    return svg(len(lines) * line + 2 * margin, f"The output of {command}", rows(), width)


def pictures() -> dict[Path, str]:
    """Return all diagrams."""
    return {IMAGES / "layers.svg": layers(), IMAGES / "wait.svg": wait()}


if __name__ == "__main__":
    for path, picture in pictures().items():
        path.write_text(picture)
