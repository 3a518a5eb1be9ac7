"""Methods that read whole bags: what they are given, and how training goes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ccl.data.fold import Inputs, load_fold
from ccl.io.checksums import checksum_file
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import write_table
from ccl.io.formats import Features, ManifestRow, write_manifest
from ccl.methods import get_method
from ccl.train.stage import train_fold
from ccl.train.store import load_model

from .conftest import INTERVALS, Cohort

SMALL = {"width": 8, "hidden": 8}


@pytest.fixture
def bags(tmp_path, cohort):
    """A folder with the cohort's files, and features: two slides for each even patient, one for the others."""
    return write_bags(tmp_path, cohort)


def write_bags(folder: Path, cohort: Cohort) -> Path:
    cohort.arguments(folder)
    rng = np.random.default_rng(1)
    sheet, rows = [], []
    for number, patient in enumerate(cohort.genomics.patients):
        signal = cohort.genomics.families[0].values[number, 0]
        for slide in [f"{patient}-{letter}" for letter in "AB"[: 2 - number % 2]]:
            features = rng.normal(size=(6 + number, 8)).astype(np.float16)
            features[:, 0] += signal
            path = folder / "features" / f"{slide}.h5"
            coords = np.zeros((len(features), 2), np.int64)
            Features(features, coords, "toy", "random", {}).write(path, f"key of {slide}")
            sheet.append({"slide_id": slide, "patient_id": patient, "path": "unread.svs", "mpp": 0.5})
            rows.append(ManifestRow(slide, "ok", path, f"key of {slide}", len(features), ""))
    write_table(folder / "slides.csv", pd.DataFrame(sheet))
    write_manifest(folder / "manifest.tsv", rows)
    return folder


def inputs(folder: Path) -> Inputs:
    files = [folder / name for name in ("patients.csv", "folds.csv")]
    return Inputs(*files, None, None, folder / "slides.csv", (folder / "manifest.tsv",))


def train(folder: Path, cohort: Cohort, *, overrides=None, bags="disk", out="run", **settings) -> Path:
    arguments = cohort.arguments(folder, model="attmil", overrides=SMALL | (overrides or {}), **settings)
    train_fold(**arguments | {"inputs": inputs(folder), "bags": bags, "out": folder / out, "encoder": "toy"})
    return folder / out


def test_a_bag_is_the_slides_of_a_patient_one_after_the_other(bags, cohort):
    fold = load_fold(get_method("attmil").reads, inputs(bags), 0, **INTERVALS)
    assert (fold.shape.features, fold.shape.families, fold.weights) == (8, (), "random")
    batches = list(fold.test.batches())
    assert len(batches) == 5
    for patient, batch in zip(fold.test.patients, batches, strict=True):
        slides = sorted((bags / "features").glob(f"{patient}-*.h5"))
        expected = np.concatenate([Features.read(path).features for path in slides])
        assert batch.bag.dtype == torch.float32
        np.testing.assert_array_equal(batch.bag[0].numpy(), expected.astype(np.float32))
        assert batch.genomics == ()


def test_kept_in_memory_or_read_anew_the_numbers_are_the_same(bags, cohort):
    disk, memory = (train(bags, cohort, bags=kind, out=kind) for kind in ("disk", "memory"))
    assert (disk / "predictions.csv").read_bytes() == (memory / "predictions.csv").read_bytes()


def test_a_seed_gives_the_same_model_alone_or_after_another(bags, cohort):
    one, two = train(bags, cohort, out="one", seeds=(3,)), train(bags, cohort, out="two", seeds=(0, 3))
    first, second = (pd.read_csv(out / "predictions.csv") for out in (one, two))
    pd.testing.assert_frame_equal(first, second.query("seed == 3").reset_index(drop=True))
    assert pd.read_csv(two / "history.csv")["seed"].tolist() == [0, 0, 3, 3]
    run = json.loads((two / "run.json").read_text())
    assert (run["weights"], run["track"], run["cost"]["seeds_per_step"]) == ("random", "unified", 1)
    assert run["cost"]["peak_memory_mb"] > 0
    assert run["cost"]["seconds_per_step"] > 0
    state = [load_model(two / "model.safetensors", seed)[0].state_dict()["head.weight"] for seed in (0, 3)]
    assert not torch.equal(*state)


