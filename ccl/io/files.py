"""Reading tables, writing files atomically, and hashing."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from ccl.io.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

BLOCK_BYTES = 1 << 16
"""Size of one sampled block of :func:`fingerprint`."""

NOT_A_NUMBER = ("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
MISSING = frozenset(("", "NA", "N/A", "n/a", "#NA", "#N/A", "#N/A N/A", "<NA>", "null", "NULL", "None", *NOT_A_NUMBER))
"""Cells that count as empty, as in pandas, which :func:`read_table` uses."""

SEPARATORS = {";": "semicolons", "\t": "tabs", ",": "commas"}
"""Marks between columns, and their names."""

BLOCKS = 64
"""Number of blocks of a large file that :func:`fingerprint` samples."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` only if the block succeeds.

    A reader therefore never sees half a file, and a failed block leaves what was there before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """Return the process's umask, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path, *, required: tuple[str, ...] = (), todo: str = "") -> Any:
    """Read a JSON file that a stage wrote.

    Parameters
    ----------
    path : Path
        The file.
    required : tuple of str
        Entries that must be there.
    todo : str
        How to make the file again, for the error message.

    Raises
    ------
    InputError
        The file is missing, is not JSON, or lacks a required entry.
    """
    try:
        content = json.loads(existing(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(
            "not a JSON file",
            where=str(path),
            found=str(error),
            todo="delete it and run snakemake again",
        ) from error
    lacking = [name for name in required if name not in content]
    if lacking:
        raise InputError(
            "incomplete, or from an older version",
            where=str(path),
            found=f"no {', '.join(lacking)}",
            expected="the entries that docs/formats.md lists",
            todo=todo,
        )
    return content


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write `table` without its index, atomically; tab separated for ``.tsv``, else CSV."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, sep="\t" if path.suffix == ".tsv" else ",", float_format="%.9g")


def read_table(path: Path, *, required: tuple[str, ...] = (), text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a CSV or TSV table (``.zip`` or ``.gz`` too) that a person could have written.

    Parameters
    ----------
    path : Path
        The table; tab separated if its name ends in ``.tsv`` or ``.txt`` (before ``.gz``/``.zip``).
    required : tuple of str
        Columns that must be there.
    text : tuple of str
        Columns kept as stripped text, so that an identifier such as ``007`` stays what it is.

    Raises
    ------
    InputError
        The file is missing, empty, not a table, has a column twice, or lacks a required column.
    """
    import pandas as pd  # imported here, because planning reads no table and pandas takes long to import

    existing(path)
    separator = _separator(path)
    try:
        # The header is read separately, because pandas silently renames a repeated column.
        header = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str).iloc[0].tolist()
        with warnings.catch_warnings():
            # A row with more cells than the header would otherwise lose its last cells or shift the columns.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            kinds = dict.fromkeys(text, str)
            table = pd.read_csv(path, sep=separator, dtype=kinds, low_memory=False, index_col=False)
    except pd.errors.ParserWarning as error:
        raise _no_table(path, "rows with more cells than the header") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError, OSError) as error:
        raise _no_table(path, str(error)) from error
    _check_header(path, header, required)
    for name in text:
        if name in table.columns:
            table[name] = table[name].str.strip()
    return table


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, with None for empty cells."""
    rows: list[Any] = table.astype(object).where(table.notna(), None).to_dict("records")
    return rows


def read_rows(path: Path, *, required: tuple[str, ...] = ()) -> tuple[list[str], list[Row]]:
    """Read a table like :func:`read_table`, but with all cells as text and without pandas, which takes long to import.

    Returns
    -------
    header : list of str
    rows : list of Row

    Raises
    ------
    InputError
        As :func:`read_table`.
    """
    existing(path)
    try:
        with _open_text(path) as text:
            reader = csv.reader(text, delimiter=_separator(path))
            header = next(reader)
            rows = [Row(reader.line_num, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, StopIteration, csv.Error, zipfile.BadZipFile) as error:
        raise _no_table(path, str(error) or "nothing") from error
    _check_header(path, header, required)
    for number, cells in rows:
        if len(cells) > len(header):
            raise _no_table(path, f"{len(cells)} cells in row {number}, but {len(header)} columns")
    return header, rows


class Row(NamedTuple):
    """A row of a table."""

    number: int
    """Line of the file, from 1."""
    cells: list[str]

    def named(self, header: Sequence[str]) -> dict[str, str]:
        """Return the non-empty cells, stripped, by column name."""
        texts = {name: cell.strip() for name, cell in zip(header, self.cells, strict=False)}
        return {name: text for name, text in texts.items() if text not in MISSING}


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    if path.suffix == ".zip":
        archive = zipfile.ZipFile(path)
        return io.TextIOWrapper(archive.open(archive.namelist()[0]), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _separator(path: Path) -> str:
    return "\t" if {".tsv", ".txt"} & set(path.suffixes) else ","


def _no_table(path: Path, found: str) -> InputError:
    return InputError(
        "cannot be read as a table",
        where=str(path),
        found=found,
        expected="a CSV or TSV file with a header line",
        todo="open it in a spreadsheet and save it as CSV (UTF-8), with points in numbers and not commas",
    )


def _check_header(path: Path, header: Sequence[Any], required: tuple[str, ...]) -> None:
    """Raise InputError if a column of the header appears twice, or a required column is missing."""
    named = [name for name in header if isinstance(name, str)]
    repeated = sorted({name for name in named if named.count(name) > 1 and name})
    if repeated:
        raise InputError(
            "a column appears twice",
            where=f"{path}, header",
            found=", ".join(repeated[:5]),
            expected="each column once",
            todo="remove or rename one of them",
        )
    missing = [name for name in required if name not in named]
    if missing and len(header) == 1 and (others := [mark for mark in SEPARATORS if mark in str(header[0])]):
        raise InputError(
            "the table has another separator",
            where=f"{path}, header",
            found=f"{SEPARATORS[others[0]]} between the columns",
            expected=SEPARATORS[_separator(path)] + (", as the file is named .csv" if path.suffix == ".csv" else ""),
            todo="save the table as CSV with commas, or as .tsv with tabs",
        )
    if missing:
        raise InputError(
            "a column is missing",
            where=f"{path}, header",
            found=", ".join(named[:12]) + (", ..." if len(header) > 12 else ""),
            expected=", ".join(missing),
            todo="rename the column in the table, or name yours in the config",
        )


def existing(path: Path) -> Path:
    """Return `path`, or raise :class:`InputError` if there is no such file or folder."""
    if not path.exists():
        raise InputError(
            "no such file",
            where=str(path),
            expected="a file or folder that exists",
            todo="correct the path (relative paths start from the config's `data` folder)",
        )
    return path


def row_of(index: Any) -> int:
    """Return the line of a CSV file, counted from 1 with the header, of a 0-based table index."""
    return int(index) + 2


def digest(*parts: Any) -> str:
    """Return a sha256 hex digest of JSON-like values, equal for equal values on every machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256(path: Path) -> str:
    """Return the sha256 hex digest of a whole file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def identified(paths: Iterable[Path]) -> list[dict[str, str]]:
    """Return name and digest of each file, which a stage records for its inputs."""
    return [{"file": path.name, "sha256": sha256(path)} for path in paths]


def fingerprint(path: Path) -> str:
    """Return a digest of a file that is cheap for slides of gigabytes.

    Hashes the size and up to 64 evenly spaced blocks of 64 KiB, first and last included; a file of
    4 MiB or less is hashed whole.  A folder is the digest of its files.  Times do not count, so a copied
    or touched slide keeps its fingerprint.
    """
    existing(path)
    if path.is_dir():
        members = sorted(p for p in path.rglob("*") if p.is_file())
        return digest([(str(p.relative_to(path)), fingerprint(p)) for p in members])
    size = path.stat().st_size
    state = hashlib.sha256(str(size).encode())
    with path.open("rb") as handle:
        if size <= BLOCKS * BLOCK_BYTES:
            state.update(handle.read())
        else:
            for block in range(BLOCKS):
                handle.seek(block * (size - BLOCK_BYTES) // (BLOCKS - 1))
                state.update(handle.read(BLOCK_BYTES))
    return state.hexdigest()
