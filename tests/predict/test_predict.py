"""Predictions: they equal those of the networks, and unusual patients get warnings."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from ccl.evaluate.stage import evaluate_runs
from ccl.io.checksums import checksum_file
from ccl.io.errors import ConfigError, InputError, ModelError
from ccl.io.formats import Features, read_manifest
from ccl.predict.card import read_card
from ccl.predict.ensemble import mean_survival
from tests.predict.conftest import SMALL


def change_features(project, patient, *, encoder="toy", weights="random", shift=0.0, width=8, attributes=None):
    """Write the features of a patient's slides anew."""
    for row in read_manifest(project.folder / "manifest.tsv"):
        if patient in ("everyone", row.slide_id.split("-")[0]):
            old = Features.read(row.path)
            features = old.features[:, :width] + np.float16(shift)
            Features(features, old.coords, encoder, weights, attributes or {}).write(row.path, row.key)


@pytest.mark.parametrize("method", SMALL)
def test_a_fold_predicts_its_test_patients_as_in_training(project, method):
    run = project.train(method, 1)
    risks = project.predict(project.bundle(run)).set_index("patient_id")
    stored = pd.read_csv(run / "predictions.csv").query("epoch == 2").set_index("patient_id")
    assert len(stored) == 5
    np.testing.assert_allclose(risks["risk"][stored.index], stored["risk"], rtol=1e-5)
    assert risks["spread"].isna().all()
    assert list(risks.index) == list(project.cohort.genomics.patients)


@pytest.mark.parametrize("method", ["snn", "attmil"])
def test_survival_at_an_edge_is_the_stored_one(project, method):
    run = project.train(method, 0)
    edges = json.loads((run / "run.json").read_text())["interval_edges"]
    risks = project.predict(project.bundle(run), months=edges[1:4]).set_index("patient_id")
    stored = pd.read_csv(run / "predictions.csv").query("epoch == 2").set_index("patient_id")
    for number, month in enumerate(edges[1:4], start=1):
        np.testing.assert_allclose(
            risks.loc[stored.index, f"survival_{month:g}"], stored[f"survival_{number}"], rtol=1e-5
        )


def test_calibration_judges_the_curve_that_is_predicted(project):
    """Before the first death the curve falls from 1 at month 0, not from the shortest follow-up."""
    run = project.train("snn", 1)
    first, second = json.loads((run / "run.json").read_text())["interval_edges"][:2]
    month = first + (second - first) / 3
    evaluate_runs(runs=[run], out=project.folder / "evaluation", months=(month,))
    calibration = pd.read_csv(project.folder / "evaluation" / "calibration.csv").query("protocol == 'last'")
    predicted = project.predict(project.bundle(run), months=[month]).set_index("patient_id")[f"survival_{month:g}"]
    tested = pd.read_csv(run / "predictions.csv")["patient_id"].unique()
    assert calibration["predicted"].tolist() == pytest.approx([predicted[tested].mean()], rel=1e-6)


def test_risk_and_spread_are_mean_and_deviation_over_the_ensemble(project, snn):
    risks = project.predict(snn).set_index("patient_id")
    each = []
    for fold in range(2):
        for seed in range(2):
            one = project.train("snn", fold, seeds=(seed,))
            each.append(project.predict(project.bundle(one)).set_index("patient_id")["risk"])
    np.testing.assert_allclose(risks["risk"], np.mean(each, axis=0), rtol=1e-4)
    np.testing.assert_allclose(risks["spread"], np.std(each, axis=0), rtol=1e-2)
    assert (risks["spread"] > 0).all()


def test_the_group_is_that_of_the_training_cut(project, snn):
    risks = project.predict(snn)
    cut = json.loads((project.folder / "predictions" / "predict.json").read_text())["cut"]
    assert cut == read_card(snn).cut
    assert (risks["group"] == np.where(risks["risk"] > cut, "high", "low")).all()
    assert set(risks["group"]) == {"high", "low"}


