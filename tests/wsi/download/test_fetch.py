"""One file from a server that fails in every way: complete and right under its name, or not there at all."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from ccl.io.errors import SlideError
from ccl.wsi.download import fetch
from ccl.wsi.download.fetch import Server, missing_bytes, part_of
from tests.wsi.download.server import Gdc

CONTENT = np.random.default_rng(0).bytes(3_000_000)
"""Three blocks."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "id" / "a slide.svs"


def only(path: Path) -> bool:
    """Return whether nothing else lies beside a file."""
    return list(path.parent.iterdir()) == [path]


def test_a_file_is_downloaded(gdc: Gdc, path: Path) -> None:
    Server(gdc.address).fetch(gdc.add("a.svs", CONTENT), path)
    assert path.read_bytes() == CONTENT
    assert only(path)
    assert gdc.ranges["id-a.svs"] == [None]


@pytest.mark.parametrize(
    ("faults", "ranges"),
    [
        (["drop 1000"], [None, "bytes=1000-"]),
        (["drop 1000", "drop 5", "status 503"], [None, "bytes=1000-", "bytes=1005-", "bytes=1005-"]),
        (["drop 1000", "no range"], [None, "bytes=1000-"]),
        (["drop 1000", "no range10", ""], [None, "bytes=1000-", "bytes=10-"]),
        (["drop 1000", "other place"], [None, "bytes=1000-", "bytes=1000-"]),
        (["drop 1000", "wrong bytes"], [None, "bytes=1000-", None]),
        (["drop 1000", "status 416"], [None, "bytes=1000-", None]),
        (["status 500", "status 429", "status 502"], [None] * 4),
        (["wrong bytes"], [None, None]),
        (["unsized"], [None]),
    ],
)
def test_failures_that_pass_end_in_the_right_file(
    gdc: Gdc, path: Path, faults: list[str], ranges: list[str | None]
) -> None:
    Server(gdc.address).fetch(gdc.add("a.svs", CONTENT, *faults), path)
    assert path.read_bytes() == CONTENT
    assert only(path)
    assert gdc.ranges["id-a.svs"] == ranges


@pytest.mark.parametrize(
    ("faults", "problem", "found", "todo", "asked"),
    [
        (["status 404"], "does not have the file", "HTTP 404", "new manifest", 1),
        (["status 403"], "denies the file", "HTTP 403", "download: token", 1),
        (["status 401"], "denies the file", "HTTP 401", "download: token", 1),
        (["status 400"], "refuses the file", "HTTP 400", "download: server", 1),
        (["page"], "has another file", "25 bytes of text/html", "proxy", 1),
        (["status 500"] * 9, "failed again and again", "HTTP 500", "run again", 3),
        (["wrong bytes"] * 9, "failed again and again", "MD5 sum", "new manifest", 2),
        (["drop 10"] + ["drop 0"] * 9, "failed again and again", "10 bytes are there", "continues", 4),
    ],
)
def test_failures_that_stay_are_told_and_leave_no_file(
    gdc: Gdc, path: Path, faults: list[str], problem: str, found: str, todo: str, asked: int
) -> None:
    file = gdc.add("a.svs", CONTENT, *faults)
    with pytest.raises(SlideError) as caught:
        Server(gdc.address, retries=2).fetch(file, path)
    error = caught.value
    assert problem in error.problem
    assert found in error.found
    assert todo in error.todo
    assert f"{gdc.address}id-a.svs" in error.where
    assert error.expected
    assert not path.exists()
    assert len(gdc.ranges["id-a.svs"]) == asked


def test_progress_of_any_size_is_no_failure(gdc: Gdc, path: Path) -> None:
    file = gdc.add("a.svs", CONTENT[:40], *["drop 1"] * 39)
    Server(gdc.address, retries=0).fetch(file, path)
    assert path.read_bytes() == CONTENT[:40]


def test_a_server_that_ignores_ranges_and_drops_is_given_up(gdc: Gdc, path: Path) -> None:
    file = gdc.add("a.svs", CONTENT, *["no range500"] * 99)
    with pytest.raises(SlideError, match="500 bytes are there"):
        Server(gdc.address, retries=2).fetch(file, path)
    assert len(gdc.ranges["id-a.svs"]) == 4


