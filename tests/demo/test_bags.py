"""Bags with planted risk: TRIDENT's layout, and the slides' latents in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict

from ccl.cohort.patients import read_patients
from ccl.config.cohort_sections import CohortSettings
from ccl.io.formats import Features
from ccl.io.sheets import read_slide_sheet


def test_every_slide_of_the_sheet_has_a_labelled_bag(bags: Path) -> None:
    truth = pd.read_csv(bags / "truth" / "patches.csv").groupby("slide_id")["phenotype"]
    sheet = read_slide_sheet(bags / "slides.csv")
    assert len(sheet) == 150
    for slide in sheet:
        bag = Features.read(bags / "features" / f"{slide.slide_id}.h5")
        assert (bag.encoder, bag.weights) == ("planted", "synthetic")
        assert bag.features.shape[1] == 128
        assert 60 <= len(bag.features) <= 200
        assert len(np.unique(bag.coords, axis=0)) == len(bag.coords) == truth.count()[slide.slide_id]
        last = bag.coords.max(axis=0) + bag.attributes["patch_size_level0"]
        assert (last <= [bag.attributes["level0_width"], bag.attributes["level0_height"]]).all()
        assert bag.attributes["name"] == slide.slide_id
    assert not (bags / "slides").exists()


@pytest.fixture(scope="module")
def means(bags: Path) -> NDArray[np.float32]:
    patients = pd.read_csv(bags / "truth" / "patients.csv")["patient_id"]
    return np.array([Features.read(bags / "features" / f"{name}-A.h5").features.mean(axis=0) for name in patients])


@pytest.mark.parametrize(
    ("latent", "visible"),
    [
        ("shared", True),
        ("pathology", True),
        ("synergy_slide", True),
        ("genomics", False),
        ("synergy_gene", False),
    ],
)
def test_bags_show_the_latents_of_slides_and_no_other(
    bags: Path, means: NDArray[np.float32], latent: str, visible: bool
) -> None:
    truth = pd.read_csv(bags / "truth" / "patients.csv")
    guess = cross_val_predict(RidgeCV(np.logspace(-2, 4, 7)), means, truth[f"latent_{latent}"], cv=5)
    correlation = np.corrcoef(guess, truth[f"latent_{latent}"])[0, 1]
    assert correlation > 0.7 if visible else correlation < 0.25


def test_phenotypes_are_what_patches_cluster_by(bags: Path) -> None:
    truth = pd.read_csv(bags / "truth" / "patches.csv")
    rows = truth[truth["slide_id"] == "DEMO-001-A"]
    features = Features.read(bags / "features" / "DEMO-001-A.h5").features
    centres = {name: features[group["patch"]].mean(axis=0) for name, group in rows.groupby("phenotype")}
    names = list(centres)
    distances = np.stack([np.linalg.norm(features - centres[name], axis=1) for name in names])
    nearest = np.array(names)[distances.argmin(axis=0)]
    assert (nearest == rows["phenotype"].to_numpy()).mean() > 0.95


def test_the_sheets_fit_each_other(bags: Path) -> None:
    settings = CohortSettings("patient_id", "months", "censorship", n_folds=5, fold_seed=0, synthetic=True)
    patients = read_patients(bags / "patients.csv", settings)
    assert {slide.patient_id for slide in read_slide_sheet(bags / "slides.csv")} == set(patients["patient_id"])