def test_survival_falls_with_time(project, snn):
    months = [1.0, 2.5, 5.0, 10.0, 20.0]
    curves = project.predict(snn, months=months)[[f"survival_{month:g}" for month in months]].to_numpy()
    assert ((curves > 0) & (curves < 1)).all()
    assert (np.diff(curves, axis=1) < 0).all()


def test_survival_is_interpolated_fold_by_fold_and_not_beyond_the_follow_up():
    curves = np.array([[[0.8, 0.4]], [[0.6, 0.2]]])
    edges = [np.array([1.0, 10.0, 20.0]), np.array([0.5, 20.0, 40.0])]
    found = mean_survival(curves, edges, [5.0, 10.0, 20.0, 30.0])
    np.testing.assert_allclose(found[0, :3], [(0.9 + 0.9) / 2, (0.8 + 0.8) / 2, (0.4 + 0.6) / 2])
    assert np.isnan(found[0, 3])


def test_survival_is_told_at_the_usual_months_within_the_follow_up(project, snn):
    longest = min(fold["interval_edges"][-1] for fold in read_card(snn).folds)
    assert 60 < longest < 300
    columns = ["survival_12", "survival_36", "survival_60"]
    assert [name for name in project.predict(snn) if name.startswith("survival")] == columns
    asked = project.predict(snn, months=[12.0, 300.0])
    assert asked["survival_300"].isna().all()
    assert asked["survival_12"].notna().all()


def test_missing_genes_are_the_training_mean_and_told(project):
    run = project.train("snn", 0)
    bundle = project.bundle(run)
    table = project.cohort.genomics.families[0].values
    train = [n for n in range(20) if n % 4 != 0]
    mean = table[train, 1].mean()
    filled = project.predict(
        bundle, genomics=project.omics(lambda t: t.assign(A1_rnaseq=mean) if "A1_rnaseq" in t else t)
    )
    dropped = project.predict(bundle, genomics=project.omics(lambda t: t.drop(columns="A1_rnaseq", errors="ignore")))
    np.testing.assert_allclose(dropped["risk"], filled["risk"], rtol=1e-5)
    assert dropped["warnings"].str.contains("1 of 7 gene columns are missing, the training mean taken").all()
    assert not filled["warnings"].str.contains("missing").any()
    record = json.loads((project.folder / "predictions" / "predict.json").read_text())
    assert record["absent_columns"] == ["A1_rnaseq"]


def test_genes_are_found_by_name_in_any_order_and_family(project, snn):
    one, two = project.cohort.genomics.families
    shuffled = replace(
        one,
        name="all",
        columns=(*two.columns[::-1], "UNKNOWN_cnv", *one.columns[::-1]),
        values=np.column_stack([two.values[:, ::-1], np.full(20, 7.0), one.values[:, ::-1]]).astype(np.float32),
    )
    path = project.folder / "shuffled.h5"
    replace(project.cohort.genomics, families=(shuffled,)).write(path)
    pd.testing.assert_frame_equal(project.predict(snn, genomics=path), project.predict(snn))


def test_a_family_without_any_column_is_refused(project, snn):
    genomics = project.omics(lambda t: t.drop(columns=[name for name in t if name.startswith("B")]))
    with pytest.raises(InputError, match="gene family two"):
        project.predict(snn, genomics=genomics)


def test_unusual_genes_are_told(project, snn):
    def change(table):
        table.loc["P03"] = 50.0
        return table

    warnings = project.predict(snn, genomics=project.omics(change)).set_index("patient_id")["warnings"]
    assert "100% of the gene columns lie outside the training range" in warnings["P03"]
    assert not warnings.drop("P03").str.contains("outside").any()


@pytest.mark.parametrize("method", ["ccl", "attmil"])
def test_unusual_features_are_told(project, method):
    bundle = project.bundle(project.train(method, 0), project.train(method, 1))
    before = project.predict(bundle).set_index("patient_id")["warnings"]
    change_features(project, "P03", shift=20.0)
    clusters = project.cohort.clusters
    clusters.centres[3] += 20
    clusters.write(project.folder / "k.h5")
    after = project.predict(bundle).set_index("patient_id")["warnings"]
    assert "from the training mean" in after["P03"]
    assert after.drop("P03").equals(before.drop("P03"))