def test_more_bytes_than_the_manifest_says_are_refused(gdc: Gdc, path: Path) -> None:
    file = gdc.add("a.svs", CONTENT, "unsized")
    gdc.files[file.id] += b"more"
    with pytest.raises(SlideError, match="more bytes"):
        Server(gdc.address).fetch(file, path)
    assert not path.exists()
    assert part_of(path).stat().st_size == 0


def test_the_next_run_continues_where_one_stopped(gdc: Gdc, path: Path) -> None:
    file = gdc.add("a.svs", CONTENT, "drop 1000", "status 500")
    with pytest.raises(SlideError):
        Server(gdc.address, retries=0).fetch(file, path)
    assert missing_bytes(file, path) == len(CONTENT) - 1000
    Server(gdc.address).fetch(file, path)
    assert path.read_bytes() == CONTENT
    assert gdc.ranges[file.id] == [None, "bytes=1000-", "bytes=1000-"]


def test_a_complete_part_is_not_asked_for_again(gdc: Gdc, path: Path) -> None:
    file = gdc.add("a.svs", CONTENT)
    path.parent.mkdir()
    part_of(path).write_bytes(CONTENT)
    Server(gdc.address).fetch(file, path)
    assert path.read_bytes() == CONTENT
    assert gdc.ranges[file.id] == []


def test_an_old_part_of_other_bytes_is_thrown_away(gdc: Gdc, path: Path) -> None:
    file = gdc.add("a.svs", CONTENT)
    path.parent.mkdir()
    part_of(path).write_bytes(b"?" * (len(CONTENT) + 7))
    Server(gdc.address).fetch(file, path)
    assert path.read_bytes() == CONTENT


def test_a_file_that_is_there_is_checked_and_never_replaced(gdc: Gdc, path: Path) -> None:
    file = gdc.add("a.svs", CONTENT)
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    Server(gdc.address).fetch(file, path)
    for other in (b"mine", bytes(len(CONTENT))):
        path.write_bytes(other)
        with pytest.raises(SlideError, match="not the one of the manifest"):
            Server(gdc.address).fetch(file, path)
        assert path.read_bytes() == other
    assert only(path)
    assert gdc.ranges[file.id] == []


def test_two_at_a_time_download_a_file_once(gdc: Gdc, path: Path) -> None:
    file = gdc.add("a.svs", CONTENT, "drop 100", "drop 100", "drop 100")
    threads = [threading.Thread(target=Server(gdc.address).fetch, args=(file, path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() == CONTENT
    assert only(path)
    assert len(gdc.ranges[file.id]) == 4


def test_a_server_that_is_not_there_is_not_asked_for_every_file(tmp_path: Path, gdc: Gdc) -> None:
    file, server = gdc.add("a.svs", CONTENT), Server("http://127.0.0.1:9/data", retries=1)
    with pytest.raises(SlideError, match="connection failed"):
        server.fetch(file, tmp_path / "a.svs")
    with pytest.raises(SlideError, match="the server cannot be reached"):
        server.fetch(file, tmp_path / "b.svs")


def test_a_server_that_falls_silent_is_asked_again(gdc: Gdc, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_S", 2.0)
    Server(gdc.address, retries=50).fetch(gdc.add("a.svs", CONTENT, "hang 1000000"), path)
    assert path.read_bytes() == CONTENT


def test_a_token_is_sent_and_never_shown(gdc: Gdc, path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = gdc.add("a.svs", CONTENT, "status 500", "status 403")
    server = Server(gdc.address, token="secret-token")
    with pytest.raises(SlideError, match="get a new token") as caught:
        server.fetch(file, path)
    assert gdc.tokens == ["secret-token"] * 2
    out, err = capfd.readouterr()
    assert "secret" not in f"{caught.value} {server!r} {out} {err}"


def test_a_token_is_not_sent_to_another_server(gdc: Gdc, path: Path) -> None:
    Server(gdc.address, token="secret-token").fetch(gdc.add("a.svs", CONTENT, "redirect"), path)
    assert path.read_bytes() == CONTENT
    assert gdc.tokens == ["secret-token", None]
