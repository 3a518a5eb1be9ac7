"""Training patients that are held out to choose the epoch by."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ccl.evaluate.concordance import concordance_index
from ccl.io.errors import ConfigError

SEED = 0


def hold_out(roles: Mapping[str, str], outcomes: pd.DataFrame, *, share: float, fold: int) -> dict[str, str]:
    """Return the roles of a fold's patients with a share of those in training made ``inner``.

    The dead and the censored give the same share each.  The draw knows nothing of the method, so that all methods hold
    out the same patients.

    Parameters
    ----------
    roles : mapping
        ``train`` or ``test`` for each patient, sorted by patient.
    outcomes : DataFrame
        ``months``, ``censorship`` by patient.
    share : float
        Between 0 and 1.
    fold : int
        Number of the fold; each has its own draw.
    """
    training = outcomes.loc[[patient for patient, role in roles.items() if role == "train"]]
    rng = np.random.default_rng((SEED, fold))
    drawn: list[str] = []
    for _, alike in training.groupby("censorship"):
        drawn += rng.permutation(alike.index.to_numpy())[: round(share * len(alike))].tolist()
    return {**roles, **dict.fromkeys(drawn, "inner")}


def check_inner(outcomes: pd.DataFrame, share: float) -> None:
    """Raise :class:`ConfigError` where no C-index can be computed of the patients held out."""
    if math.isnan(concordance_index(outcomes["months"], outcomes["censorship"], np.zeros(len(outcomes)))):
        raise ConfigError(
            "the patients held out cannot tell one epoch from another",
            where=f"config, train: inner: {share:g}",
            found=f"{len(outcomes)} patients, {int((outcomes['censorship'] == 0).sum())} with an observed death",
            expected="among them somebody who died and was outlived by another",
            todo="raise `train: inner`, or set it to 0",
        )
