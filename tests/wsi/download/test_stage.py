"""A shard's downloads: several at a time, and what one bad file costs the others."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from ccl.config.cohort_sections import DownloadSettings
from ccl.io.errors import InputError, MachineError, StageError
from ccl.io.formats import ManifestRow
from ccl.io.gdc import GdcFile
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import OnBadSlide, Slide
from ccl.wsi.download.fetch import Server, part_of
from ccl.wsi.download.stage import DownloadStage, read_token
from tests.wsi.download.server import Gdc

NAMES = [f"s{number}.svs" for number in range(6)]


class Cohort:
    """Slides of a server, and the stage that downloads them."""

    def __init__(self, folder: Path, gdc: Gdc, faults: Mapping[str, list[str]]) -> None:
        self.folder, self.gdc = folder, gdc
        files = {name: gdc.add(name, name.encode() * 1000, *faults.get(name, [])) for name in NAMES}
        self.slides = [Slide(name[:-4], "P1", file.below(folder), None) for name, file in files.items()]
        self.files: dict[str, GdcFile] = {name[:-4]: file for name, file in files.items()}

    def download(self, on_bad_slide: OnBadSlide = "fail", **settings: object) -> list[ManifestRow]:
        chosen = DownloadSettings(server=self.gdc.address, **{"retries": 1, **settings})
        stage = DownloadStage(self.folder / "results", chosen, self.slides, self.files, connections=3)
        return run_shard(stage, Shard(self.slides, None, self.folder / "results" / "manifests" / "0.tsv", on_bad_slide))

    @property
    def asked(self) -> int:
        return sum(map(len, self.gdc.ranges.values()))


def test_all_files_are_downloaded_once_and_few_at_a_time(tmp_path: Path, gdc: Gdc) -> None:
    cohort = Cohort(tmp_path, gdc, {})
    rows = cohort.download()
    assert [(row.slide_id, row.status, row.count) for row in rows] == [(name[:-4], "ok", 6000) for name in NAMES]
    assert all(slide.path.read_bytes() == slide.path.name.encode() * 1000 for slide in cohort.slides)
    assert cohort.asked == 6
    assert gdc.most <= 3
    assert cohort.download() == rows
    assert cohort.asked == 6


def test_one_bad_file_does_not_cost_the_others(tmp_path: Path, gdc: Gdc) -> None:
    cohort = Cohort(tmp_path, gdc, {"s0.svs": ["status 404"], "s3.svs": ["drop 10", "status 500", "status 500"]})
    with pytest.raises(StageError) as caught:
        cohort.download()
    said = str(caught.value)
    assert "2 of 6 slides failed" in said
    assert "s0: the server does not have the file" in said
    assert "s3: the download failed again and again" in said
    assert [slide.path.exists() for slide in cohort.slides] == [False, True, True, False, True, True]
    assert part_of(cohort.slides[3].path).stat().st_size == 10
    assert not (tmp_path / "results" / "manifests").exists()
    asked = cohort.asked
    assert {row.status for row in cohort.download()} == {"ok"}
    assert cohort.asked == asked + 2
    assert gdc.ranges["id-s3.svs"][-1] == "bytes=10-"


def test_a_bad_file_is_excluded_if_the_config_says_so(tmp_path: Path, gdc: Gdc) -> None:
    rows = Cohort(tmp_path, gdc, {"s0.svs": ["status 403"]}).download("exclude")
    assert [row.status for row in rows] == ["excluded", *["ok"] * 5]
    assert rows[0].message.startswith("download: the server denies the file")


def test_slides_that_are_there_are_checked_and_kept(tmp_path: Path, gdc: Gdc) -> None:
    cohort = Cohort(tmp_path, gdc, {})
    for slide in cohort.slides[:2]:
        slide.path.parent.mkdir()
    cohort.slides[0].path.write_bytes(b"s0.svs" * 1000)
    cohort.slides[1].path.write_bytes(b"other.")
    rows = cohort.download("exclude")
    assert [row.status for row in rows] == ["ok", "excluded", *["ok"] * 4]
    assert "not the one of the manifest" in rows[1].message
    assert cohort.slides[1].path.read_bytes() == b"other."
    assert cohort.asked == 4


def test_slides_that_the_manifest_does_not_list_are_left_to_the_next_stage(tmp_path: Path, gdc: Gdc) -> None:
    cohort = Cohort(tmp_path, gdc, {})
    del cohort.files["s5"]
    assert [row.status for row in cohort.download()] == ["ok"] * 6
    assert not cohort.slides[5].path.exists()


def test_a_changed_manifest_checks_the_file_again(tmp_path: Path, gdc: Gdc) -> None:
    cohort = Cohort(tmp_path, gdc, {})
    cohort.download()
    cohort.files["s1"] = GdcFile("id-s1.svs", "s1.svs", "0" * 32, 6000)
    with pytest.raises(StageError, match=r"s1: the slide that is there is not the one"):
        cohort.download()


def test_too_small_a_disk_is_told_before_the_start(tmp_path: Path, gdc: Gdc, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = Cohort(tmp_path, gdc, {"s0.svs": ["drop 5000", "status 404"]})
    with pytest.raises(StageError):
        cohort.download()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=999))
    with pytest.raises(StageError, match="no room") as caught:
        cohort.download()
    assert "0.0 GB, by the sizes" in caught.value.expected
    asked = cohort.asked
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    cohort.download()
    assert cohort.asked == asked + 1


def test_a_full_disk_ends_the_stage_with_one_message(tmp_path: Path, gdc: Gdc, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Server, file: GdcFile, path: Path, part: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    cohort = Cohort(tmp_path, gdc, {})
    monkeypatch.setattr(Server, "_transfer", full)
    with pytest.raises(MachineError, match="the disk is full"):
        cohort.download()


def test_a_stop_ends_the_downloads_and_keeps_their_bytes(
    tmp_path: Path, gdc: Gdc, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = Cohort(tmp_path, gdc, {name: ["drop 10"] for name in NAMES})
    begun = threading.Event()

    def stop(*_: object) -> None:
        begun.wait(20)
        raise KeyboardInterrupt

    def lost(text: str) -> None:
        begun.set()

    monkeypatch.setattr("ccl.wsi.download.fetch.say", lost)
    monkeypatch.setattr("ccl.wsi.download.fetch.FIRST_WAIT_S", 60.0)
    monkeypatch.setattr(DownloadStage, "make", stop)
    with pytest.raises(KeyboardInterrupt):
        cohort.download()
    assert not any(slide.path.exists() for slide in cohort.slides)
    assert any(part_of(slide.path).exists() for slide in cohort.slides)
    assert cohort.asked <= 3


def test_the_token_is_read_from_its_file(tmp_path: Path, gdc: Gdc) -> None:
    token = tmp_path / "token.txt"
    token.write_text("secret-token\n")
    Cohort(tmp_path, gdc, {}).download(token=str(token))
    assert set(gdc.tokens) == {"secret-token"}
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != token]
    assert not [path for path in written if b"secret" in path.read_bytes()]


@pytest.mark.parametrize("content", ["", "<html> secret </html>", "sécret"])
def test_a_file_that_holds_no_token_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    (tmp_path / "token.txt").write_text(content)
    with pytest.raises(InputError, match="not a token") as caught:
        read_token(str(tmp_path / "token.txt"))
    assert "cret" not in str(caught.value)
