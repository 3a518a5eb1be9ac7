"""A cohort whose slides are downloaded: planned before there is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ccl.io.errors import CclError, ConfigError, InputError
from ccl.plan import Plan
from tests.plan.conftest import job

MD5 = "0" * 32


@pytest.fixture
def download(plan: Callable[..., Plan], config: dict[str, Any], tmp_path: Path) -> Callable[..., Plan]:
    """Return a function that plans a cohort of two slides, of which the manifest lists one, with `download`."""
    (tmp_path / "slides.csv").write_text("slide_id,patient_id,path\nA,P1,gdc/id-a/a.svs\nB,P2,own/b.svs\n")
    (tmp_path / "manifest.txt").write_text(f"id\tfilename\tmd5\tsize\nid-a\ta.svs\t{MD5}\t5\nid-c\tc.svs\t{MD5}\t5\n")

    def make(cohort: dict[str, Any] | None = None, **keys: Any) -> Plan:
        entry = {**config["cohorts"]["blca"], "download": {"manifest": "manifest.txt", **keys}, **(cohort or {})}
        return plan(cohorts={"blca": entry}, shards=1)

    return make


def test_a_shard_waits_for_the_download_of_its_slides(download: Callable[..., Plan], tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "b.svs").touch()
    shard = job(cohort="blca", shard=0)
    made = download()
    assert made.inputs.downloaded(shard) == ["<results>/{cohort}/download/manifests/{shard}.tsv"]
    assert made.inputs.slide_files(shard) == [str(tmp_path / "own" / "b.svs")]
    (tmp_path / "gdc" / "id-a").mkdir(parents=True)
    (tmp_path / "gdc" / "id-a" / "a.svs").touch()
    assert download().inputs.slide_files(shard) == [str(tmp_path / "own" / "b.svs")]
    manifest = "results/blca/download/manifests/0.tsv"
    assert made.options.tissue(shard) == f"{made.options.section('tissue')(shard)} --upstream {manifest}"


def test_without_a_download_nothing_changes(plan: Callable[..., Plan]) -> None:
    made, shard = plan(), job(cohort="blca", shard=0)
    assert made.inputs.downloaded(shard) == []
    assert "--upstream" not in made.options.tissue(shard)
    assert "download" not in json.loads(made.options.config(shard))["cohorts"]["blca"]


def test_only_what_a_shard_downloads_makes_it_run_again(download: Callable[..., Plan], tmp_path: Path) -> None:
    shard, path = job(cohort="blca", shard=0), tmp_path / "manifest.txt"
    before = download().options.downloads(shard)
    path.write_text(path.read_text().replace("c.svs", "d.svs"))
    assert download().options.downloads(shard) == before
    path.write_text(path.read_text().replace("\t5\n", "\t6\n", 1))
    assert download().options.downloads(shard) != before


def test_the_options_of_a_download(download: Callable[..., Plan], tmp_path: Path) -> None:
    (tmp_path / "token.txt").touch()
    made, shard = download(token="token.txt", retries=2, connections=7), job(cohort="blca", shard=0)
    said = made.options.download(shard)
    assert said == f"--server https://api.gdc.cancer.gov/data/ --token {tmp_path / 'token.txt'} --retries 2"
    assert made.options.connections(shard) == 7


@pytest.mark.parametrize(
    ("cohort", "keys", "expected"),
    [
        ({}, {"manifest": "other.txt"}, "download: manifest: there is no "),
        ({}, {"token": "token.txt"}, "download: token: there is no "),
        ({}, {"server": "ftp://gdc"}, "download: server: found .*expected text of the form"),
        ({}, {"server": "http://gdc.org", "token": "manifest.txt"}, "only to a `server` whose address is https"),
        ({}, {"server": "http://localhost.evil.org", "token": "manifest.txt"}, "only to a `server` whose address is"),
        ({}, {"connections": 0}, "connections: found 0; expected a whole number, at least 1"),
        ({"features": {"uni": "."}}, {}, "no use beside `features`"),
        ({"slides": None}, {}, "`download` needs `slides`"),
    ],
)
def test_what_cannot_be_downloaded_is_refused(
    download: Callable[..., Plan], cohort: dict[str, Any], keys: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        download(cohort, **keys)


def test_a_manifest_of_other_slides_is_refused(download: Callable[..., Plan], tmp_path: Path) -> None:
    (tmp_path / "manifest.txt").write_text(f"id\tfilename\tmd5\tsize\nid-x\tx.svs\t{MD5}\t5\n")
    with pytest.raises(InputError, match="lists no slide of the sheet") as caught:
        download()
    assert "id-x/x.svs" in caught.value.found
    assert "gdc/id-a/a.svs" in caught.value.found


def test_a_broken_manifest_is_refused(download: Callable[..., Plan], tmp_path: Path) -> None:
    (tmp_path / "manifest.txt").write_text("id\tfilename\tmd5\tsize\nid-x\tx.svs\tabc\t5\n")
    with pytest.raises(CclError, match="not a line of a GDC manifest"):
        download()
