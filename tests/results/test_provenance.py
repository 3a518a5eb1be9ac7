"""Where a result comes from: a whole chain, a broken one, one that was moved, and one that was not recorded."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from prov import model as prov

from ccl.cli import cli
from ccl.io.files import write_json, write_text
from ccl.io.formats import ManifestRow, Tiles, write_manifest
from ccl.io.origin import git_state, record
from ccl.io.sheets import Slide
from ccl.results.provenance import trace
from ccl.wsi.reader.opening import slide_fingerprint


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A result of two jobs, on a slide and a table of the user's: a, b -> tile -> out."""
    data, results = tmp_path / "data", tmp_path / "results"
    data.mkdir()
    (data / "slide.svs").write_bytes(b"pixels")
    (data / "table.csv").write_text("patient_id\na\n")
    slide = Slide("A", "a", data / "slide.svs", None)
    Tiles(np.zeros((1, 2), np.int64), {}).write(results / "tile" / "A.h5", "k")
    manifest = results / "tile" / "manifests" / "0.tsv"
    write_manifest(manifest, [ManifestRow("A", "ok", results / "tile" / "A.h5", "k", 1, "")])
    record("tile", 1, outputs=[manifest], inputs={}, slides={slide.path: slide_fingerprint(slide)})
    write_json(results / "train" / "run.json", {"seed": 3}, checksum=True)
    record(
        "train",
        2,
        outputs=[results / "train" / "run.json"],
        inputs={"manifest": [manifest], "table": data / "table.csv"},
        settings={"seeds": [3]},
    )
    write_text(results / "report" / "figures" / "c.svg", "<svg/>")
    write_text(results / "report" / "report.html", "page")
    record(
        "report",
        3,
        outputs=[results / "report" / "report.html", results / "report" / "figures" / "c.svg"],
        inputs={"run": results / "train" / "run.json"},
    )
    return tmp_path


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, ["provenance", *map(str, words)])


def test_a_figure_leads_back_to_slides_and_tables(project: Path) -> None:
    done = call(project / "results/report/figures/c.svg")
    assert done.exit_code == 0, done.output
    for text in ("made by report (version 3)", "made by train (version 2)", "made by tile (version 1)", ", 1 slide"):
        assert text in done.output
    for text in ("table.csv", "slide.svs", '"seeds": [3]', "torch ", "machine: ", "commit "):
        assert text in done.output
    assert "the chain is whole: 3 jobs, 4 files read" in done.output


def test_a_slides_own_file_leads_back_to_the_slide(project: Path) -> None:
    chain = trace(project / "results/tile/A.h5")
    assert [path.name for path in chain.files] == ["slide.svs"]
    assert not chain.broken


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("data/table.csv", "table.csv: changed since it was read"),
        ("data/slide.svs", "slide.svs: changed since it was read"),
        ("results/train/run.json", "run.json: changed since it was"),
        ("results/report/figures/c.svg", "c.svg: changed since it was written"),
    ],
)
def test_a_file_that_changed_or_is_gone_breaks_the_chain(project: Path, name: str, found: str) -> None:
    path = project / name
    path.write_text("something else")
    done = call(project / "results/report/figures/c.svg")
    assert done.exit_code == 1
    assert "BROKEN: " in done.output
    assert found in done.output
    if not name.endswith("svg"):
        path.unlink()
        done = call(project / "results/report/figures/c.svg")
        assert (done.exit_code, f"{path.name}: missing" in done.output) == (1, True)


def test_a_patch_file_that_the_manifest_does_not_list_breaks_the_chain(project: Path) -> None:
    (project / "results/tile/A.h5").unlink()
    assert "A.h5: missing" in call(project / "results/train/run.json").output


def test_a_moved_project_is_traced_and_moved_results_find_the_data_by_name(project: Path, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere"
    there.mkdir()
    for name in ("data", "results"):
        shutil.move(project / name, there / name)
    assert call(there / "results/report/report.html").exit_code == 0
    shutil.move(there / "data", tmp_path / "archive")
    assert call(there / "results/report/report.html").exit_code == 1
    assert call(there / "results/report/report.html", "--data", tmp_path / "archive").exit_code == 0


def test_a_result_of_an_older_version_is_said_to_be_not_recorded(project: Path) -> None:
    shutil.rmtree(project / "results/train/.origin")
    done = call(project / "results/report/report.html")
    assert done.exit_code == 0
    assert "not recorded: " in done.output
    assert "whole, as far as it is recorded: 1 job, 1 file read" in done.output


@pytest.mark.parametrize("content", ["{", "[" * 100_000, '{"stage": 1, "outputs": [], "inputs": []}'])
def test_a_damaged_record_breaks_the_chain_and_nothing_else(project: Path, content: str) -> None:
    (project / "results/train/.origin/run.json.json").write_text(content)
    done = call(project / "results/report/report.html")
    assert done.exit_code == 1
    assert "BROKEN: " in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_a_record_of_others_neither_controls_the_terminal_nor_has_devices_read(project: Path) -> None:
    path = project / "results/train/.origin/run.json.json"
    record = json.loads(path.read_text())
    record["settings"] = {"\x1b[2J": 1}
    record["inputs"] = [{"use": "\x1b]0;title\x07", "file": "/dev/zero", "sha256": "0"}]
    path.write_text(json.dumps(record))
    done = call(project / "results/report/report.html")
    assert "/dev/zero: missing" in done.output
    assert "\x1b" not in done.output
    assert "\x07" not in done.output


def test_the_json_is_prov_that_the_reference_library_reads(project: Path) -> None:
    done = call(project / "results/report/figures/c.svg", "--json")
    document = prov.ProvDocument.deserialize(content=done.output, format="json")
    expected = {"ProvEntity": 6, "ProvActivity": 3, "ProvAgent": 1, "ProvUsage": 4, "ProvGeneration": 4}
    assert {kind: len(list(document.get_records(getattr(prov, kind)))) for kind in expected} == expected


def test_a_record_says_of_which_commit_the_working_folder_is(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=n", "-c", "user.email=e@x", *words], check=True)

    assert git_state(tmp_path) is None
    git("init", "-q")
    (tmp_path / "config.yaml").write_text("a: 1")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    state = git_state(tmp_path)
    assert state is not None
    assert (len(state["commit"]), state["changed"]) == (40, False)
    (tmp_path / "config.yaml").write_text("a: 2")
    assert git_state(tmp_path) == {"commit": state["commit"], "changed": True}