def test_the_planted_patches_are_learnt(bags, cohort):
    out = train(bags, cohort, epochs=25, lr=0.05, overrides={"dropout": 0.0})
    assert pd.read_csv(out / "history.csv")["c_index_train"].iloc[-1] > 0.85


def test_the_native_track_is_the_authors_own(bags, cohort):
    run = json.loads((train(bags, cohort, track="native") / "run.json").read_text())
    assert run["track"] == "native"
    assert {key: run["recipe"][key] for key in ("optimiser", "lr", "epochs", "accumulate", "sampling")} == {
        "optimiser": "adam", "lr": 2e-4, "epochs": 20, "accumulate": 32, "sampling": "weighted",
    }  # fmt: skip
    assert len(pd.read_csv(bags / "run" / "history.csv")) == 20


def test_a_killed_run_goes_on_exactly(bags, cohort, monkeypatch):
    whole = train(bags, cohort, out="whole", track="native", seeds=(0, 1))
    import ccl.train.stage as stage

    save, count = stage.save_checkpoint, [0]

    def killed(*arguments):
        save(*arguments)
        count[0] += 1
        if count[0] == 25:  # in the second seed
            raise KeyboardInterrupt

    monkeypatch.setattr(stage, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        train(bags, cohort, out="halves", track="native", seeds=(0, 1))
    monkeypatch.undo()
    halves = train(bags, cohort, out="halves", track="native", seeds=(0, 1))
    assert (whole / "predictions.csv").read_bytes() == (halves / "predictions.csv").read_bytes()
    assert not list(halves.glob("checkpoint*"))


def broken(folder: Path, features: np.ndarray, encoder: str = "toy", weights: str = "random") -> None:
    path = folder / "features" / "P03-A.h5"
    coords = np.zeros((len(features), 2), np.int64)
    Features(features, coords, encoder, weights, {}).write(path, "key of P03-A")


@pytest.mark.parametrize(
    ("features", "encoder", "expected"),
    [
        (np.zeros((5, 7), np.float32), "toy", "toy \\(8-d, weights random\\) beside toy \\(7-d"),
        (np.zeros((5, 8), np.float32), "other", "beside other"),
        (np.full((5, 8), np.nan, np.float32), "toy", "not finite \\(slide P03-A\\)"),
    ],
)
def test_unfit_features_are_named(bags, cohort, features, encoder, expected):
    broken(bags, features, encoder)
    with pytest.raises(InputError, match=expected):
        train(bags, cohort)
    assert not (bags / "run" / "model.safetensors").exists()


def test_a_bag_of_another_width_is_found_before_training(bags, cohort):
    broken(bags, np.zeros((5, 7), np.float32))
    with pytest.raises(InputError, match="P03-A"):
        load_fold(get_method("attmil").reads, inputs(bags), 0, **INTERVALS)


def test_bags_that_do_not_fit_into_memory_are_refused(bags, cohort, monkeypatch):
    monkeypatch.setattr("ccl.data.bags.SHARE_OF_MEMORY", 0.0)
    with pytest.raises(ConfigError, match="bags: disk"):
        train(bags, cohort, bags="memory")


def test_a_patient_without_usable_slides_is_left_out_with_the_reason(bags, cohort):
    checksum_file(bags / "manifest.tsv").unlink()
    manifest = (bags / "manifest.tsv").read_text().splitlines()
    for number, line in enumerate(manifest):
        if line.startswith("P05-A"):
            slide, _, *rest = line.split("\t")
            manifest[number] = "\t".join([slide, "excluded", *rest[:-1], "tile: no tissue"])
    (bags / "manifest.tsv").write_text("\n".join(manifest) + "\n")
    run = json.loads((train(bags, cohort) / "run.json").read_text())
    assert run["left_out"] == {"P05": "all slides excluded: P05-A: tile: no tissue"}
