"""Reading the text files of public downloads: tab-separated, with comment lines, strictly."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ccl.config.cohort_sections import MISSING as WORDS
from ccl.io.errors import InputError
from ccl.io.files import MISSING, UNREADABLE, Row, existing, open_text
from ccl.io.headers import check_delimiter, check_repeated, check_width

EMPTY = MISSING.union(WORDS)
"""Cells that count as empty."""


@dataclass(frozen=True)
class Header:
    """The names of the columns of a file."""

    path: Path
    names: tuple[str, ...]
    line: int
    """Line of the header, from 1."""
    comments: tuple[str, ...] = ()
    """The comment lines above it."""

    @property
    def where(self) -> str:
        """The place of the header, for messages."""
        return f"{self.path}, line {self.line} (header)"

    def column(self, *names: str) -> str:
        """Return the first of some names that is a column.

        Raises
        ------
        InputError
            None is.
        """
        for name in names:
            if name in self.names:
                return name
        raise InputError(
            "the header lacks a column",
            where=self.where,
            found=", ".join(self.names[:6]) + (", ..." if len(self.names) > 6 else ""),
            expected=" or ".join(names),
            todo="add the name of the column to the header, or download the file again",
        )


def read_header(path: Path, *, comment: str = "#") -> Header:
    """Read the header of a tab-separated file, and check that it fits the first row.

    Parameters
    ----------
    path : Path
        The file; it may be in ``.gz``.
    comment : str
        How lines above the header start that are not part of the table; empty if there are none.

    Raises
    ------
    InputError
        The file is empty or damaged, is not separated by tabs, names a column twice, or its header is shorter than
        the first row.
    """
    with rows_of(path) as rows:
        comments, header, first = [], None, None
        for row in rows:
            if header is None and comment and row.cells[0].startswith(comment):
                comments.append("\t".join(row.cells))
            elif header is None:
                header = row
            else:
                first = row
                break
    if header is None:
        raise InputError("the file is empty", where=str(path), expected="a header and rows", todo="download it again")
    found = Header(path, tuple(cell.strip() for cell in header.cells), header.number, tuple(comments))
    _check_pointer(found)
    check_delimiter(found.where, found.names, "\t")
    check_width(found.where, found.names, first.cells if first else ())
    check_repeated(found.where, found.names, unnamed=False)
    return found


def read_records(
    path: Path, *, required: Sequence[str] = (), comment: str = "#"
) -> tuple[Header, list[dict[str, str]]]:
    """Read a small table of text as the non-empty cells of each row by column.

    Raises
    ------
    InputError
        As :func:`read_header`; or a required column is missing, or a row has more cells than the header.
    """
    header = read_header(path, comment=comment)
    for name in required:
        header.column(name)
    with rows_of(path) as rows:
        records = []
        for row in rows:
            if row.number <= header.line:
                continue
            if len(row.cells) > len(header.names):
                raise too_long(header, row)
            cells = zip(header.names, row.cells, strict=False)
            records.append({name: text for name, cell in cells if (text := cell.strip()) not in EMPTY})
    return header, records


def read_keys(path: Path) -> dict[str, str]:
    """Read a file with a name and a value in each line, with a colon between; other lines are ignored.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UNREADABLE as error:
        raise damaged(path, error) from error
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def too_long(header: Header, row: Row) -> InputError:
    """Return the error for a row whose number of cells is not that of the header."""
    return InputError(
        "a row does not fit the header",
        where=f"{header.path}, line {row.number}",
        found=f"{len(row.cells)} cells",
        expected=f"{len(header.names)} cells, as in the header (line {header.line})",
        todo="correct the line, or download the file again",
    )


@contextmanager
def rows_of(path: Path) -> Iterator[Iterator[Row]]:
    """Yield the rows of a tab-separated file that are not blank, without the quotes of R.

    Raises
    ------
    InputError
        The file does not exist or is damaged.
    """
    try:
        with open_text(existing(path)) as text:
            yield _rows(csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE))
    except UNREADABLE as error:
        raise damaged(path, error) from error


def _rows(lines: Iterator[list[str]]) -> Iterator[Row]:
    for number, cells in enumerate(lines, start=1):
        if cells:
            yield Row(number, [_unquoted(cell) for cell in cells])


def _unquoted(cell: str) -> str:
    return cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def damaged(path: Path, error: Exception) -> InputError:
    """Return the error for a file that cannot be read to its end."""
    truncated = isinstance(error, EOFError) or "truncated" in str(error).lower()
    return InputError(
        "a compressed file is truncated" if truncated else "a file cannot be read",
        where=str(path),
        found=str(error),
        expected="a complete text file in UTF-8, or one in .gz",
        todo="download the file again",
    )


def _check_pointer(header: Header) -> None:
    if header.names[0].startswith("version https://git-lfs"):
        raise InputError(
            "the file is only a pointer of Git LFS",
            where=str(header.path),
            found=header.names[0],
            expected="the table itself",
            todo="run `git lfs pull` in the datahub, or download the study as an archive",
        )


def first_lines(path: Path, count: int = 3) -> list[list[str]]:
    """Return the cells of the first lines of a file."""
    with rows_of(path) as rows:
        return [row.cells for row in islice(rows, count)]
