"""Samples and their patients: which sample of a patient counts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ccl.io.errors import InputError
from ccl.source.account import Account
from ccl.source.matrix import Matrix

BARCODE = re.compile(r"(TCGA-\w{2}-\w{4})-(\d{2})([A-Z]?)(-[\w-]*)?")
"""Patient, sample type and vial of a TCGA barcode."""

PATIENT = re.compile(r"TCGA-(\w{2})-\w{4}")
"""A TCGA patient; the group is the tissue source site."""

CODES = {
    **dict.fromkeys(("01", "03", "05", "09"), "primary"),
    **dict.fromkeys(("02", "04", "40"), "recurrence"),
    **dict.fromkeys(("06", "07"), "metastasis"),
    **dict.fromkeys(("10", "11", "12", "13", "14"), "normal"),
}
"""Sample type codes of TCGA barcodes; all others are cell lines, xenografts and controls."""


@dataclass(frozen=True)
class Sample:
    """A sample of a patient."""

    name: str
    patient: str
    type: str
    """``primary``, ``recurrence``, ``metastasis``, ``normal``, ``other``, or ``unknown`` if nothing states it."""
    ffpe: bool = False
    """Fixed in formalin; a frozen sample of the patient goes before it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Its columns in the clinical tables."""


def of_barcode(text: str) -> Sample | None:
    """Return the sample of a TCGA barcode, however long; None for other names.

    >>> of_barcode("TCGA-A1-A0SB-01A-11R-A144-07").type
    'primary'
    """
    match = BARCODE.fullmatch(text)
    if match is None:
        return None
    return Sample(text, match[1], CODES.get(match[2], "other"))


def type_of(words: str) -> str:
    """Return the type of a sample by the words of a clinical table or a sample sheet.

    >>> [type_of(words) for words in ("Primary Tumor", "Recurrent Solid Tumor", "Metastatic", "Solid Tissue Normal")]
    ['primary', 'recurrence', 'metastasis', 'normal']
    """
    text = words.lower()
    for part, kind in (
        ("normal", "normal"), ("recur", "recurrence"), ("metast", "metastasis"), ("primary", "primary"),
        ("cell line", "other"), ("xenograft", "other"), ("control", "other"),
    ):  # fmt: skip
        if part in text:
            return kind
    return "unknown"


def is_ffpe(words: str) -> bool:
    """Tell whether a table says that a sample was fixed in formalin."""
    return words.strip().lower() in ("yes", "true", "1", "ffpe")


def find_sample(name: str, known: Mapping[str, Sample]) -> Sample | None:
    """Return the sample of a column: as a table names it, by a shorter barcode in the table, or by its own barcode."""
    if name in known:
        return known[name]
    own = of_barcode(name)
    if own is None:
        return None
    for length in (16, 15):
        if name[:length] in known:
            return known[name[:length]]
    return own


def one_a_patient(
    kind: str,
    matrix: Matrix,
    known: Mapping[str, Sample],
    patients: Iterable[str],
    *,
    types: Sequence[str],
    account: Account,
) -> Matrix:
    """Return a matrix with a column for each patient, sorted.

    Normal samples and types that are not among `types` are left out.  Of several samples of a patient, the first in
    this order counts: the order of `types`, frozen before FFPE, the order of the names (so that vial A goes before B).
    A sample whose type is not stated counts as primary.

    Raises
    ------
    InputError
        No sample is left.
    """
    own, of_patient, out = set(patients), defaultdict(list), defaultdict(list)
    for column, name in enumerate(matrix.samples):
        sample = find_sample(name, known)
        type_ = "primary" if sample and sample.type == "unknown" else sample and sample.type
        if sample is None or sample.patient not in own:
            out["samples of nobody in the clinical table"].append(name)
        elif type_ not in types:
            out[f"samples of type {type_}"].append(name)
        else:
            of_patient[sample.patient].append((types.index(type_), sample.ffpe, name, column))
    for reason, names in out.items():
        account.drop(kind, reason, names)
    if not of_patient:
        raise InputError(
            "no sample belongs to a patient of the clinical table",
            where=f"{matrix.origin}, header",
            found=f"samples {', '.join(matrix.samples[:3])}",
            expected=f"samples of patients such as {', '.join(sorted(own)[:3])}, of type {', '.join(types)}",
            todo="check that both files are of the same study, and `from: samples`",
        )
    chosen = {patient: sorted(samples) for patient, samples in sorted(of_patient.items())}
    doubles = [sample for samples in chosen.values() for sample in samples[1:]]
    account.drop(kind, "FFPE samples beside another of the patient", [name for _, ffpe, name, _ in doubles if ffpe])
    account.drop(kind, "further samples of a patient", [name for _, ffpe, name, _ in doubles if not ffpe])
    account.drop(kind, "patients without a sample", sorted(own - set(chosen)))
    columns = np.array([samples[0][3] for samples in chosen.values()])
    return Matrix(matrix.genes, tuple(chosen), matrix.values[:, columns], matrix.origin, matrix.first_line)


def site_of(patient: str) -> str:
    """Return the tissue source site of a TCGA patient, or an empty text."""
    match = PATIENT.fullmatch(patient)
    return match[1] if match else ""


def facts_of(samples: Iterable[Sample], types: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the clinical columns of each patient's first sample, in the order of :func:`one_a_patient`."""
    best: dict[str, tuple[Any, Sample]] = {}
    for sample in samples:
        type_ = "primary" if sample.type == "unknown" else sample.type
        if type_ in types:
            rank = (types.index(type_), sample.ffpe, sample.name)
            if sample.patient not in best or rank < best[sample.patient][0]:
                best[sample.patient] = (rank, sample)
    return {patient: dict(sample.facts) for patient, (_, sample) in best.items()}
