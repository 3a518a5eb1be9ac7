"""What every layout is read into: patients, their outcomes, samples, and omics of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ccl.io.errors import InputError
from ccl.source.matrix import Matrix
from ccl.source.samples import Sample

ENDPOINTS = ("OS", "DSS", "PFI", "DFI")
"""Overall and disease-specific survival, progression-free and disease-free interval (Liu et al., Cell 2018)."""

DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True)
class Outcome:
    """The outcome of a patient for one endpoint."""

    event: int
    """1 = event, 0 = censored."""
    months: float


@dataclass(frozen=True)
class Study:
    """A download, read."""

    patients: Mapping[str, Mapping[str, str]]
    """The clinical columns of each patient, without empty values."""
    outcomes: Mapping[str, Mapping[str, Outcome]]
    """The outcomes of patients, for each endpoint that the download has."""
    samples: Mapping[str, Sample] = field(default_factory=dict)
    """The samples that the tables of the download describe; others are known by their barcodes."""
    omics: Mapping[str, Matrix] = field(default_factory=dict)
    """The table of each kind, a column for each sample."""


EVENT = (
    "deceased",
    "dead",
    "dead with tumor",
    "recurred/progressed",
    "recurred",
    "progressed",
    "progression",
    "yes",
    "1",
)
NO_EVENT = ("living", "alive", "alive or dead tumor free", "diseasefree", "disease free", "censored", "no", "0")
"""Words of a status, in lower case."""


def event_of(words: str, *, where: str) -> int:
    """Return 1 for a status that means an event, else 0; ``1:DECEASED`` is read by its number.

    Raises
    ------
    InputError
        The words are neither.
    """
    text = words.strip().lower()
    if text[:2] in ("0:", "1:"):
        return int(text[0])
    text = text.removesuffix(".0")
    if text in EVENT or text in NO_EVENT:
        return int(text in EVENT)
    raise InputError(
        "a status is unknown",
        where=where,
        found=words,
        expected="1 or 0 before a colon, or words such as DECEASED and LIVING",
        todo="correct the status",
    )


def number_of(text: str, *, where: str) -> float:
    """Return a number of a clinical table.

    Raises
    ------
    InputError
        The text is not a number.
    """
    try:
        return float(text)
    except ValueError:
        raise InputError(
            "a time is not a number", where=where, found=text, expected="a number", todo="correct the value"
        ) from None


def merged(rows: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], list[str]]:
    """Return the first value of each column in some rows of a patient, and the columns whose rows differ."""
    whole: dict[str, str] = {}
    differing: dict[str, None] = {}
    for row in rows:
        for name, value in row.items():
            if whole.setdefault(name, value) != value:
                differing[name] = None
    return whole, list(differing)
