"""What the names of genes look like, for messages on names that do not match."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

LOOKS = {
    r"\s.*|.*\s": "start or end with a space; write the header without spaces after the commas",
    r"ENS[A-Z]*[GT]\d{6,}(\.\d+)?": "look like Ensembl ids; translate them into gene symbols",
    r".+\|\d+": "look like SYMBOL|ENTREZ; keep only the symbol",
    r"\d+(\.0)?": "are numbers, perhaps Entrez ids or row numbers; translate them into gene symbols",
}
"""Patterns of names that are no gene symbols, each with what to say of them."""

MONTHS = {
    **dict.fromkeys(("mar", "mrz", "march", "03"), ("MARCH", "MARCHF")),
    **dict.fromkeys(("sep", "sept", "09"), ("SEPT", "SEPTIN")),
    **dict.fromkeys(("dec", "dez", "12"), ("DEC", "DELEC")),
}
"""The months that gene symbols resemble: the symbols until 2020, and those with which HGNC replaced them."""

_MONTH = "|".join(name for name in MONTHS if name.isalpha())
DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<day>\d{{1,2}})[-. ]+(?P<month>{_MONTH})\.?",  # 1-Mar
        rf"(?P<month>{_MONTH})[-. ]*(?P<day>\d{{1,2}})",  # Mar-01, and the symbol MARCH1 itself
        r"\d{4}-(?P<month>03|09|12)-(?P<day>\d{2})",  # 2024-03-01
    )
)

MARC = (1, 2)
"""Numbers of the genes MARC1 and MARC2, now MTARC1 and MTARC2, which become the same dates as MARCH1 and MARCH2."""


def similar(names: Sequence[str]) -> str:
    """Say what most of the names look like, or nothing: ``they look like Ensembl ids; ...``."""
    for pattern, words in LOOKS.items():
        if names and 2 * sum(re.fullmatch(pattern, name) is not None for name in names) > len(names):
            return f"they {words}"
    return ""


def dates(names: Iterable[str]) -> list[str]:
    """Return the names that are dates of Excel, or symbols that Excel turns into dates, each with the gene it may be.

    >>> dates(["TP53", "1-Mar"])
    ['1-Mar (perhaps MARCHF1, earlier MARCH1, or MTARC1, earlier MARC1)']
    """
    found = []
    for name in names:
        match = next(filter(None, (pattern.fullmatch(name.strip()) for pattern in DATES)), None)
        if match is None:
            continue
        (old, new), number = MONTHS[match["month"].lower()], int(match["day"])
        genes = [f"{new}{number}, earlier {old}{number}"]
        if old == "MARCH" and number in MARC and name.upper() != f"MARCH{number}":
            genes.append(f"MTARC{number}, earlier MARC{number}")
        found.append(f"{name} (perhaps {', or '.join(genes)})")
    return found


def some(names: Sequence[str], count: int = 3) -> str:
    """Return the first names, quoted if they start or end with a space, and the number of the others.

    >>> some(["TP53", " KRAS", "MYC"], 2)
    "TP53, ' KRAS' and 1 more"
    """
    shown = ", ".join(repr(name) if name != name.strip() else name for name in names[:count]) or "none"
    return shown + (f" and {len(names) - count} more" if len(names) > count else "")
