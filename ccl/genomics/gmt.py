"""Gene families in GMT, the Broad Institute's table of gene sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ccl.io.errors import ConfigError, InputError
from ccl.io.files import existing


def read_gmt(path: Path, families: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """Read gene families: a line each, ``NAME<tab>description<tab>GENE<tab>GENE...``.

    Parameters
    ----------
    families : sequence of str
        Names to keep, in this order; empty keeps all in the file's order.

    Returns
    -------
    dict
        Family name to its distinct genes, in the file's order.

    Raises
    ------
    InputError
        A line is not GMT, names no gene, or repeats a family.
    ConfigError
        A wanted family is not in the file.
    """
    found: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(existing(path).read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        name, *rest = (field.strip() for field in line.split("\t"))
        genes = tuple(dict.fromkeys(gene for gene in rest[1:] if gene))
        if not name or "/" in name or not genes or name in found:
            raise InputError(
                "a family is named twice" if name in found else "not a line of a GMT file",
                where=f"{path}, line {number}",
                found=line[:60],
                expected="NAME, description and at least one gene, separated by tabs, each name once",
                todo="correct the line",
            )
        found[name] = genes
    unknown = [name for name in families if name not in found]
    if unknown:
        raise ConfigError(
            "unknown gene family",
            where="config, genomics: families",
            found=", ".join(unknown),
            expected=f"families of {path}: {', '.join(found)}",
            todo="correct the name, or add the family to the GMT file",
        )
    return {name: found[name] for name in families} if families else found
