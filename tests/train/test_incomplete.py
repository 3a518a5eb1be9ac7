"""Training on patients who lack slides or omics: what is learnt, recorded and said."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ccl.evaluate.stage import evaluate_runs
from ccl.train import stage as run
from tests.data.incomplete import Project

SMALL = {
    "ccl": {"width": 16},
    "porpoise": {"width": 16, "hidden": 16, "dropout": 0.0},
    "snn": {"width": 16},
    "mcat": {"width": 16},
}

LACKS = {"slides": ("P00", "P01", "P09"), "genes": ("P04", "P05", "P09"), "cnv": ("P06", "P08")}


def facts(folder):
    return json.loads((folder / "run.json").read_text())


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("cox-multimodal", {}),
        ("porpoise", {"epochs": 6, "lr": 0.02, "drop_modality": 0.4}),
        ("ccl", {"epochs": 10, "lr": 0.02, "drop_modality": 0.3}),
    ],
)
def test_genes_carry_the_risk_of_those_without_slides(tmp_path, make_cohort, method, settings):
    """A third lacks slides and a third genes; both tell the risk."""
    cohort = make_cohort(120)
    lacks = {"slides": cohort.genomics.patients[1::3], "genes": cohort.genomics.patients[2::3]}
    project = Project(tmp_path, cohort, **lacks)
    settings |= {"overrides": SMALL.get(method), "incomplete": "keep"}
    evaluate_runs(runs=[project.train(method, fold=fold, **settings) for fold in range(2)], out=tmp_path / "judged")
    found = json.loads((tmp_path / "judged" / "evaluation.json").read_text())
    assert (found["n_patients"], found["left_out"]) == (60, {})
    patterns = {row["pattern"]: row for row in found["protocols"]["last"]["patterns"]}
    assert {name: row["n_patients"] for name, row in patterns.items()} == {
        "complete": 20, "no genes": 20, "no slides": 20,
    }  # fmt: skip
    assert patterns["complete"]["c_index"] > 0.7
    assert patterns["no slides"]["c_index"] > 0.7
    assert patterns["no genes"]["c_index"] > 0.55


@pytest.mark.parametrize("method", ["ccl", "mcat", "cox-multimodal"])
def test_run_and_log_say_who_is_incomplete(tmp_path, cohort, method, capsys):
    project = Project(tmp_path, cohort, **LACKS)
    found = facts(project.train(method, overrides=SMALL.get(method), epochs=1, incomplete="keep"))
    assert (found["n_train"], found["n_test"]) == (14, 5)
    assert found["left_out"] == {"P09": "no slides, no row in the omics tables"}
    assert found["lacking"]["P08"] == "no cnv"
    assert found["settings"]["incomplete"] == "keep"
    said = capsys.readouterr().err
    assert "6 of 19 patients are incomplete: 2 with no slides, 2 with no genes, 2 with no cnv" in said
    assert "1 of 20 patients with 0 of 16 deaths are left out" in said
    assert "keeps those" not in said


def test_the_log_says_what_complete_cases_cost(tmp_path, cohort, capsys):
    project = Project(tmp_path, cohort, **LACKS)
    found = facts(project.train("ccl", overrides=SMALL["ccl"], epochs=1))
    assert "lacking" not in found
    assert not {"incomplete", "drop_modality"} & set(found["settings"])
    said = capsys.readouterr().err
    assert "5 of 20 patients with 3 of 16 deaths are left out, because they lack what ccl reads" in said
    assert "`train: incomplete: keep` keeps those who have slides or genes" in said
    project.train("snn", overrides=SMALL["snn"], epochs=1)
    said = capsys.readouterr().err
    assert "3 of 20 patients" in said
    assert "keeps those" not in said, "of no use to a method of one modality"


@pytest.mark.parametrize("method", ["ccl", "mcat"])
def test_a_cohort_where_nobody_lacks_anything_is_trained_the_same(tmp_path, cohort, method):
    project = Project(tmp_path, cohort)
    outs = [project.train(method, out=name, overrides=SMALL[method], incomplete=name) for name in ("drop", "keep")]
    tables = [pd.read_csv(out / "predictions.csv") for out in outs]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


class Killed(BaseException):
    """As if the process had been killed."""


@pytest.mark.parametrize("method", ["ccl", "mcat"])
def test_dropping_modalities_resumes_exactly(tmp_path, cohort, monkeypatch, method):
    project = Project(tmp_path, cohort, **LACKS)
    how = {"overrides": SMALL[method], "epochs": 4, "seeds": (0, 7), "incomplete": "keep", "drop_modality": 0.5}
    whole = project.train(method, out="whole", **how)
    original = run.save_checkpoint

    def save(path, key, model, course):
        original(path, key, model, course)
        if course.epoch == 2:
            raise Killed

    monkeypatch.setattr(run, "save_checkpoint", save)
    with pytest.raises(Killed):
        project.train(method, out="killed", **how)
    monkeypatch.undo()
    resumed = project.train(method, out="killed", **how)
    for name in ("predictions.csv", "model.safetensors"):
        assert (resumed / name).read_bytes() == (whole / name).read_bytes()


def test_dropping_changes_what_is_learnt_and_each_seed_draws_its_own(tmp_path, cohort):
    project = Project(tmp_path, cohort)
    how = {"overrides": {**SMALL["ccl"], "dropout": 0.0}, "epochs": 2}
    plain, dropped = (
        pd.read_csv(project.train("ccl", out=str(rate), drop_modality=rate, **how) / "predictions.csv")
        for rate in (0.0, 0.5)
    )
    assert not np.allclose(plain["risk"], dropped["risk"])
    both = pd.read_csv(project.train("ccl", out="both", drop_modality=0.5, seeds=(3, 0), **how) / "predictions.csv")
    np.testing.assert_allclose(both.query("seed == 0")["risk"], dropped["risk"], rtol=1e-4)


def test_a_method_of_one_modality_drops_nothing(tmp_path, cohort):
    project = Project(tmp_path, cohort)
    how = {"overrides": SMALL["snn"], "epochs": 2}
    outs = [project.train("snn", out=str(rate), drop_modality=rate, **how) for rate in (0.0, 0.5)]
    assert (outs[0] / "predictions.csv").read_bytes() == (outs[1] / "predictions.csv").read_bytes()
