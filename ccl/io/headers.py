"""Checks of the header of a table that a person or another program wrote."""

from __future__ import annotations

from collections.abc import Sequence

from ccl.io.errors import InputError

MARKS = {"\t": "tabs", ";": "semicolons", ",": "commas", " ": "spaces"}
"""Delimiters that tables are written with."""


def check_delimiter(where: str, header: Sequence[str], delimiter: str) -> None:
    """Raise InputError if the only column has a name with another delimiter in it.

    Parameters
    ----------
    where : str
        Place of the header, for the message.
    header : sequence of str
        Names of the columns.
    delimiter : str
        The delimiter that the table was read with.
    """
    other = [word for mark, word in MARKS.items() if mark != delimiter and len(header) == 1 and mark in header[0]]
    if other:
        raise InputError(
            "the columns have another delimiter",
            where=where,
            found=f"one column, whose name has {other[0]}: {header[0][:60]}",
            expected=f"columns separated by {MARKS[delimiter]}",
            todo="save the table with this delimiter (and numbers with decimal points). Your own tables have tabs if"
            " their names end in .tsv or .txt, else commas; public downloads have tabs",
        )


def check_width(where: str, header: Sequence[str], first: Sequence[str]) -> None:
    """Raise InputError if the first row has more cells than the header, as R writes tables with row names."""
    if len(first) > len(header):
        raise InputError(
            "the header is shorter than the rows",
            where=where,
            found=f"{len(header)} names, but {len(first)} cells in the first row",
            expected="a name for each column, also for the first",
            todo="add the missing name (R leaves the first out unless write.table is called with col.names=NA), or "
            "save numbers with decimal points, as a decimal comma divides a cell",
        )


def check_repeated(where: str, header: Sequence[str], *, unnamed: bool) -> None:
    """Raise InputError if a name appears twice; `unnamed` allows several columns without a name."""
    at: dict[str, int] = {}
    for number, name in enumerate(header, start=1):
        if name in at and (name or not unnamed):
            raise InputError(
                "a column appears twice",
                where=f"{where}, column {number}",
                found=f"{name or 'an empty name'}, also in column {at[name]}",
                expected="each column and each sample once",
                todo="remove or rename one of the two columns",
            )
        at[name] = number
