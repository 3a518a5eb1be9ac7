"""Several slides of a patient as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ccl.config.sections import Joining
from ccl.io.errors import InputError


class Part(NamedTuple):
    """The vector of a slide, or of a patient."""

    name: str
    """Of the slide, or of the patient."""
    values: NDArray[np.float32]
    """(D,); NaN where a table has no value."""
    size: int | None
    """Patches of the slide, if they are known."""


def join(patient: str, parts: Sequence[Part], settings: Joining) -> NDArray[np.float32]:
    """Return the vector (D,) of a patient.

    ``mean`` averages over the slides that have a value.  ``largest`` takes the slide with the most patches, the first
    of several in the order of their names.

    Raises
    ------
    InputError
        The largest slide is wanted, but sizes are not known.
    """
    if len(parts) == 1:
        return parts[0].values
    if settings.join == "mean":
        values = np.stack([part.values for part in parts])
        known = ~np.isnan(values)
        total = np.where(known, values, 0.0).sum(axis=0, dtype=np.float64)
        counts = known.sum(axis=0)
        mean: NDArray[np.float32] = np.where(counts, total / np.maximum(counts, 1), np.nan).astype(np.float32)
        return mean
    unknown = [part.name for part in parts if part.size is None]
    if unknown:
        raise InputError(
            "the largest slide of a patient is not known",
            where=f"patient {patient}",
            found=f"no coordinates of patches for {', '.join(unknown)}",
            expected="`coords` in the file of each slide, as TRIDENT writes them",
            todo="set `vectors: join: mean`",
        )
    return max(sorted(parts, key=lambda part: part.name), key=lambda part: part.size or 0).values
