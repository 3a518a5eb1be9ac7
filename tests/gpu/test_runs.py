"""Runs on the GPU: killed and resumed, predicted by the CPU, and explained there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ccl.config.sections import BundleSettings
from ccl.methods import METHODS, load
from ccl.predict.bundle import make_bundle
from ccl.train import stage as run
from ccl.train.reload import RISK_TOLERANCE
from tests.components.conftest import Drawn
from tests.data.conftest import Cohort
from tests.explain.conftest import Planted
from tests.predict.conftest import Project

PATIENTS, TESTED, EPOCHS = 12, 3, 2
RESUMED = 1e-4
"""How far the risks of a resumed run may be from those of an uninterrupted one: a GPU adds in no fixed order."""


class Killed(BaseException):
    """As if the process had been killed."""


def train(project: Project, method: str, device: torch.device, out: Path) -> Path:
    """Train a small network of a method."""
    known = {item.name for item in fields(load(method).Hyper)}
    small = {name: 16 for name in ("width", "hidden") if name in known}
    arguments = project.cohort.arguments(project.folder, model=method, overrides=small, epochs=EPOCHS)
    run.train_fold(**arguments | {"inputs": project.inputs(method), "out": out, "device": device.type})
    return out


def risks(folder: Path) -> pd.Series:
    """Return the risks after the last epoch."""
    table = pd.read_csv(folder / "predictions.csv")
    return table[table["epoch"] == table["epoch"].max()].set_index("patient_id")["risk"]


@pytest.fixture(scope="module")
def project(make_cohort: Callable[..., Cohort], tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("toy"), make_cohort(PATIENTS))


@pytest.fixture(scope="module")
def trained(project: Project, gpu: torch.device) -> Callable[[str], Path]:
    """Return the folder of a method's run on the GPU, trained once."""

    def get(method: str) -> Path:
        out = project.folder / method
        return out if out.exists() else train(project, method, gpu, out)

    return get


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    method: str,
    project: Project,
    trained: Callable[[str], Path],
    gpu: torch.device,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, save = trained(method), run.save_checkpoint

    def save_and_die(*given: object) -> None:
        save(*given)
        raise Killed

    monkeypatch.setattr(run, "save_checkpoint", save_and_die)
    with pytest.raises(Killed):
        train(project, method, gpu, tmp_path)
    monkeypatch.undo()
    assert list(tmp_path.glob("checkpoint*"))
    resumed = train(project, method, gpu, tmp_path)
    same = (resumed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    print(f"{method}: {'the same' if same else 'not the same'} to the last bit")
    assert len(risks(whole)) == TESTED
    np.testing.assert_allclose(risks(resumed), risks(whole), rtol=0, atol=RESUMED)


@pytest.mark.parametrize("method", METHODS)
def test_a_bundle_of_the_gpu_predicts_on_the_cpu(
    method: str, project: Project, trained: Callable[[str], Path], gpu: torch.device
) -> None:
    stored, bundle = risks(trained(method)), project.folder / f"bundle of {method}"
    settings = BundleSettings("mine", "to be tested")
    make_bundle(runs=[trained(method)], inputs=project.inputs(method), out=bundle, settings=settings, preprocessing={})
    assert len(stored) == TESTED
    for device in ("cpu", gpu.type):
        found = project.predict(bundle, device=device).set_index("patient_id")["risk"][stored.index]
        print(f"{method}, {device}: risks differ by at most {np.abs(found - stored).max():.1e}")
        np.testing.assert_allclose(found, stored, rtol=0, atol=RISK_TOLERANCE)


@pytest.mark.parametrize("method", ["ccl", "transmil", "mcat"])
def test_patients_are_explained_on_the_cpu(method: str, planted: Planted, gpu: torch.device, tmp_path: Path) -> None:
    folders = planted.train(method, tmp_path / "runs", device=gpu.type, settings={"epochs": 2, "seeds": (0,)})
    assert list(planted.explain(method, folders, tmp_path / "out", count=1).glob("*/explanation.html"))


def test_components_are_found_on_the_cpu(drawn: Drawn, gpu: torch.device, tmp_path: Path) -> None:
    assert (drawn.components(drawn.train(tmp_path / "runs", device=gpu.type), tmp_path) / "components.csv").exists()
