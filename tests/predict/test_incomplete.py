"""Bundles on patients who lack slides or omics."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ccl.config.sections import BundleSettings, PredictSettings
from ccl.io.errors import ConfigError
from ccl.predict.bundle import make_bundle
from ccl.predict.stage import predict_patients
from tests.data.incomplete import Project

LACKS = {"slides": ("P00", "P01", "P09"), "genes": ("P04", "P05", "P09"), "cnv": ("P06", "P08")}
SMALL = {"ccl": {"width": 16}, "mcat": {"width": 16}}


@pytest.fixture
def bundled(tmp_path, cohort):
    def bundled(method, lacks=LACKS, **settings):
        project = Project(tmp_path, cohort, **lacks)
        run = project.train(method, overrides=SMALL.get(method), **settings)
        terms = BundleSettings("mine", "to be tested")
        make_bundle(
            runs=[run], inputs=project.inputs(method), out=tmp_path / "bundle", settings=terms, preprocessing={}
        )
        return project, run

    return bundled


def predict(project, method, **changed):
    files = {**project.files(method), **changed}
    predict_patients(
        bundle=project.folder / "bundle", out=project.folder / "new", settings=PredictSettings(), device="cpu",
        threads=1, **files,
    )  # fmt: skip
    return pd.read_csv(project.folder / "new" / "risk.csv", keep_default_na=False).set_index("patient_id")


@pytest.mark.parametrize("method", ["ccl", "mcat", "cox-multimodal"])
def test_every_pattern_is_predicted_as_in_training(bundled, method):
    project, run = bundled(method, incomplete="keep")
    risks = predict(project, method)
    stored = pd.read_csv(run / "predictions.csv").query("epoch == epoch.max()").set_index("patient_id")
    assert {"P00", "P04", "P08"} <= set(stored.index)
    np.testing.assert_allclose(risks["risk"][stored.index], stored["risk"], rtol=1e-5)
    assert risks["lacks"][["P00", "P04", "P08", "P02"]].tolist() == ["no slides", "no genes", "no cnv", ""]
    assert "no slides: predicted without" in risks.loc["P00", "warnings"]
    assert "gene columns are missing" not in risks.loc["P04", "warnings"]
    left = pd.read_csv(project.folder / "new" / "left_out.csv")
    assert left.empty  # P09 is in no table at all


@pytest.mark.parametrize("method", ["ccl", "mcat"])
def test_a_cohort_may_have_one_modality_alone(bundled, method):
    project, _ = bundled(method, incomplete="keep")
    both = predict(project, method)
    slides = {name: None for name in ("clusters", "slides") if name in project.files(method)}
    genes_alone = predict(project, method, **slides, **({"manifests": ()} if "slides" in slides else {}))
    assert set(genes_alone["lacks"]) == {"no slides", "no slides, no cnv"}
    assert genes_alone["risk"]["P00"] == pytest.approx(both["risk"]["P00"], rel=1e-5)
    slides_alone = predict(project, method, genomics=None)
    assert set(slides_alone["lacks"]) == {"no genes"}
    assert slides_alone["risk"]["P04"] == pytest.approx(both["risk"]["P04"], rel=1e-5)
    with pytest.raises(ConfigError, match="not given what it reads"):
        predict(project, method, genomics=None, **slides)


def test_a_bundle_trained_on_complete_patients_with_dropping_predicts_incomplete_ones(bundled):
    project, _ = bundled("ccl", drop_modality=0.3)
    risks = predict(project, "ccl")
    assert risks["lacks"]["P00"] == "no slides"
    assert len(risks) == 19


def test_a_bundle_of_complete_patients_leaves_others_out(bundled):
    project, _ = bundled("ccl")
    risks = predict(project, "ccl")
    assert "lacks" not in risks
    left = pd.read_csv(project.folder / "new" / "left_out.csv").set_index("patient_id")["reason"].to_dict()
    assert left["P00"] == "no slides"
    assert left["P04"] == "no row in the omics tables"
    with pytest.raises(ConfigError, match="give --genomics"):
        predict(project, "ccl", genomics=None)
    assert "tables" not in json.loads((project.folder / "bundle" / "bundle.json").read_text())["shape"]
