"""Reading tables, writing files atomically, and hashing."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import math
import os
import re
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TextIO, cast

from ccl.io.bounds import FREE_TABLE_BYTES, check_size
from ccl.io.checksums import MEND, check, checksum_file, sha256
from ccl.io.errors import DamageError, InputError, machine_error
from ccl.io.headers import check_delimiter, check_repeated, check_width

if TYPE_CHECKING:
    import pandas as pd

BLOCK_BYTES = 1 << 16
"""Size of one sampled block of :func:`fingerprint`."""

BUFFER_BYTES = 1 << 20
"""Bytes that are read and checked at a time."""

UNREADABLE = (OSError, EOFError, UnicodeDecodeError, csv.Error, zipfile.BadZipFile, zlib.error)
"""Exceptions of reading a text file that is damaged, such as a truncated ``.gz``."""

NOT_A_NUMBER = ("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
MISSING = frozenset(("", "NA", "N/A", "n/a", "#NA", "#N/A", "#N/A N/A", "<NA>", "null", "NULL", "None", *NOT_A_NUMBER))
"""Cells that count as empty, as in pandas, which :func:`read_table` uses."""

UNFINISHED = ".ccl-"
"""Start of the name of a file that is being written; a process that is killed leaves it."""

FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""The beginning of a cell that a spreadsheet takes for a formula, also behind apostrophes."""

NUMBERS = re.compile(r"[+-]([\d.,eE%()+\- ]|to|inf|nan)*")
"""A cell that begins like a formula and holds only numbers, such as ``-1.5 (-3 to 2)``."""

BLOCKS = 64
"""Number of blocks of a large file that :func:`fingerprint` samples."""


