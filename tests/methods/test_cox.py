"""Ridge Cox regression against lifelines, closed forms and simulated patients."""

from __future__ import annotations

import functools

import lifelines
import numpy as np
import pandas as pd
import pytest
import torch

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.data.intervals import interval_edges, interval_labels
from ccl.methods import hyper
from ccl.methods.cox.linear import PENALTIES, choose_penalty
from ccl.methods.cox.network import Model
from ccl.methods.cox.ridge import ridge_cox
from ccl.methods.interface import risk, survival
from ccl.nn.replicas import Replicas


def patients(count=120, columns=5, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, columns))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    months = rng.exponential(np.exp(-x[:, 0] + 0.5 * x[:, 1])) * 20
    dead = rng.random(count) < 0.6
    return x, np.ceil(months) if ties else months, dead


@pytest.mark.parametrize("penalty", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_coefficients_are_those_of_lifelines(penalty, seed):
    x, months, dead = patients(seed=seed)
    frame = pd.DataFrame(x, columns=list("abcde")).assign(months=months, dead=dead)
    # lifelines penalises columns of sample deviation 1; without ties its Efron is Breslow.
    fitter = lifelines.CoxPHFitter(penalizer=penalty).fit(frame, "months", "dead")
    deviation = x.std(axis=0, ddof=1)
    ours = ridge_cox(x / deviation, months, dead, np.full(5, penalty))
    np.testing.assert_allclose(ours, fitter.params_.to_numpy() * deviation, atol=2e-4)


def test_covariates_have_a_penalty_of_their_own():
    x, months, dead = patients()
    penalties = np.array([0.01, 0.01, 2.0, 2.0, 2.0])
    deviation = x.std(axis=0, ddof=1)
    frame = pd.DataFrame(x, columns=list("abcde")).assign(months=months, dead=dead)
    fitter = lifelines.CoxPHFitter(penalizer=penalties).fit(frame, "months", "dead")
    ours = ridge_cox(x / deviation, months, dead, penalties)
    np.testing.assert_allclose(ours, fitter.params_.to_numpy() * deviation, atol=2e-4)
    # The network has the same in one step: covariates first, with components in the place of genes.
    model = Model(Shape((3,), 4, 0, 0, clinical=2), hyper("cox-genomics", {"penalty": 2.0}), Replicas((0,)))
    data = torch.from_numpy(x)[None]
    labels = torch.zeros(1, len(x), dtype=torch.long)
    outcomes = Outcomes(labels, torch.from_numpy(~dead).float()[None], torch.from_numpy(months)[None])
    model.solve(lambda: [Batch((data[..., 2:],), None, None, clinical=data[..., :2])], outcomes)
    plain = ridge_cox(x, months, dead, penalties)
    np.testing.assert_allclose(model.weight[0].numpy(), plain, atol=1e-5)


def test_tied_deaths_count_as_breslow_has_them():
    """Two of four die at once: the likelihood is that of its closed form, found here on a grid."""
    x, months, dead = (
        np.array([[1.0], [-1.0], [1.0], [-1.0]]),
        np.array([2.0, 2.0, 3.0, 4.0]),
        np.array([1, 1, 0, 1]) == 1,
    )
    grid = np.linspace(-3, 3, 60001)
    high, low = np.exp(grid), np.exp(-grid)
    likelihood = (grid - grid) - 2 * np.log(2 * high + 2 * low) + (-grid - np.log(low))
    best = grid[np.argmin(-likelihood / 4 + 0.05 * grid**2)]
    assert ridge_cox(x, months, dead, np.array([0.1]))[0] == pytest.approx(best, abs=2e-4)


def test_more_columns_than_patients_are_no_problem():
    x, months, dead = patients(count=40, columns=200)
    model = Model(Shape((200,), 4, 0, 0), hyper("cox-genomics", {"penalty": 1.0}), Replicas((0,)))
    labels = torch.zeros(1, 40, dtype=torch.long)
    outcomes = Outcomes(labels, torch.from_numpy(~dead).float()[None], torch.from_numpy(months)[None])
    model.solve(lambda: [Batch((torch.from_numpy(x)[None],), None, None)], outcomes)
    weights = model.weight[0].double().numpy()

    def loss(b):
        at_risk = np.array([np.exp(x @ b)[months >= month].sum() for month in months])
        return -((x @ b)[dead] - np.log(at_risk[dead])).sum() / 40 + 0.5 * b @ b

    rng = np.random.default_rng(0)
    assert all(loss(weights) < loss(weights + 1e-3 * rng.normal(size=200)) for _ in range(20))


def fitted(reads, count=200, seeds=(0,), **overrides):
    """A model of simulated patients whose risk is in the first family and in the mean patch."""
    rng = torch.Generator().manual_seed(0)
    families = [torch.randn(1, count, size, generator=rng) for size in (6, 4)]
    signal = families[0].mean(dim=-1)[0] * 6**0.5
    bags = [torch.randn(1, 10, 3, generator=rng) + torch.tensor([1.0, 0, 0]) * signal[p] for p in range(count)]
    chance = np.random.default_rng(0)
    months = chance.exponential(np.exp(-signal.numpy())) * 20
    censored = (chance.random(count) < 0.3).astype(float)
    edges = interval_edges(pd.Series(months), pd.Series(censored), 4)
    outcomes = Outcomes(
        torch.from_numpy(interval_labels(months, edges))[None],
        torch.from_numpy(censored)[None],
        torch.from_numpy(months)[None],
    )
    genes, slides = "genomics" in reads, "bags" in reads
    batches = [
        Batch(tuple(f[:, [p]] for f in families) if genes else (), None, None, bags[p] if slides else None)
        for p in range(count)
    ]
    model = Model(
        Shape((6, 4) if genes else (), 4, 0, 3 if slides else 0), hyper("cox-genomics", overrides), Replicas(seeds)
    )
    model.solve(lambda: batches, outcomes)
    logits = torch.cat([model(batch).logits for batch in batches], dim=1)
    return model, logits, signal, outcomes


@pytest.mark.parametrize("reads", [("genomics",), ("bags",), ("bags", "genomics")])
def test_the_risk_is_found_in_either_modality(reads):
    _, logits, signal, _ = fitted(reads)
    assert logits.shape == (1, 200, 4)
    assert np.corrcoef(risk(logits)[0].numpy(), signal.numpy())[0, 1] > 0.85


def test_predicted_survival_is_calibrated_on_average():
    _, logits, _, outcomes = fitted(("genomics",), genes="family-means")
    months, censored = outcomes.months[0].numpy(), outcomes.censorship[0].numpy()
    fitter = lifelines.KaplanMeierFitter().fit(months, 1 - censored)
    labels = outcomes.labels[0].numpy()
    for interval in range(3):
        observed = fitter.predict(months[labels == interval].max())
        assert survival(logits)[0, :, interval].mean().item() == pytest.approx(observed, abs=0.05)


@pytest.mark.parametrize("far", [1e3, -1e3, 1e7, -1e7])
def test_a_patient_far_from_those_in_training_has_finite_logits(far):
    """The expression of a gene in one hospital can be thousands of deviations from that in all others."""
    model, logits, _, _ = fitted(("genomics",))
    found = model(Batch((torch.full((1, 1, 6), far), torch.zeros(1, 1, 4)), None, None)).logits
    assert torch.isfinite(found).all()
    assert (risk(found) >= risk(logits).max()) if far > 0 else (risk(found) <= risk(logits).min())


def test_a_stronger_penalty_means_smaller_coefficients_and_the_choice_is_told():
    sizes = [fitted(("genomics",), penalty=penalty)[0].weight.norm().item() for penalty in (0.01, 1.0, 100.0)]
    assert sizes == sorted(sizes, reverse=True)
    chosen = fitted(("genomics",), seeds=(0, 1))[0].describe(Batch((), None, None))["penalty"]
    assert chosen.shape == (2,)
    assert 0 < chosen[0].item() < 100


def test_noise_is_penalised_most():
    """Where nothing tells the risk, a strong penalty is chosen, in the median of eight draws."""
    chosen = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        model = Model(Shape((), 4, 0, 30), hyper("cox-pathology", {}), Replicas((0,)))
        batches = [Batch((), None, None, torch.from_numpy(rng.normal(size=(1, 4, 30))).float()) for _ in range(60)]
        months = torch.arange(1.0, 61.0)[None]
        model.solve(functools.partial(iter, batches), Outcomes((months // 16).long(), torch.zeros(1, 60), months))
        chosen.append(model.penalty.item())
    assert np.median(chosen) >= 10


def test_the_penalty_has_the_highest_cross_validated_likelihood():
    """Computed again without principal components."""
    x, months, dead = patients(count=60, columns=8)
    parts = np.random.default_rng(0).permutation(60) % 5

    def log_likelihood(eta, kept):
        at_risk = [np.exp(eta[kept & (months >= month)]).sum() for month in months[kept & dead]]
        return (eta[kept & dead] - np.log(at_risk)).sum()

    def cross_validated(penalty):
        total = 0.0
        for part in range(5):
            kept = parts != part
            eta = x @ ridge_cox(x[kept], months[kept], dead[kept], np.repeat([0.01, penalty], [2, 6]))
            total += log_likelihood(eta, kept | True) - log_likelihood(eta, kept)
        return total

    chosen = choose_penalty(x[:, :2], x[:, 2:] @ x[:, 2:].T, months, dead, 0.01)
    assert chosen == max(PENALTIES, key=cross_validated)
