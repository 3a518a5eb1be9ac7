"""The manifests of all shards become one; bad slides of all shards are one list."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ccl.cli import cli
from ccl.io.errors import InputError, StageError
from ccl.io.formats import ManifestRow, read_manifest, write_manifest


def embedded(folder: Path, *rows: ManifestRow) -> list[str]:
    """Write a shard per row, and return the words of the command."""
    for shard, row in enumerate(rows):
        write_manifest(folder / f"embed/uni/manifests/{shard}.tsv", [row])
    lines = [f"{row.slide_id},P-{row.slide_id[0]}" for row in rows]
    (folder / "slides.csv").write_text("\n".join(["slide_id,patient_id", *lines, ""]))
    paths = [folder / f"embed/uni/manifests/{shard}.tsv" for shard in range(len(rows))]
    words = ["gather", "--slides", str(folder / "slides.csv"), "--manifest", str(folder / "embed/uni/m.tsv")]
    return [*words, *(word for path in paths for word in ("--manifests", str(path)))]


def ok(folder: Path, name: str, key: str) -> ManifestRow:
    return ManifestRow(name, "ok", folder / f"embed/uni/{name}.h5", key, 5, "")


def bad(folder: Path, name: str, message: str) -> ManifestRow:
    return replace(ok(folder, name, ""), status="excluded", count=0, message=message)


def call(words: list[str], mode: str) -> None:
    CliRunner().invoke(cli, [*words, "--on-bad-slide", mode], catch_exceptions=False)


def test_one_manifest_lists_the_slides_of_all_shards(tmp_path: Path) -> None:
    rows = [ok(tmp_path, "b", "k1"), ok(tmp_path, "a", "k2")]
    call(embedded(tmp_path, *rows), "fail")
    found = read_manifest(tmp_path / "embed/uni/m.tsv")
    assert [row.slide_id for row in found] == ["a", "b"]
    assert found[0].path.resolve() == (tmp_path / "embed/uni/a.h5").resolve()


def test_bad_slides_of_all_shards_are_one_list(tmp_path: Path) -> None:
    words = embedded(
        tmp_path, bad(tmp_path, "a", "tissue: no scale"), ok(tmp_path, "b", "k"), bad(tmp_path, "c", "embed: damaged")
    )
    with pytest.raises(StageError, match="2 of 3 slides cannot be used") as caught:
        call(words, "fail")
    assert "a: tissue: no scale" in caught.value.found
    assert "c: embed: damaged" in caught.value.found
    assert "--forcerun tissue" in caught.value.todo
    assert not (tmp_path / "embed/uni/m.tsv").exists()
    call(words, "exclude")
    assert [row.status for row in read_manifest(tmp_path / "embed/uni/m.tsv")] == ["excluded", "ok", "excluded"]


@pytest.mark.parametrize("mode", ["fail", "exclude"])
def test_a_slide_of_two_patients_stops_the_cohort(tmp_path: Path, mode: str) -> None:
    with pytest.raises(InputError, match="several patients"):
        call(embedded(tmp_path, ok(tmp_path, "a", "k"), ok(tmp_path, "b", "k")), mode)