@contextmanager
def atomic_path(path: Path, *, checksum: bool = False, size: int | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` only if the block succeeds.

    A reader therefore never sees half a file, and a failed block leaves what was there before.

    Parameters
    ----------
    checksum : bool
        Record the file's checksum (:mod:`ccl.io.checksums`), as every stage does for the files that it hands on.
    size : int, optional
        Bytes that the block will write, if they are known, for the message about a full disk.

    Raises
    ------
    MachineError
        The disk is full, or the system refuses to write there.
    """
    try:
        with _renamed(path, checksum=checksum) as temporary:
            yield temporary
    except OSError as error:
        # Writing fails without a name, or with that of the temporary file.
        own = error.filename is None or Path(error.filename).parent in (path.parent, checksum_file(path).parent)
        if (failure := machine_error(error, where=str(path), need=size)) and own:
            raise failure from error
        raise


@contextmanager
def _renamed(path: Path, *, checksum: bool) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{UNFINISHED}{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        line = f"{sha256(temporary)}  {path.name}\n" if checksum else ""
        # A process that is killed between these steps leaves a file without a checksum, never one with a wrong one.
        checksum_file(path).unlink(missing_ok=True)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if line:
        write_text(checksum_file(path), line)


def _umask() -> int:
    """Return the process's umask, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, content: bytes | memoryview, *, checksum: bool = False) -> None:
    """Write a file as :func:`atomic_path` does."""
    with atomic_path(path, checksum=checksum, size=len(content)) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any, *, checksum: bool = False) -> None:
    """Write `value` as indented JSON, atomically as :func:`atomic_path`; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    write_bytes(path, text.encode(), checksum=checksum)


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
        The file is missing, is not JSON, lacks a required entry, or differs from its checksum.
    """
    try:
        content = json.loads(intact(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamageError(
            "not a JSON file, or a damaged one",
            where=str(path),
            found=str(error),
            expected="JSON in UTF-8, as docs/formats.md describes it",
            todo=MEND,
        ) from error
    lacking = [name for name in required if not isinstance(content, dict) or name not in content]
    if lacking:
        raise InputError(
            "incomplete, or from an older version",
            where=str(path),
            found=f"no {', '.join(lacking)}",
            expected="the entries that docs/formats.md lists",
            todo=todo,
        )
    return content


def write_table(path: Path, table: pd.DataFrame, *, checksum: bool = False) -> None:
    """Write `table` without its index, atomically as :func:`atomic_path`; tab separated for ``.tsv``, else CSV.

    People open these files in spreadsheets, and names of genes, levels of covariates and reasons come from the user's
    tables.  A text such as ``=HYPERLINK(...)`` therefore gets an apostrophe, which :func:`read_table` and
    :func:`read_rows` take away again.
    """
    separator = "\t" if path.suffix == ".tsv" else ","
    with atomic_path(path, checksum=checksum) as temporary:
        _converted(table, _as_text).to_csv(temporary, index=False, sep=separator, float_format="%.9g")


def _converted(table: pd.DataFrame, convert: Callable[[Any], Any]) -> pd.DataFrame:
    """Return a table with another text in its cells and its header."""
    import pandas as pd

    columns = [
        table.iloc[:, place] if kind.kind in "biufc" else table.iloc[:, place].map(convert)
        for place, kind in enumerate(table.dtypes)
    ]
    found = pd.concat(columns, axis=1) if columns else table.copy()
    found.columns = table.columns.map(convert)
    return found


def _as_text(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    formula = isinstance(cell, str) and FORMULA.match(cell) and not NUMBERS.fullmatch(cell)
    return f"'{cell}" if formula else cell


def _meant(cell: Any) -> Any:
    """Return the cell of which :func:`_as_text` made this one."""
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") and FORMULA.match(cell) else cell


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
        The file is missing, empty, damaged, not a table, has a header that is shorter than its rows or a column twice,
        or lacks a required column.
    """
    import pandas as pd  # imported here, because planning reads no table and pandas takes long to import

    ours = check(existing(path))
    separator = _separator(path)
    try:
        # The header is read separately: pandas renames a repeated column, and takes the first column of a table whose
        # header is too short for the index, both without a word.
        with open_text(path) as lines:
            rows = filter(None, csv.reader(lines, delimiter=separator))
            header, first = next(rows, []), next(rows, [])
        check_width(f"{path}, header", header, first)
        with warnings.catch_warnings(), open_text(path) as lines:
            # A later row with more cells than the header would otherwise lose its last cells.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            kinds = dict.fromkeys(text, str)
            table = pd.read_csv(lines, sep=separator, dtype=kinds, low_memory=False, index_col=False)
    except pd.errors.ParserWarning as error:
        raise _no_table(path, "rows with more cells than the header") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, *UNREADABLE) as error:
        raise _no_table(path, str(error)) from error
    check_header(path, header, required)
    for name in text:
        if name in table.columns:
            table[name] = table[name].str.strip()
    return _converted(table, _meant) if ours else table


def number_or_none(value: float) -> float | None:
    """Return a float for JSON: None instead of NaN."""
    return None if math.isnan(value) else float(value)


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
    ours = check(existing(path))
    try:
        with open_text(path) as text:
            reader = csv.reader(text, delimiter=_separator(path), strict=True)
            lines = [(reader.line_num, [*map(_meant, cells)] if ours else cells) for cells in reader if cells]
        if not lines:
            raise ValueError("nothing")
        (_, header), *rows = (Row(*line) for line in lines)
    except (ValueError, *UNREADABLE) as error:
        raise _no_table(path, str(error)) from error
    check_header(path, header, required)
    for number, cells in rows:
        if len(cells) > len(header):
            raise _no_table(path, f"{len(cells)} cells in row {number}, but {len(header)} columns")
    return header, [Row(number, cells + [""] * (len(header) - len(cells))) for number, cells in rows]


class Row(NamedTuple):
    """A row of a table."""

    number: int
    """Line of the file, from 1."""
    cells: list[str]

    def named(self, header: Sequence[str]) -> dict[str, str]:
        """Return the non-empty cells, stripped, by column name."""
        texts = {name: cell.strip() for name, cell in zip(header, self.cells, strict=False)}
        return {name: text for name, text in texts.items() if text not in MISSING}


def open_text(path: Path) -> TextIO:
    """Open a text file in UTF-8, also one in ``.gz`` or ``.zip``; :data:`UNREADABLE` is what reading it may raise.

    A NUL byte is an error, and so is a file that becomes far larger than it is.
    """
    content = io.BufferedReader(_Checked(path), BUFFER_BYTES)
    return io.TextIOWrapper(content, encoding="utf-8-sig", newline="")


def _open_bytes(path: Path) -> BinaryIO:
    """Open a file, or the one in a ``.gz`` or ``.zip``."""
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path))
    if path.suffix == ".zip":
        archive = zipfile.ZipFile(path)
        names = archive.namelist()
        if len(names) != 1:
            raise zipfile.BadZipFile(f"{len(names)} files in the archive, and not one")
        try:
            return cast(BinaryIO, archive.open(names[0]))
        except RuntimeError as error:  # a password
            raise zipfile.BadZipFile(str(error)) from error
    return path.open("rb")


class _Checked(io.RawIOBase):
    """The bytes of a table; a NUL byte, at which readers end a cell without a word, and a bomb raise an error."""

    def __init__(self, path: Path) -> None:
        self._path, self._content = path, _open_bytes(path)
        self._size, self._stored = 0, path.stat().st_size

    def readable(self) -> bool:
        """Return that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and return the number of bytes."""
        block = self._content.read(len(buffer))
        self._size += len(block)
        check_size(self._path, self._size, self._stored, free=FREE_TABLE_BYTES)
        if b"\0" in block:
            raise csv.Error("a NUL byte: the file is damaged, or not UTF-8 but UTF-16")
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Close the file too."""
        self._content.close()
        super().close()


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


def check_header(path: Path, header: Sequence[str], required: tuple[str, ...]) -> None:
    """Raise InputError if a column of the header appears twice, or a required column is missing."""
    check_repeated(f"{path}, header", header, unnamed=True)
    missing = [name for name in required if name not in header]
    if missing:
        check_delimiter(f"{path}, header", header, _separator(path))
        raise InputError(
            "a column is missing",
            where=f"{path}, header",
            found=", ".join(header[:12]) + (", ..." if len(header) > 12 else ""),
            expected=", ".join(missing),
            todo="rename the column in the table, or name yours in the config",
        )


def intact(path: Path) -> Path:
    """Return the path of a file that exists and agrees with its checksum, if it has one.

    Raises
    ------
    InputError
        There is no such file.
    DamageError
        The content is not what ccl wrote.
    """
    check(existing(path))
    return path


def existing(path: Path) -> Path:
    """Return `path`, or raise :class:`InputError` if there is no such file or folder, or a device or pipe instead."""
    if not (path.is_file() or path.is_dir()):
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
