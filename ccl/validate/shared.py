"""Patients of the new cohort whom the bundle was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ccl.io.errors import InputError
from ccl.predict.card import Card
from ccl.predict.fingerprints import of_genes, of_name

NAMED = 10
"""Patients that the message names."""


def find_shared(card: Card, patients: Sequence[str], genes: Sequence[NDArray[np.float32]]) -> dict[str, str] | None:
    """Return how each patient is known from the training: the same name, or the same genes.

    Parameters
    ----------
    card : Card
        The bundle.
    patients : sequence of str
        The new patients P.
    genes : sequence of ndarray, shape (P, n)
        Their values of each gene family of the bundle, as in their tables; none if the method reads no genes.

    Returns
    -------
    dict
        Reason by patient; None if the bundle has no fingerprints.
    """
    known = (card.training or {}).get("fingerprints")
    if known is None:
        return None
    reasons: dict[str, str] = {}
    hashes = of_genes(genes, card.sha256) if genes and known["genes"] else [""] * len(patients)
    for name, own in zip(patients, hashes, strict=True):
        ways = ["name"] * (of_name(name, card.sha256) in known["patients"]) + ["genes"] * (own in known["genes"])
        if ways:
            reasons[name] = f"a patient of the training: the same {' and the same '.join(ways)}"
    return reasons


def refuse_shared(shared: Mapping[str, str], card: Card) -> None:
    """Raise InputError if there are shared patients."""
    if shared:
        named = "; ".join(f"{name} ({reason.split(': ')[1]})" for name, reason in list(shared.items())[:NAMED])
        more = f"; and {len(shared) - NAMED} more" if len(shared) > NAMED else ""
        raise InputError(
            "patients of the new cohort were in the training, so their scores would be too good",
            where=f"bundle of {card.model}, trained on {card.cohort}",
            found=f"{len(shared)} patients: {named}{more}",
            expected="other patients",
            todo="set `validate: shared_patients: exclude` to leave them out, or keep to score them too",
        )
