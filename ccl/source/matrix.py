"""Large tables of downloads, read in blocks: a matrix of genes by samples, and single columns of long tables."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ccl.io.errors import InputError
from ccl.io.files import UNREADABLE, existing, open_text
from ccl.source.text import EMPTY, Header, damaged, read_header, rows_of, too_long

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_BYTES = 8 << 20
"""Text that is read at a time."""

DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Matrix:
    """Values of genes in samples, or in patients."""

    genes: tuple[str, ...]
    samples: tuple[str, ...]
    values: NDArray[np.float32]
    """(genes, samples); NaN where missing."""
    origin: str
    """The file, for messages."""
    first_line: int = 0
    """Line of the first gene in the file; 0 if genes are not in the order of a file."""

    def place(self, row: int) -> str:
        """Return the place of a gene, for messages."""
        return f"{self.origin}, line {self.first_line + row}" if self.first_line else self.origin

    def rows(self, keep: Sequence[int] | NDArray[np.intp], genes: Sequence[str] | None = None) -> Matrix:
        """Return some rows, under new names if `genes` are given."""
        names = tuple(genes) if genes is not None else tuple(self.genes[row] for row in keep)
        order = np.asarray(keep, dtype=np.intp)
        same = np.array_equal(order, np.arange(len(self.genes)))
        return Matrix(names, self.samples, self.values if same else self.values[order], self.origin)


def read_matrix(path: Path, *, genes: Sequence[str], ignore: Collection[str] = (), comment: str = "#") -> Matrix:
    """Read a tab-separated matrix with a row for each gene and a column for each sample.

    Parameters
    ----------
    path : Path
        The file; it may be in ``.gz``.
    genes : sequence of str
        Names that the column of genes may have; empty takes the first column.
    ignore : collection of str
        Other columns that are no samples.

    Raises
    ------
    InputError
        The file is damaged; the header has no column of genes, or is shorter than a row; a sample appears twice; a row
        has more or fewer cells than the header; a value is not a number.
    """
    import pyarrow as pa  # imported here, because planning reads no matrix

    header = read_header(path, comment=comment)
    column = header.column(*genes) if genes else _first_column(header)
    samples = [name for name in header.names if name != column and name not in ignore and name not in genes]
    types = {column: pa.string(), **dict.fromkeys(samples, pa.float32())}
    names: list[str] = []
    blocks: list[NDArray[np.float32]] = []

    def keep(batch: pa.RecordBatch) -> None:
        names.extend(text or "" for text in batch.column(0).to_pylist())
        block = np.empty((batch.num_rows, len(samples)), dtype=np.float32)
        for place in range(len(samples)):
            block[:, place] = batch.column(place + 1).to_numpy(zero_copy_only=False)
        blocks.append(block)

    _read_blocks(header, types, keep, numbers=samples)
    if not blocks or not samples:
        raise InputError(
            "the matrix is empty",
            where=str(path),
            found=f"{len(names)} genes and {len(samples)} samples",
            expected="a row for each gene and a column for each sample",
            todo="download the file again",
        )
    values = np.concatenate(blocks)
    if np.isinf(values).any():
        raise _explained(header, samples, ValueError("an infinite value"))
    return Matrix(tuple(names), tuple(samples), values, str(path), header.line + 1)


class Column(NamedTuple):
    """A column of a long table, each different text once."""

    codes: NDArray[np.intp]
    """(rows,) place of each row's text in `texts`; -1 where empty."""
    texts: tuple[str, ...]

    def mask(self, of: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Return for each row whether a property holds for its text; False where empty."""
        return np.array([*map(of, self.texts), False])[self.codes]


def read_columns(header: Header, columns: Sequence[str], *, numbers: Collection[str] = ()) -> dict[str, Any]:
    """Read some columns of a tab-separated table.

    Returns
    -------
    dict
        A :class:`Column` for each name, or an array of float32 (rows,) for one of `numbers`.

    Raises
    ------
    InputError
        A column is missing, the file is damaged, a row has more or fewer cells than the header, or one of `numbers` is
        not a number.
    """
    import pyarrow as pa

    for name in columns:
        header.column(name)
    types = {name: pa.float32() if name in numbers else pa.dictionary(pa.int32(), pa.string()) for name in columns}
    batches: list[pa.RecordBatch] = []
    _read_blocks(header, types, batches.append, numbers=list(numbers))
    found: dict[str, Any] = {}
    for place, name in enumerate(columns):
        whole = pa.chunked_array([batch.column(place) for batch in batches], type=types[name])
        if name in numbers:
            found[name] = whole.to_numpy().astype(np.float32)
            continue
        one = whole.unify_dictionaries().combine_chunks() if batches else None
        one = one.chunk(0) if isinstance(one, pa.ChunkedArray) and one.num_chunks else one
        if one is None or not len(one):
            found[name] = Column(np.empty(0, dtype=np.intp), ())
        else:
            codes = one.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.intp)
            found[name] = Column(codes, tuple(one.dictionary.to_pylist()))
    return found


def _read_blocks(
    header: Header, types: Mapping[str, Any], keep: Callable[[Any], None], *, numbers: Sequence[str]
) -> None:
    """Give the columns of `types` to `keep`, block by block."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    try:
        reader = arrow.open_csv(
            existing(header.path),
            read_options=arrow.ReadOptions(
                column_names=list(header.names), skip_rows=header.line, block_size=BLOCK_BYTES
            ),
            parse_options=arrow.ParseOptions(delimiter="\t", quote_char=_quote(header)),
            convert_options=arrow.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=sorted(EMPTY),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
        for batch in reader:
            keep(batch)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return
        raise _explained(header, numbers, error) from error
    except UNREADABLE as error:
        raise damaged(header.path, error) from error


def _quote(header: Header) -> str | bool:
    """Return the quote of a table that R wrote, or False: other tables have lone quotes in their texts."""
    with open_text(header.path) as text:
        line = next(line for number, line in enumerate(text, start=1) if number == header.line)
    return '"' if line.startswith('"') else False


def _first_column(header: Header) -> str:
    """Return the name of the first column, which must be that of genes."""
    name = header.names[0]
    if re.match(r"TCGA-\w\w-\w{4}", name):
        raise InputError(
            "the header has no column of genes",
            where=header.where,
            found=f"{name} as the name of the first column",
            expected="a name such as sample or gene, then the samples",
            todo="add the name of the first column to the header",
        )
    return name


def _explained(header: Header, numbers: Sequence[str], error: Exception) -> InputError:
    """Return the error for the first cell or row of a file that cannot be read, found by reading it again slowly."""
    places = [header.names.index(name) for name in numbers]
    with rows_of(header.path) as rows:
        for row in rows:
            if row.number <= header.line:
                continue
            if len(row.cells) != len(header.names):
                return too_long(header, row)
            for place in places:
                if not _is_number(row.cells[place]):
                    return _no_number(header, row.number, place, row.cells[place])
    return damaged(header.path, error)


def _is_number(cell: str) -> bool:
    if cell.strip() in EMPTY:
        return True
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _no_number(header: Header, line: int, place: int, cell: str) -> InputError:
    comma = bool(DECIMAL_COMMA.fullmatch(cell.strip()))
    return InputError(
        "a number has a decimal comma" if comma else "a value is not a finite number",
        where=f"{header.path}, line {line}, column {place + 1} ({header.names[place]})",
        found=cell[:60],
        expected="a number with a decimal point" if comma else "a number, or nothing if missing",
        todo="write the numbers with decimal points" if comma else "correct the value, or download the file again",
    )
