"""A small cohort of each kind, run through the whole graph once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo
from tests.workflow.workspace import Workspace


def write_folds(cohort: Path) -> None:
    """Write two official-looking folds, each half of the patients the test of the other."""
    rows = (cohort / "patients.csv").read_text().splitlines()[1:]
    patients = sorted(row.split(",")[0] for row in rows)
    (cohort / "folds").mkdir()
    halves = patients[::2], patients[1::2]
    for fold, (train, val) in enumerate([halves, halves[::-1]]):
        lines = [f"{i},{a},{b}" for i, (a, b) in enumerate(zip(train, val, strict=True))]
        (cohort / "folds" / f"splits_{fold}.csv").write_text("\n".join([",train,val", *lines]) + "\n")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which the whole graph has run."""
    folder = tmp_path_factory.mktemp("work space")
    make_demo(folder / "tiny", DemoSettings(patients=8, seed=3, bags=False, shuffle_risk=False))
    make_demo(folder / "bags", DemoSettings(patients=24, seed=3, bags=True, shuffle_risk=False))
    write_folds(folder / "bags")
    workspace = Workspace(folder)
    result = workspace.snakemake()
    assert result.returncode == 0, result.stdout[-6000:]
    return workspace


@pytest.fixture
def workspace(finished: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished workspace to change, times kept."""
    copy = Workspace(tmp_path / "a copy")
    shutil.copytree(finished.folder, copy.folder)
    return copy


@pytest.fixture
def edit(workspace: Workspace) -> Callable[[str, str, str], None]:
    """Replace the first occurrence of a text in a file of the workspace."""

    def replace(name: str, old: str, new: str) -> None:
        path = workspace.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return replace
