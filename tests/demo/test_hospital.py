"""The second hospital shares the biology of the first, and differs where it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccl.config.sections import DemoSettings
from ccl.demo.hospital import HOSPITALS
from ccl.demo.make import make_demo
from ccl.evaluate.censoring import survived_share
from ccl.evaluate.concordance import concordance_index
from ccl.io.formats import Features


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hospitals")
    for name in HOSPITALS:
        make_demo(folder / name, DemoSettings(patients=200, seed=3, hospital=name, bags=True))
    return {name: folder / name for name in HOSPITALS}


def test_genes_and_features_carry_the_same_in_both(hospitals: dict[str, Path]) -> None:
    genes = [pd.read_csv(folder / "truth" / "genes.csv") for folder in hospitals.values()]
    pd.testing.assert_frame_equal(*genes)
    means = [
        np.mean(
            [Features.read(path).features.mean(axis=0) for path in sorted((folder / "features").glob("*.h5"))], axis=0
        )
        for folder in hospitals.values()
    ]
    assert np.corrcoef(*means)[0, 1] > 0.95


def test_patients_and_their_values_are_others(hospitals: dict[str, Path]) -> None:
    names = [set(pd.read_csv(folder / "patients.csv")["patient_id"]) for folder in hospitals.values()]
    assert not names[0] & names[1]
    first, second = (pd.read_csv(folder / "cnv.csv").drop(columns="patient_id") for folder in hospitals.values())
    assert not first.equals(second)


def test_scale_of_expression_censoring_and_hazard_are_as_planted(hospitals: dict[str, Path]) -> None:
    first, second = (pd.read_csv(folder / "rna.csv").drop(columns="patient_id") for folder in hospitals.values())
    factor, shift = HOSPITALS["second"].expression
    assert second.stack().std() / first.stack().std() == pytest.approx(factor, rel=0.05)
    assert second.stack().mean() - first.stack().mean() == pytest.approx(shift, abs=0.1)
    follow_up = [pd.read_csv(folder / "patients.csv") for folder in hospitals.values()]
    assert 1 - follow_up[1]["censorship"].mean() == pytest.approx(HOSPITALS["second"].observed, abs=0.01)
    alive = [float(survived_share(own["months"], own["censorship"])([24.0])[0]) for own in follow_up]
    assert alive[0] - alive[1] > 0.03


def test_what_shows_predicts_less_in_the_second(hospitals: dict[str, Path]) -> None:
    found = []
    for folder in hospitals.values():
        truth = pd.read_csv(folder / "truth" / "patients.csv")
        shown = 1.7 * truth["latent_shared"] + 0.9 * truth["latent_pathology"] + 1.6 * truth["latent_genomics"]
        own = pd.read_csv(folder / "patients.csv")
        found.append(concordance_index(own["months"], own["censorship"], shown))
    assert found[0] - found[1] > 0.07


def test_the_readme_says_what_was_planted(hospitals: dict[str, Path]) -> None:
    text = (hospitals["second"] / "README.md").read_text()
    assert all(phrase in text for phrase in HOSPITALS["second"].differences)
    assert len(HOSPITALS["second"].differences) == 8
    assert "second hospital" not in (hospitals["first"] / "README.md").read_text()
