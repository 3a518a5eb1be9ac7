"""The example of docs/adding-a-model.md, run as it is printed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ccl.methods
from ccl.config.sections import TrainSettings
from ccl.data.batch import Shape
from ccl.data.fold import Inputs
from ccl.io.files import write_table
from ccl.io.formats import Family, Features, Genomics, ManifestRow, write_manifest
from ccl.methods import METHODS, hyper, load
from ccl.methods.declaration import Method
from ccl.nn.replicas import Replicas
from ccl.train.stage import train_fold

BLCA = Shape((94, 334, 521, 468, 1496, 479), intervals=4, clusters=0, features=1024)

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-model.md").read_text()
DECLARATION, NETWORK = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def method(tmp_path, monkeypatch) -> Iterator[Method]:
    """The method of the page, found by its folder alone."""
    package = tmp_path / "methods" / "latefusion"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(DECLARATION)
    (package / "network.py").write_text(NETWORK)
    monkeypatch.setattr(ccl.methods, "__path__", [*ccl.methods.__path__, str(package.parent)])
    monkeypatch.setattr(ccl.methods, "METHODS", ccl.methods._find())
    yield ccl.methods.METHODS["latefusion"]
    for name in ("ccl.methods.latefusion", "ccl.methods.latefusion.network"):
        sys.modules.pop(name, None)


@pytest.fixture
def inputs(tmp_path) -> Inputs:
    """Twelve patients with a slide and two gene families each."""
    rng = np.random.default_rng(0)
    patients = tuple(f"P{i:02d}" for i in range(12))
    sheet, rows = [], []
    for patient in patients:
        path = tmp_path / f"{patient}.h5"
        Features(rng.normal(size=(9, 8)).astype(np.float32), np.zeros((9, 2), np.int64), "toy", "random", {}).write(
            path, "k"
        )
        sheet.append({"slide_id": patient, "patient_id": patient, "path": "unread.svs", "mpp": 0.5})
        rows.append(ManifestRow(patient, "ok", path, "k", 9, ""))
    write_table(tmp_path / "slides.csv", pd.DataFrame(sheet))
    write_manifest(tmp_path / "manifest.tsv", rows)
    outcomes = {"patient_id": patients, "months": rng.uniform(1, 60, 12), "censorship": [0, 0, 1] * 4}
    write_table(tmp_path / "patients.csv", pd.DataFrame(outcomes))
    roles = ["test" if i % 4 == 0 else "train" for i in range(12)]
    write_table(tmp_path / "folds.csv", pd.DataFrame({"fold": 0, "patient_id": patients, "role": roles}))
    families = (Family("one", ("A", "B"), rng.normal(size=(12, 2))), Family("two", ("C",), rng.normal(size=(12, 1))))
    Genomics(patients, families).write(tmp_path / "genomics.h5")
    files = [tmp_path / name for name in ("patients.csv", "folds.csv", "genomics.h5")]
    return Inputs(*files, None, tmp_path / "slides.csv", (tmp_path / "manifest.tsv",))


@pytest.mark.parametrize("track", ["unified", "native"])
def test_the_example_trains(tmp_path, method, inputs, track):
    settings = TrainSettings(
        epochs=2, lr=1e-3, weight_decay=1e-5, intervals=4, intervals_from="train", sampling="uniform", seeds=(0, 1)
    )
    train_fold(
        cohort="toy", encoder="toy", model="latefusion", method=method.name, fold=0, overrides={"width": 8},
        settings=settings, track=track, inputs=inputs, out=tmp_path / "run", synthetic=True, device="cpu", threads=1,
        bags="disk",
    )  # fmt: skip
    history = pd.read_csv(tmp_path / "run" / "history.csv")
    assert list(history.columns[3:5]) == ["nll", "agreement"]
    assert len(history) == 2 * (2 if track == "unified" else 20)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["hyper"]["width"] == 8


def test_the_example_has_the_parameters_that_it_declares(method):
    assert set(ccl.methods.METHODS) == {*METHODS, "latefusion"}
    model = load(method.name).Model(BLCA, hyper(method.name, {}), Replicas((0,)))
    assert sum(weight.numel() for weight in model.parameters()) == method.parameters


def test_the_example_is_short():
    assert DECLARATION.count("\n") + NETWORK.count("\n") < 75
