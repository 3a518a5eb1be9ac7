"""C-index of the arms, and the differences between them, on the same resamples of the test patients of each fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ccl.added import ARMS, Arm
from ccl.added.arms import Prediction
from ccl.added.patients import Patients
from ccl.evaluate.bootstrap import SEED, percentile_interval, resample
from ccl.evaluate.concordance import concordance_index, resampled_concordance
from ccl.io.files import number_or_none


@dataclass(frozen=True)
class Concordance:
    """The C-index of one arm."""

    folds: NDArray[np.float64]
    """(F,) of each fold of each repeat; NaN where no two patients are comparable."""
    resampled: NDArray[np.float64]
    """(R,) mean over folds of each resample."""

    @property
    def mean(self) -> float:
        """Mean over folds."""
        return _mean(self.folds)


def concordances(repeats: Sequence[tuple[Patients, Mapping[Arm, Prediction]]]) -> dict[Arm, Concordance]:
    """Return the C-index of each arm, the mean over folds and repeats.

    Patients are drawn within each fold, with the same draws for all arms.  The folds of several repeats share patients,
    so there the draws are of all patients, the same for all repeats.  Fits are not repeated: the resamples show how the
    numbers vary with the test patients.

    Parameters
    ----------
    repeats : sequence of (Patients, mapping of Arm to Prediction)
        The patients in each repeat, with the predictions of the arms; one pair without repeats.
    """
    found: dict[Arm, tuple[list[float], list[NDArray[np.float64]]]] = {arm: ([], []) for arm in ARMS}
    shared = resample(len(repeats[0][0].table)) if len(repeats) > 1 else None
    for patients, arms in repeats:
        for place, fold in enumerate(patients.folds):
            here = patients.fold == fold
            counts = resample(int(here.sum()), SEED + place) if shared is None else shared[:, here]
            follow_up = patients.months[here], ~patients.dead[here]
            for arm, (whole, resampled) in found.items():
                # Within a fold the model's risk needs no standardisation, which could break ties.
                risk = patients.risk if arm == "model" else arms[arm].risk
                whole.append(concordance_index(*follow_up, risk[here]))
                resampled.append(resampled_concordance(*follow_up, risk[here], counts))
    return {arm: Concordance(np.array(w), _mean_of_rows(np.stack(r, axis=1))) for arm, (w, r) in found.items()}


def _mean_of_rows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row, ignoring NaN; NaN for a row of NaN."""
    known = ~np.isnan(values)
    sums, counts = np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1)
    means = np.full(len(values), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def _mean(values: NDArray[np.float64]) -> float:
    return float(_mean_of_rows(values[None])[0])


def arm_facts(found: Concordance) -> dict[str, Any]:
    """Return ``c_index`` with its interval, and ``folds``, for JSON."""
    return {
        "c_index": number_or_none(found.mean),
        **percentile_interval(found.resampled),
        "folds": [number_or_none(c) for c in found.folds],
    }


def difference(first: Concordance, second: Concordance) -> dict[str, Any]:
    """Return ``difference`` in C-index, first minus second, with its 95 % interval, for JSON."""
    return {
        "difference": number_or_none(first.mean - second.mean),
        **percentile_interval(first.resampled - second.resampled),
    }


def differences(found: Mapping[Arm, Concordance]) -> dict[str, dict[str, Any]]:
    """Return the difference of each arm that has the model to the covariates alone."""
    return {arm: difference(found[arm], found["clinical"]) for arm in ARMS if arm != "clinical"}
