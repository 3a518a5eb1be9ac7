"""Hashes by which a patient of the training is recognised, without names or genes in the bundle.

A name can be guessed: whoever has a list of candidates can hash each of them.  Therefore each hash is slow to compute
(scrypt) and short: of several billion candidates, many have the hash of a training patient by chance.  The salt is the
digest of the networks, so the hashes of two bundles cannot be compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

COST = 1 << 12
"""Cost of scrypt: some 10 ms and 4 MiB for each hash."""

BYTES = 4
"""Length of a hash: among 1,000 training and 1,000 new patients, one pair agrees by chance with probability 0.0002."""

LEAST_VALUES = 10
"""A patient with fewer different values in all genes has no hash of them: others may have the same."""


def of_name(patient: str, salt: str) -> str:
    """Return the hash of a patient's name; case and outer spaces do not matter."""
    return _hash(patient.strip().casefold().encode(), salt)


def of_genes(values: Sequence[NDArray[np.float32]], salt: str) -> list[str]:
    """Return the hash of each patient's genes, from the values (P, n) of all families; empty if they are too few."""
    whole = np.concatenate([np.empty((len(values[0]), 0), np.float32), *values], axis=1) if values else np.empty((0, 0))
    rows = [np.where(np.isnan(row), np.float32(np.nan), row).astype("<f4") for row in whole]
    distinct = [len(np.unique(row[~np.isnan(row)])) for row in rows]
    return [
        _hash(row.tobytes(), salt) if count >= LEAST_VALUES else "" for row, count in zip(rows, distinct, strict=True)
    ]


def _hash(content: bytes, salt: str) -> str:
    return hashlib.scrypt(content, salt=salt.encode(), n=COST, r=8, p=1, dklen=BYTES).hex()
