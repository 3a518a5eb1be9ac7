"""Cox models on factors: planted factors and products, definitions by hand, and the calibration of the screen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA

from ccl.data.batch import Batch, Outcomes, Present, Shape
from ccl.data.intervals import interval_edges, interval_labels
from ccl.evaluate.concordance import concordance_index
from ccl.methods import hyper
from ccl.methods.cox_factors.factors import Components, Phenotypes
from ccl.methods.cox_factors.network import Model
from ccl.methods.cox_factors.screening import screen
from ccl.methods.interface import risk
from ccl.nn.replicas import Replicas

FEATURES = 6


class Cohort:
    """Patients whose risk is a gene factor, the share of a phenotype, and a product of a gene factor and a look."""

    def __init__(self, count=240, synergy=1.5, seed=0):
        rng = np.random.default_rng(seed)
        self.gene, self.other, self.share, self.look = rng.normal(size=(4, count))
        self.product = self.other * self.look
        families = [np.outer(factor, np.ones(8)) + rng.normal(size=(count, 8)) for factor in (self.gene, self.other)]
        self.families = [torch.from_numpy(family).float()[None] for family in families]
        self.bags = []
        for patient in range(count):
            member = rng.random(40) < 1 / (1 + np.exp(-self.share[patient]))
            patches = rng.normal(size=(40, FEATURES)) + np.where(member, 6, -6)[:, None] * np.eye(FEATURES)[0]
            patches[member, 1:] += 2 * self.look[patient]
            self.bags.append(torch.from_numpy(patches).float()[None])
        log_risk = self.gene + 0.7 * self.share + synergy * self.product
        months = rng.exponential(np.exp(-log_risk)) * 20
        censored = (rng.random(count) < 0.3).astype(float)
        labels = interval_labels(months, interval_edges(pd.Series(months), pd.Series(censored), 4))
        self.outcomes = Outcomes(*(torch.from_numpy(values)[None] for values in (labels, censored, months)))

    def batches(self, rows, *, lacking=()):
        for p in rows:
            there = p not in lacking
            bag = self.bags[p] if there else torch.empty(1, 0, 0)
            present = Present(torch.ones(1, 1, 1, dtype=torch.bool), torch.tensor([[there]])) if lacking else None
            yield Batch(tuple(f[:, [p]] for f in self.families), None, None, bag, present=present)

    def of(self, rows):
        return Outcomes(*(x[:, rows] for x in (self.outcomes.labels, self.outcomes.censorship, self.outcomes.months)))


TRAIN, TEST = np.arange(160), np.arange(160, 240)


def fitted(cohort, *, seeds=(0,), tables=(), lacking=(), **overrides):
    overrides = {"phenotypes": 2, "looks": 2, "products": 2} | overrides
    model = Model(Shape((8, 8), 4, 0, FEATURES, tables=tables), hyper("cox-factors", overrides), Replicas(seeds))
    model.solve(lambda: cohort.batches(TRAIN, lacking=lacking), cohort.of(TRAIN))
    return model.eval()


def judged(model, cohort, rows=TEST):
    risks = torch.cat([risk(model(batch).logits) for batch in cohort.batches(rows)], dim=1)[0]
    outcomes = cohort.of(rows)
    return concordance_index(outcomes.months[0].numpy(), outcomes.censorship[0].numpy(), risks.numpy())


@pytest.fixture(scope="module")
def cohort():
    return Cohort()


@pytest.fixture(scope="module")
def model(cohort):
    return fitted(cohort)


def test_a_planted_product_is_found_and_predicts(cohort, model):
    facts = {name: values.item() for name, values in model.describe(Batch((), None, None)).items()}
    assert facts["product_1_p"] == pytest.approx(0.001)
    # The second family has the gene factor of the product.
    assert facts["product_1_gene_factor"] // facts_per_family(model) == 1
    columns = torch.cat([model.heavy(batch)[2] for batch in cohort.batches(TEST)], dim=1)[0].numpy()
    assert max(abs(np.corrcoef(column, cohort.product[TEST])[0, 1]) for column in columns.T) > 0.85
    assert judged(model, cohort) > judged(fitted(cohort, products=0), cohort) + 0.03


def facts_per_family(model):
    return model.families[0].loadings.shape[-1]


def test_without_a_product_none_is_claimed():
    model = fitted(Cohort(synergy=0.0, seed=1))
    assert model.p_values.min() > 0.05


def test_screening_is_calibrated():
    """Of 200 cohorts without any product, about 5 % have a p-value below 0.05, although the best of 60 is taken."""
    rng = np.random.default_rng(0)
    found = [screen(rng.normal(size=(100, 60)), rng.exponential(size=100) - 1, 1)[1][0] for _ in range(200)]
    assert 0.015 <= np.mean(np.array(found) < 0.05) <= 0.085
    assert 0.4 < np.mean(found) < 0.6


def test_the_best_product_has_the_largest_correlation_with_the_residuals():
    rng = np.random.default_rng(3)
    products, residual = rng.normal(size=(50, 30)) * rng.uniform(0.1, 9, size=30), rng.normal(size=50)
    best, p = screen(products, residual - residual.mean(), 4)
    size = np.abs([np.corrcoef(column, residual)[0, 1] for column in products.T])
    assert best.tolist() == np.argsort(-size)[:4].tolist()
    assert (np.diff(p) >= 0).all()


def test_a_constant_product_is_never_chosen_first():
    rng = np.random.default_rng(3)
    products = np.column_stack([np.ones(50), rng.normal(size=50)])
    best, _ = screen(products, rng.normal(size=50), 2)
    assert best.tolist() == [1, 0]


def test_components_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 7)) + 0.1 * rng.normal(size=(60, 7))
    components = Components(2, 7, 3)
    components.fit(values)
    found = components(torch.from_numpy(values).float()[None])
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    scores = PCA(3).fit_transform(standard.clip(-5, 5))
    scores /= scores.std(axis=0)
    correlation = np.abs(np.corrcoef(found[0].numpy().T, scores.T)[:3, 3:])
    np.testing.assert_allclose(correlation, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(found[0].std(dim=0, correction=0), 1, atol=1e-4)
    torch.testing.assert_close(found[0], found[1])


def test_a_family_with_fewer_columns_than_components_leaves_the_others_zero():
    components = Components(1, 2, 6)
    components.fit(np.random.default_rng(0).normal(size=(30, 2)))
    assert (components.loadings[0, :, 2:] == 0).all()
    assert (components.loadings[0, :, :2] != 0).all()


def test_a_missing_value_counts_as_the_training_mean():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 4)) + 3
    values[:5, 0] = np.nan
    components = Components(1, 4, 2)
    components.fit(values)
    mean = np.nanmean(values[:, 0])
    patient = torch.tensor([[[np.nan, 1.0, 2.0, 3.0]]])
    torch.testing.assert_close(components(patient), components(patient.nan_to_num(nan=mean)))


def test_shares_and_looks_are_those_of_the_patches():
    phenotypes = Phenotypes(1, 2, 3, 1)
    phenotypes.centres.copy_(torch.tensor([[[0.0, 0], [10, 0], [0, 10]]]))
    bag = torch.tensor([[[1.0, 0], [0, 1], [9, 0], [0.5, 0.5]]])
    shares, looks = phenotypes.describe(bag)
    np.testing.assert_allclose(shares[0, 0], np.log(np.array([0.75, 0.25, 0]) + 0.02), rtol=1e-5)
    # The patient has no patch of the third phenotype, so its centre stands in.
    np.testing.assert_allclose(looks[0, 0], [[0.5, 0.5], [9, 0], [0, 10]], rtol=1e-5)


def test_replicas_are_equal_and_a_repetition_gives_the_same_bits(cohort, model):
    again = fitted(cohort, seeds=(0, 1))
    for name, value in model.state_dict().items():
        assert (again.state_dict()[name] == value).all(), name


def test_the_number_of_factors_can_be_given_and_is_told(cohort, model):
    assert model.describe(Batch((), None, None))["factors_of_a_family"].item() in (1, 3, 6)
    assert fitted(cohort, factors=2).kept.item() == 2
    assert model.penalty.item() > 0


def test_patients_without_slides_stay(cohort):
    lacking = set(range(0, 240, 4))
    model = fitted(cohort, tables=((0,) * 8,) * 2, lacking=lacking)
    logits = torch.cat([model(batch).logits for batch in cohort.batches(TEST, lacking=lacking)], dim=1)
    assert torch.isfinite(logits).all()
    outcomes = cohort.of(TEST)
    c = concordance_index(outcomes.months[0].numpy(), outcomes.censorship[0].numpy(), risk(logits)[0].numpy())
    assert c > 0.7


def test_a_cohort_of_genes_alone_has_no_products(cohort):
    model = Model(Shape((8, 8), 4, 0, 0), hyper("cox-factors-genomics", {}), Replicas((0,)))
    batch = Batch(tuple(family[:, TRAIN] for family in cohort.families), None, None)
    model.solve(lambda: [batch], cohort.of(TRAIN))
    assert model(batch).logits.shape == (1, 160, 4)
    assert set(model.describe(batch)) == {"penalty", "factors_of_a_family"}
