# SPDX-License-Identifier: Apache-2.0
r"""Null markers such as ``\N`` in CSV files. Quotes distinguish text from a null: ``"NULL"`` is the word.

Python's CSV reader does not report quotes, and takes ``\N`` as an escaped N. So the markers are replaced in the lines
before it reads them. A line without a marker, as most are, is passed on unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_provider_bulkjobs.submitting.csv_options import CsvOptions

NULL = "\0null\0"


class NullMarkers:
    """The lines of a file with ``NULL`` in the place of each null marker.

    :param lines: the lines as they are in the file.
    """

    def __init__(self, lines: Iterator[str], options: CsvOptions) -> None:
        self._lines = lines
        self._markers = tuple(marker for marker in options.null_values if marker)
        self._cell = _cell_pattern(options, self._markers)
        # Without an escape character, a row continues on the next line only inside a quoted cell.
        self._end_of_text = options.quote if not options.escape else None
        self._row = ""  # the lines of the current row so far

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            before, self._row = len(self._row), self._row + line
            is_text = before > 0 and self._end_of_text is not None and self._end_of_text not in line
            has_marker = not is_text and any(marker in line for marker in self._markers)
            yield self._replace(before) if has_marker else line

    def rows(self, rows: Iterator[list[str]]) -> Iterator[list[str]]:
        """Yield the rows that a CSV reader makes of these lines, with an empty cell for each null marker."""
        self._row = ""
        for cells in rows:
            self._row = ""  # the next line starts a row; a quoted cell may span several lines
            yield ["" if cell == NULL else cell for cell in cells] if NULL in cells else cells

    def _replace(self, start: int) -> str:
        """Return the current row from a position on, with its null markers replaced."""
        row, position, found = self._row, 0, []
        while position <= len(row):
            begin, cell = position, self._cell.match(row, position)
            end = cell.end() if cell else position  # of the cell; then comes a delimiter or a line ending
            position = end + 1
            if begin >= start and cell and cell["null"]:
                found.append(NULL + row[end:position])
            elif position > start:
                found.append(row[max(begin, start) : position])
        return "".join(found)


def _cell_pattern(options: CsvOptions, markers: tuple[str, ...]) -> re.Pattern[str]:
    delimiter, quote, escape = (re.escape(each or "") for each in (options.delimiter, options.quote, options.escape))
    null = "|".join(map(re.escape, sorted(markers, key=len, reverse=True)))
    end = rf"{delimiter}\r\n"
    escaped, at_end = (rf"{escape}.|", rf"{escape}?") if escape else ("", "")
    plain = rf"(?:{escaped}[^{end}{escape}])*{at_end}"
    if quote:
        inside = rf"(?:{escaped}{quote}{quote}|[^{quote}{escape}])*"
        plain = rf"{quote}{inside}(?:{quote}[^{end}]*|{at_end}\Z)|{plain}"
    return re.compile(rf"(?P<null>{null})(?![^{end}])|{plain}", re.DOTALL)
