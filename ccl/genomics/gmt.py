"""Gene families from files: GMT, the Broad Institute's format for gene sets, and MCAT's table of signatures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from ccl.io.errors import ConfigError, InputError
from ccl.io.files import existing

UTF16 = (b"\xff\xfe", b"\xfe\xff")
"""The first bytes of a file in UTF-16, as Excel saves Unicode text."""

SHOWN = 8
"""Names that a message shows of a longer list."""

Families = dict[str, tuple[str, ...]]
"""The distinct genes of each family, by its name."""


class _Line(NamedTuple):
    """A family as a file has it."""

    name: str
    genes: list[str]
    place: str
    """Line or column, for messages."""


def read_families(paths: Sequence[Path]) -> Families:
    """Read the gene families of one or several files, in the order of the files.

    Raises
    ------
    InputError
        As :func:`read_gmt`, or two files have a family of the same name with different genes.
    """
    found: Families = {}
    source: dict[str, Path] = {}
    for path in paths:
        for name, genes in read_gmt(path).items():
            if name in found and set(found[name]) != set(genes):
                raise InputError(
                    "two files have a gene family of the same name, with different genes",
                    where=f"{source[name]} and {path}, family {name}",
                    found=f"{len(found[name])} and {len(genes)} genes, {len(set(found[name]) & set(genes))} in both",
                    expected="each family once, or with the same genes",
                    todo="rename the family in one of the files, or remove it",
                )
            found.setdefault(name, genes)
            source.setdefault(name, path)
    return found


def read_gmt(path: Path) -> Families:
    """Read the gene families of one file in UTF-8.

    A file whose name ends in ``.csv`` is a table like MCAT's ``signatures.csv``: a column per family, with its name as
    the header and a gene per cell.  Any other file is a GMT file: a line per family,
    ``NAME<tab>description<tab>GENE<tab>GENE...``.

    Returns
    -------
    dict
        Family name to its distinct genes, in the file's order.

    Raises
    ------
    InputError
        The file is not in UTF-8, a line or column is not a family, a name is used twice or cannot be used, or there is
        no family.
    """
    text = _read_utf8(path)
    found: Families = {}
    for line in (_columns if path.suffix == ".csv" else _lines)(path, text):
        genes = tuple(dict.fromkeys(gene for gene in line.genes if gene))
        _check(path, line, genes, found)
        found[line.name] = genes
    if not found:
        raise InputError("no gene family", where=str(path), found="an empty file", expected="one family or more")
    return found


def choose(families: Families, names: Sequence[str]) -> Families:
    """Return the families of these names, in this order; all of them if no name is given.

    Raises
    ------
    ConfigError
        There is no family of some name.
    """
    unknown = [name for name in names if name not in families]
    if unknown:
        close = [match for name in unknown for match in get_close_matches(name, families, n=2)]
        known = close or list(families)
        raise ConfigError(
            "unknown gene family",
            where="config, genomics: families",
            found=", ".join(unknown[:SHOWN]),
            expected=f"families of the cohort's `gmt`, such as {', '.join(known[:SHOWN])}",
            todo="correct the name, or add the family to the file",
        )
    return {name: families[name] for name in names} if names else families


def _read_utf8(path: Path) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark."""
    content = existing(path).read_bytes()
    if content.startswith(UTF16) or b"\0" in content:
        line, found = 1 + content[: content.find(b"\0")].count(b"\n"), "UTF-16, or a file that is no text"
    else:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = 1 + content[: error.start].count(b"\n")
            start = content.rfind(b"\n", 0, error.start) + 1
            shown = content[start : error.start + 20].splitlines()[0].decode("latin-1")[-40:]
            found = f"text that is not UTF-8, perhaps latin-1: {shown}"
    raise InputError(
        "the encoding of a file of gene families is not UTF-8",
        where=f"{path}, line {line}",
        found=found,
        expected="UTF-8",
        todo="save the file as UTF-8, or convert it: iconv -f LATIN1 (or UTF-16) -t UTF-8 FILE > NEW",
    )


def _lines(path: Path, text: str) -> Iterator[_Line]:
    """Yield the families of a GMT file."""
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if not line.strip():
            continue
        name, *rest = (field.strip() for field in line.split("\t"))
        yield _Line(name, rest[1:], f"line {number}")


def _columns(path: Path, text: str) -> Iterator[_Line]:
    """Yield the families of a table of signatures."""
    try:
        header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    except csv.Error as error:
        raise InputError("not a table of signatures", where=str(path), found=str(error), expected="CSV") from error
    for number, cells in enumerate(rows, start=2):
        if any(cell.strip() for cell in cells[len(header) :]):
            raise InputError(
                "a row has more cells than the header",
                where=f"{path}, line {number}",
                found=f"{len(cells)} cells",
                expected=f"at most {len(header)}, one for each family",
                todo="correct the row",
            )
        for cell in cells:
            if cell.strip().replace(".", "", 1).replace("-", "", 1).isdecimal():
                raise InputError(
                    "a number in the place of a gene",
                    where=f"{path}, line {number}",
                    found=cell,
                    expected="gene symbols, with the names of the families in the header",
                    todo="name a table of signatures or a GMT file, and correct the cell",
                )
    for column, name in enumerate(header):
        genes = [row[column].strip() for row in rows if column < len(row)]
        yield _Line(name.strip(), genes, f"column {column + 1}")


def _check(path: Path, line: _Line, genes: Sequence[str], before: Families) -> None:
    """Refuse a family whose name or genes cannot be used; `before` are the families before it."""
    if line.name in before:
        problem, found = "a gene family is named twice", line.name
    elif line.name in (".", "..") or "/" in line.name:
        problem, found = "the name of a gene family cannot be used, as it becomes part of a path", line.name
    elif not line.name or not genes:
        problem, found = "not a line of a GMT file", ", ".join((line.name, *line.genes))[:60]
        if path.suffix == ".csv":
            problem = "not a column of a table of signatures"
    else:
        return
    raise InputError(
        problem,
        where=f"{path}, {line.place}",
        found=found,
        expected="a name without a slash, each name once, and at least one gene"
        + ("" if path.suffix == ".csv" else ": NAME, description, GENE, GENE, ... separated by tabs"),
        todo="correct the file, or name another as `gmt`",
    )