def test_another_scale_of_slides_and_patches_is_told(project):
    change_features(project, "everyone", attributes={"level0_mpp": 0.25, "target_mpp": 0.5})
    bundle = project.bundle(project.train("attmil", 0))
    assert not project.predict(bundle)["warnings"].str.contains("um/px").any()
    change_features(project, "P03", attributes={"level0_mpp": 0.26, "target_mpp": 0.5})
    change_features(project, "P04", attributes={"level0_mpp": 0.46, "target_mpp": 1.0})
    warnings = project.predict(bundle).set_index("patient_id")["warnings"]
    assert "um/px" in warnings["P04"]
    assert "slides of 0.46 um/px, in training 0.25; patches of 1 um/px, in training 0.5" in warnings["P04"]
    assert "slides of 0.26" not in warnings["P03"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"encoder": "other"}, "differ in the encoder"),
        ({"weights": "hub"}, "differ in the weights of the encoder"),
        ({"width": 7}, "differ in the width"),
    ],
)
def test_features_of_another_origin_are_refused(project, change, expected):
    bundle = project.bundle(project.train("attmil", 0))
    change_features(project, "everyone", **change)
    with pytest.raises(InputError, match=expected):
        project.predict(bundle)
    assert not (project.folder / "predictions").exists()


def test_another_number_of_clusters_is_refused(project):
    bundle = project.bundle(project.train("ccl", 0))
    few = replace(project.cohort.clusters, centres=project.cohort.clusters.centres[:, :2])
    few.write(project.folder / "few.h5")
    with pytest.raises(InputError, match="differ in the number of clusters"):
        project.predict(bundle, clusters=project.folder / "few.h5")


def test_who_lacks_something_is_listed_with_the_reason(project):
    bundle = project.bundle(project.train("mcat", 0))
    whole = project.predict(bundle).set_index("patient_id")

    def change(table):
        if "B0_cnv" in table:
            table.loc["P02"] = np.nan
        return table.drop("P01").rename(index={"P03": "STRANGER"})

    checksum_file(project.folder / "manifest.tsv").unlink()
    rows = (project.folder / "manifest.tsv").read_text().replace("P05-A\tok", "P05-A\texcluded")
    (project.folder / "manifest.tsv").write_text(
        rows.replace("key of P05-A\t11\t", "key of P05-A\t11\ttile: no tissue")
    )
    risks = project.predict(bundle, genomics=project.omics(change)).set_index("patient_id")
    left_out = pd.read_csv(project.folder / "predictions" / "left_out.csv").set_index("patient_id")["reason"]
    assert left_out.to_dict() == {
        "P01": "no row in the omics tables",
        "P02": "no value of the gene family two",
        "P03": "no row in the omics tables",
        "P05": "all slides excluded: P05-A: tile: no tissue",
        "STRANGER": "no slides",
    }
    assert set(risks.index) == set(whole.index) - {"P01", "P02", "P03", "P05"}
    np.testing.assert_allclose(risks["risk"], whole["risk"][risks.index], rtol=1e-5)


def test_nobody_to_judge_is_an_error(project):
    bundle = project.bundle(project.train("mcat", 0))
    genomics = project.omics(lambda table: table.rename(index=lambda name: f"OTHER-{name}"))
    with pytest.raises(ModelError, match="OTHER-P00: no slides"):
        project.predict(bundle, genomics=genomics)


def test_a_file_that_the_method_reads_has_to_be_given(project):
    bundle = project.bundle(project.train("ccl", 0))
    with pytest.raises(ConfigError, match="give --clusters"):
        project.predict(bundle, clusters=None)


def test_months_have_to_be_times(project, snn):
    with pytest.raises(ValidationError, match="greater than 0"):
        project.predict(snn, months=[0.0, 12.0])


def test_synthetic_cohorts_and_random_weights_stand_beside_every_risk(project):
    risks = project.predict(project.bundle(project.train("ccl", 0)))
    assert risks["warnings"].str.startswith("trained on a synthetic cohort; encoder with random weights").all()
