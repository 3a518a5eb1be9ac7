"""Features made by other tools through the graph: a cohort of files, no slides, no coordinates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccl.io.formats import Clusters, Features
from tests.io.interop import layouts
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.xdist_group("graph")


def to_clam(folder: Path, name: str, made: Features) -> Path:
    return layouts.clam_pt(folder / "pt_files" / f"{name}.pt", made.features)


def to_stamp(folder: Path, name: str, made: Features) -> Path:
    return layouts.stamp(folder / f"{name}.h5", made.features, made.coords * 0.5)


@pytest.mark.parametrize(("write", "encoder"), [(to_clam, "unknown"), (to_stamp, "ctranspath")], ids=["clam", "stamp"])
def test_features_of_other_tools_are_clustered(
    workspace: Workspace, write: Callable[[Path, str, Features], Path], encoder: str
) -> None:
    bags, sheet = workspace.folder / "bags", workspace.folder / "bags" / "slides.csv"
    slides = pd.read_csv(sheet).assign(path=lambda table: "scans/" + table["slide_id"].str.lower() + ".svs")
    slides.to_csv(sheet, index=False)
    for row in slides.itertuples():
        write(bags / "other", Path(row.path).stem, Features.read(bags / "features" / f"{row.slide_id}.h5"))
    workspace.set("cohorts.bags.features", {"theirs": "bags/other"})
    result = workspace.snakemake("results/bags/cluster/theirs/k3.h5")
    assert result.returncode == 0, result.stdout[-4000:]
    theirs, ours = (
        Clusters.read(workspace.folder / "results" / "bags" / "cluster" / name / "k3.h5")
        for name in ("theirs", "planted")
    )
    assert (theirs.encoder, theirs.weights) == (encoder, "imported")
    assert theirs.patients == ours.patients
    np.testing.assert_allclose(theirs.centres, ours.centres, atol=0.02 if encoder == "ctranspath" else 1e-6)
    file = min((bags / "other").rglob("*-a.*"))
    write(bags / "other", file.stem, Features(np.ones((9, 128), np.float32), np.zeros((9, 2)), "", "", {}))
    planned = workspace.planned("results/bags/cluster/theirs/k3.h5")
    assert planned == {"import_features": 1, "cluster": 1}
