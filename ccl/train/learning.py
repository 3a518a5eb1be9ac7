"""Whether a model has learnt anything: judged on the patients it was trained on."""

from __future__ import annotations

import pandas as pd

LEAST_C_INDEX = 0.55
"""A model whose C-index on its own training patients is lower has not learnt to order them."""

LAST_EPOCHS = 5

NOT_TRAINED = "not trained"
"""What tables, figures and pages say of such a model."""

ADVICE = "try a higher `train: lr`, more epochs, another seed, or `track: native`"


def training_c_index(history: pd.DataFrame) -> float:
    """Return the C-index on training patients, the mean over the last epochs, seeds, and folds if there are several.

    The loss is no criterion: a model that orders patients well can have a likelihood below that of one Kaplan-Meier
    curve for all, because its probabilities are not calibrated.

    Parameters
    ----------
    history : DataFrame
        ``history.csv``.

    Returns
    -------
    float
        NaN if no two training patients can be compared.
    """
    last = history[history["epoch"] > history["epoch"].max() - LAST_EPOCHS]
    return float(last["c_index_train"].mean())


def has_learnt(history: pd.DataFrame) -> bool:
    """Return False if the C-index of :func:`training_c_index` is below :data:`LEAST_C_INDEX`."""
    return not training_c_index(history) < LEAST_C_INDEX
