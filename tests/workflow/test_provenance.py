"""Where the results of a whole run come from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ccl.results.provenance import trace
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.xdist_group("graph")


@pytest.mark.parametrize(
    "name",
    [
        "report/figures/tiny.resnet50.ccl.kaplan_meier.svg",
        "report/tables/c_index.csv",
        "tiny/evaluate/resnet50/ccl/evaluation.json",
        "tiny/train/resnet50/ccl/fold0/predictions.csv",
    ],
)
def test_each_result_leads_back_to_every_slide_and_table(finished: Workspace, name: str) -> None:
    chain = trace(finished.folder / "results" / name)
    assert (chain.broken, chain.unknown) == ([], [])
    given = {path for path, source in chain.files.items() if source.kind == "given"}
    tables = {finished.folder / "tiny" / f"{table}.csv" for table in ("patients", "rna", "cnv", "snv")}
    assert given >= {*tables, *(finished.folder / "tiny" / "slides").iterdir()}
    if name.startswith("report/figures"):
        assert not any("bags" in path.parts for path in given)


def test_a_copy_is_traced_and_a_changed_table_breaks_the_chain(workspace: Workspace) -> None:
    with (workspace.folder / "tiny" / "rna.csv").open("a") as table:
        table.write("\n")
    command = [Path(sys.executable).parent / "ccl", "provenance", "results/tiny/evaluate/resnet50/ccl/risks.csv"]
    done = subprocess.run(command, cwd=workspace.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "tiny/rna.csv: changed since it was read" in done.stdout
    assert done.stdout.count("BROKEN") == 1
