"""Reading the text files of public downloads: tab-separated, with comment lines, strictly."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ccl.config.sections import MISSING as WORDS
from ccl.io.errors import InputError
from ccl.io.files import MISSING, UNREADABLE, Row, existing, open_text

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
    _check_delimiter(found)
    _check_width(found, first)
    _check_repeated(found)
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


def _check_delimiter(header: Header) -> None:
    for character, name in ((",", "commas"), (";", "semicolons"), (" ", "spaces")):
        if len(header.names) == 1 and len(header.names[0].split(character)) > 2:
            raise InputError(
                "the table is not separated by tabs",
                where=header.where,
                found=f"one column, whose name has {name}: {header.names[0][:60]}",
                expected="columns separated by tabs, as the public downloads have them",
                todo="save the table with tabs, or name your own tables as `patients` and `omics` instead of `from`",
            )


def _check_width(header: Header, first: Row | None) -> None:
    if first is not None and len(first.cells) == len(header.names) + 1:
        raise InputError(
            "the header is shifted by one column",
            where=header.where,
            found=f"{len(header.names)} names, but {len(first.cells)} cells in line {first.number}",
            expected="a name for each column, also for the first",
            todo="add the name of the first column; R leaves it out unless write.table is called with col.names=NA",
        )


def _check_repeated(header: Header) -> None:
    at: dict[str, int] = {}
    for number, name in enumerate(header.names, start=1):
        if name in at:
            raise InputError(
                "a column appears twice",
                where=f"{header.where}, column {number}",
                found=f"{name or 'an empty name'}, also {at[name]}",
                expected="each sample and each column once",
                todo="remove one of the two columns",
            )
        at[name] = number


def first_lines(path: Path, count: int = 3) -> list[list[str]]:
    """Return the cells of the first lines of a file."""
    with rows_of(path) as rows:
        return [row.cells for row in islice(rows, count)]
