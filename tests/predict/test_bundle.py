"""Bundles: their contents; they can be moved; a changed bundle is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from ccl.io.checksums import checksum_file
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import digest
from ccl.predict.card import read_card


def test_a_bundle_says_what_it_is(project, snn):
    card = read_card(snn)
    assert (card.method, card.cohort, card.encoder, card.weights, card.synthetic) == (
        "snn",
        "toy",
        "none",
        "none",
        True,
    )
    assert card.hyper["width"] == 16
    assert (card.networks, card.n_patients, card.n_events) == (4, 20, 16)
    assert [list(columns) for columns in card.families.values()] == [
        [f"A{i}_rnaseq" for i in range(4)],
        [f"B{i}_cnv" for i in range(3)],
    ]
    for fold in card.folds:
        run = json.loads((project.folder / "snn" / f"fold{fold['fold']}" / "run.json").read_text())
        assert fold["interval_edges"] == run["interval_edges"]
    assert (card.licence, card.intended_use) == ("mine", "to be tested")
    assert card.versions["ccl"]


def test_all_networks_and_scalers_are_in_the_bundle(project, snn):
    tensors = load_file(snn / "model.safetensors")
    for fold in range(2):
        for name, value in load_file(project.folder / "snn" / f"fold{fold}" / "model.safetensors").items():
            np.testing.assert_array_equal(tensors[f"fold{fold}/{name}"], value)


def test_the_cut_is_the_median_of_the_out_of_fold_risks_of_the_last_epoch(project, snn):
    tables = [pd.read_csv(project.folder / "snn" / f"fold{fold}" / "predictions.csv") for fold in range(2)]
    last = pd.concat(tables).query("epoch == 2")
    assert read_card(snn).cut == pytest.approx(last.groupby("patient_id")["risk"].mean().median())


def test_a_bundle_can_be_moved(project, snn):
    before = project.predict(snn)
    there = project.folder / "elsewhere" / "of another name"
    shutil.move(snn, there)
    for fold in range(2):
        shutil.rmtree(project.folder / "snn" / f"fold{fold}")
    pd.testing.assert_frame_equal(before, project.predict(there))


def test_changed_weights_are_refused(project, snn):
    path = snn / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="the bundle was changed"):
        project.predict(snn)
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        project.predict(snn)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"cut": -', '"cut": -1', "was changed"),
        ("A0_rnaseq", "A9_rnaseq", "was changed"),
        ('"format": 1', '"format": 2', "format 2"),
        ('"licence"', '"license"', "not a bundle"),
    ],
)
def test_a_changed_card_is_refused(project, snn, old, new, expected):
    path = snn / "bundle.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=expected):
        project.predict(snn)
    assert not (project.folder / "predictions").exists()


def test_folds_that_do_not_belong_together_are_refused(project):
    runs = project.train("snn", 0), project.train("snn", 1, seeds=(0, 1))
    with pytest.raises(InputError, match="the folds differ in their"):
        project.bundle(*runs)


@pytest.mark.parametrize("file", ["genomics", "patients"])
def test_other_files_than_those_of_the_training_are_refused(project, file):
    run = project.train("snn", 0)
    if file == "genomics":
        checksum_file(project.folder / "genomics.h5").unlink()
        project.omics(lambda table: table * 2).replace(project.folder / "genomics.h5")
    else:
        project.cohort.outcomes.assign(months=lambda t: t.months * 2).to_csv(project.folder / "patients.csv")
    with pytest.raises(InputError, match="not the files that the fold was trained on"):
        project.bundle(run)
    assert not list(project.folder.glob("bundle*/*"))


def test_a_bundle_of_slides_needs_the_slides(project):
    run = project.train("attmil", 0)
    assert project.bundle(run)
    project.files = lambda method: {}
    with pytest.raises(ConfigError, match="give --slides"):
        project.bundle(run)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("folds", 5),
        ("seeds", "x"),
        ("families", [1]),
        ("weights", 3),
        ("method", ["snn"]),
        ("scales", 3),
        ("cut", "high"),
        ("n_patients", None),
        ("cohort", "../../elsewhere"),
        ("encoder", "../../elsewhere"),
    ],
)
def test_a_bundle_with_a_fitting_key_but_another_content_is_refused(snn, entry, value):
    path = snn / "bundle.json"
    entries = json.loads(path.read_text()) | {entry: value}
    del entries["key"]
    path.write_text(json.dumps(entries | {"key": digest(entries)}))
    with pytest.raises(InputError, match=f"not a bundle that this version of ccl reads[\\s\\S]*{entry}"):
        read_card(snn)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe{}", b"[" * 100_000, b"[1]", b""], ids=["UTF-16", "deep", "list", "empty"]
)
def test_what_is_no_bundle_is_refused(snn, content):
    (snn / "bundle.json").write_bytes(content)
    with pytest.raises(InputError, match=r"bundle\.json"):
        read_card(snn)
