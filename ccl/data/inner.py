"""Training patients that are held out to choose the epoch by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

SEED = 0


def hold_out(roles: Mapping[str, str], outcomes: pd.DataFrame, *, share: float, fold: int) -> dict[str, str]:
    """Return the roles of a fold's patients, with a share of those in training changed to ``inner``.

    The share is the same of patients who died and of those who were censored.  The draw does not depend on the method,
    so all methods hold out the same patients.

    Parameters
    ----------
    roles : mapping
        ``train`` or ``test`` for each patient, sorted by patient.
    outcomes : DataFrame
        ``months``, ``censorship`` by patient.
    share : float
        Between 0 and 1.
    fold : int
        Number of the fold; part of the seed.
    """
    training = outcomes.loc[[patient for patient, role in roles.items() if role == "train"]]
    rng = np.random.default_rng((SEED, fold))
    drawn: list[str] = []
    for _, alike in training.groupby("censorship"):
        drawn += rng.permutation(alike.index.to_numpy())[: round(share * len(alike))].tolist()
    return {**roles, **dict.fromkeys(drawn, "inner")}
