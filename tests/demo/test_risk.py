"""The planted risk and genes: strong where they should be, absent where they should be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sksurv.metrics import concordance_index_censored

from ccl.cohort.draw import draw_folds
from ccl.config.cohort_sections import FoldDraw
from ccl.demo.clinical import CARRIED, GRADES, STAGES, draw_clinical
from ccl.demo.omics import CARRIERS, FAMILY_SIZES, draw_omics
from ccl.demo.risk import LATENTS, Risk, draw_follow_up, draw_risk

LEVELS = {"stage": STAGES, "grade": GRADES, "laterality": ("left", "right")}


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def c_index(follow_up: pd.DataFrame, risk: NDArray[np.float64] | pd.Series[float]) -> float:
    return float(concordance_index_censored(follow_up["censorship"] == 0, follow_up["months"], np.asarray(risk))[0])


@pytest.fixture(scope="module")
def many() -> Risk:
    return draw_risk(2000, rng(0))


def test_the_log_risk_is_the_sum_of_its_four_parts(many: Risk) -> None:
    assert list(many.parts.columns) == ["shared", "pathology", "genomics", "synergy"]
    np.testing.assert_allclose(many.log_risk, many.parts.to_numpy().sum(axis=1))
    for name in ("shared", "pathology", "genomics"):
        assert np.corrcoef(many.parts[name], many.latents[name])[0, 1] == pytest.approx(1)


@pytest.mark.parametrize(("patients", "bound"), [(2000, 0.05), (40, 0.25)])
def test_the_synergy_has_no_main_effect(patients: int, bound: float) -> None:
    risk = draw_risk(patients, rng(1))
    for name in LATENTS:
        assert abs(np.corrcoef(risk.parts["synergy"], risk.latents[name])[0, 1]) < bound, name
    product = risk.latents["synergy_slide"] * risk.latents["synergy_gene"]
    assert np.corrcoef(risk.parts["synergy"], product)[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("seed", range(6))
def test_an_oracle_ranks_a_small_cohort_well_and_no_part_alone_suffices(seed: int) -> None:
    risk = draw_risk(40, rng(seed, 0))
    follow_up = draw_follow_up(risk.log_risk, rng(seed, 1))
    oracle = c_index(follow_up, risk.log_risk)
    assert 0.85 < oracle < 0.93
    assert max(c_index(follow_up, risk.parts[name]) for name in risk.parts) < oracle - 0.05


def test_each_part_of_the_log_risk_counts(many: Risk) -> None:
    follow_up = draw_follow_up(many.log_risk, rng(2))
    oracle = c_index(follow_up, many.log_risk)
    assert 0.87 < oracle < 0.91
    for name in many.parts:
        assert c_index(follow_up, many.log_risk - many.parts[name]) < oracle - 0.01, name


@pytest.mark.parametrize("patients", [5, 40, 400])
def test_half_are_censored_and_nobody_is_followed_longer_than_the_study(patients: int) -> None:
    follow_up = draw_follow_up(draw_risk(patients, rng(4)).log_risk, rng(5))
    assert follow_up["censorship"].mean() == pytest.approx(0.5, abs=0.05 if patients > 5 else 0.1)
    assert follow_up["months"].between(0.1, 84).all()
    assert follow_up["months"].quantile(0.9) > 40


@pytest.mark.parametrize("seed", range(3))
def test_random_folds_have_events_in_each_test_part(seed: int) -> None:
    follow_up = draw_follow_up(draw_risk(40, rng(seed)).log_risk, rng(seed, 1))
    table = follow_up.assign(patient_id=[f"P{i:02d}" for i in range(40)])
    folds = draw_folds(table, FoldDraw(n_folds=5, fold_seed=seed)).merge(table, on="patient_id")
    assert (folds[folds["role"] == "test"].groupby("fold")["censorship"].min() == 0).all()


def test_genes_show_their_latent_and_nothing_else(many: Risk) -> None:
    omics = draw_omics(many.latents, rng(6))
    loadings = omics.genes.set_index("gene")
    for kind, table in (("rna", omics.rna), ("cnv", omics.cnv), ("snv", omics.snv)):
        correlation = pd.DataFrame({name: table.corrwith(many.latents[name]) for name in LATENTS})
        for gene, row in correlation.iterrows():
            factor, loading = loadings.loc[gene, "factor"], loadings.loc[gene, f"loading_{kind}"]
            for name, value in row.items():
                if name == factor and loading:
                    assert value * loading > 0, (kind, gene)
                    assert abs(value) > 0.3, (kind, gene)
                else:
                    assert abs(value) < 0.12, (kind, gene, name)


def test_each_gene_visible_latent_loads_on_a_third_of_two_families() -> None:
    omics = draw_omics(draw_risk(40, rng(7)).latents, rng(8))
    factor = omics.genes.set_index("gene")["factor"]
    for latent, homes in CARRIERS.items():
        for family in homes:
            carriers = (factor[list(omics.families[family])] == latent).sum()
            assert carriers == FAMILY_SIZES[family] // 3
    assert {name: len(genes) for name, genes in omics.families.items()} == FAMILY_SIZES
    assert omics.genes["families"].str.contains(";").sum() >= 5
    assert set(np.unique(omics.cnv)) <= {-2, -1, 0, 1, 2}
    assert set(np.unique(omics.snv)) == {0, 1}


def test_stage_and_grade_carry_their_part_of_the_risk_and_age_and_laterality_nothing(many: Risk) -> None:
    ages = pd.Series(rng(9).normal(63, 10, 2000))
    clinical = draw_clinical(many.parts, ages, rng(10))
    coded = pd.DataFrame({name: pd.Categorical(clinical[name], levels).codes for name, levels in LEVELS.items()})
    coded = coded.where(coded >= 0).assign(age=clinical["age"])
    correlation = pd.DataFrame({part: coded.corrwith(many.parts[part], method="spearman") for part in many.parts})
    for name, row in correlation.iterrows():
        for part, value in row.items():
            if CARRIED.get(str(name)) == part:
                assert 0.6 < value < 0.9
            else:
                assert abs(value) < 0.08, (name, part)
    assert list(clinical["age"]) == list(ages)


def test_covariates_tell_some_of_the_survival_but_less_than_the_risk(many: Risk) -> None:
    follow_up = draw_follow_up(many.log_risk, rng(2))
    stage = pd.Categorical(draw_clinical(many.parts, pd.Series(np.zeros(2000)), rng(10))["stage"], STAGES).codes
    assert 0.6 < c_index(follow_up, stage) < 0.75
