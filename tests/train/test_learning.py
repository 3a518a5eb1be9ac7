"""Whether a model has learnt, by the C-index on its own training patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ccl.train.learning import has_learnt, training_c_index


def history(*c_indices, seed=0):
    epochs = np.arange(1, len(c_indices) + 1)
    return pd.DataFrame({"seed": seed, "epoch": epochs, "c_index_train": c_indices})


def test_the_last_five_epochs_of_all_seeds_count():
    table = pd.concat([history(0.9, 0.5, 0.5, 0.5, 0.5, 0.5), history(0.9, 0.6, 0.6, 0.6, 0.6, 0.6, seed=1)])
    assert training_c_index(table) == pytest.approx(0.55)


@pytest.mark.parametrize(("c_index", "learnt"), [(0.5, False), (0.549, False), (0.551, True), (0.9, True)])
def test_a_model_has_learnt_if_it_orders_its_training_patients(c_index, learnt):
    assert has_learnt(history(*[c_index] * 6)) is learnt


def test_a_model_of_one_epoch_is_judged_by_it():
    assert has_learnt(history(0.8))
    assert not has_learnt(history(0.5))


def test_patients_of_whom_no_two_can_be_compared_tell_nothing():
    assert has_learnt(history(np.nan, np.nan))
