"""Slide stages: each slide once, a bad one alone, and nothing moves when slides are added."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccl.io.errors import ChangedError, ConfigError, DamageError, MachineError, SlideError, StageError
from ccl.io.files import write_bytes
from ccl.io.formats import ManifestRow, read_manifest
from ccl.io.shards import Shard, SlideStage, run_shard
from ccl.io.sheets import Slide, shard_of, shard_slides


class Copy(SlideStage):
    """A slide stage that copies a text file, and refuses the word `bad`."""

    name = "copy"

    def __init__(self, out: Path, version: int = 1) -> None:
        self.out, self.version, self.made = out, version, []

    def output(self, slide: Slide) -> Path:
        return self.out / slide.slide_id

    def key(self, slide: Slide, upstream: ManifestRow | None) -> str:
        return f"{self.version} {slide.path.read_text()}"

    def facts(self) -> dict[str, object]:
        return {"version": self.version, "settings": {}}

    def stored(self, slide: Slide) -> tuple[str, int] | None:
        path = self.output(slide)
        return (path.read_text(), 1) if path.exists() else None

    def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
        if slide.path.read_text() == "bad":
            raise SlideError("it is bad", where=slide.slide_id)
        if slide.path.read_text() == "broken":
            raise ZeroDivisionError("a defect")
        self.made.append(slide.slide_id)
        self.out.mkdir(exist_ok=True)
        self.output(slide).write_text(key)
        return 1


@pytest.fixture
def slides(tmp_path: Path) -> list[Slide]:
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(name)
    return [Slide(name, "P", tmp_path / f"{name}.txt", None) for name in "abc"]


def shard(tmp_path: Path, slides: list[Slide], **rest: object) -> Shard:
    return Shard(slides, None, tmp_path / "m" / "0.tsv", **rest)  # type: ignore[arg-type]


def test_only_what_changed_is_made_again(tmp_path: Path, slides: list[Slide]) -> None:
    stage = Copy(tmp_path / "out")
    run_shard(stage, shard(tmp_path, slides))
    run_shard(stage, shard(tmp_path, slides))
    assert stage.made == ["a", "b", "c"]
    slides[1].path.write_text("new")
    (tmp_path / "out" / "c").unlink()
    run_shard(stage, shard(tmp_path, slides))
    assert stage.made == ["a", "b", "c", "b", "c"]
    run_shard(stage, shard(tmp_path, slides, overwrite=True))
    assert stage.made[5:] == ["a", "b", "c"]
    newer = Copy(tmp_path / "out", version=2)
    run_shard(newer, shard(tmp_path, slides))
    assert newer.made == ["a", "b", "c"]


def test_a_bad_slide_fails_by_name_and_the_others_are_done(
    tmp_path: Path, slides: list[Slide], capsys: pytest.CaptureFixture[str]
) -> None:
    slides[0].path.write_text("bad")
    slides[1].path.unlink()
    stage = Copy(tmp_path / "out")
    with pytest.raises(StageError) as error:
        run_shard(stage, shard(tmp_path, slides))
    assert "2 of 3 slides failed" in str(error.value)
    assert "a: it is bad" in str(error.value)
    assert "b: the system refuses a file or folder" in str(error.value)
    assert stage.made == ["c"]
    assert not (tmp_path / "m").exists()
    slides[0].path.write_text("good")
    slides[1].path.write_text("back")
    run_shard(stage, shard(tmp_path, slides))
    assert stage.made == ["c", "a", "b"]


def test_a_bad_slide_can_be_excluded_and_stays_so_downstream(tmp_path: Path, slides: list[Slide]) -> None:
    slides[0].path.write_text("bad")
    run_shard(Copy(tmp_path / "out"), shard(tmp_path, slides, on_bad_slide="exclude"))
    rows = read_manifest(tmp_path / "m" / "0.tsv")
    assert [(row.slide_id, row.status) for row in rows] == [("a", "excluded"), ("b", "ok"), ("c", "ok")]
    assert "it is bad" in rows[0].message
    after = Copy(tmp_path / "after")
    run_shard(after, Shard(slides, tmp_path / "m" / "0.tsv", tmp_path / "n" / "0.tsv"))
    assert after.made == ["b", "c"]
    assert read_manifest(tmp_path / "n" / "0.tsv")[0].message == rows[0].message


def test_a_defect_shows_its_traceback_and_costs_one_slide(
    tmp_path: Path, slides: list[Slide], capsys: pytest.CaptureFixture[str]
) -> None:
    slides[0].path.write_text("broken")
    stage = Copy(tmp_path / "out")
    with pytest.raises(StageError, match="ZeroDivisionError: a defect"):
        run_shard(stage, shard(tmp_path, slides))
    assert "Traceback" in capsys.readouterr().err
    assert stage.made == ["b", "c"]


@given(st.lists(st.text(min_size=1), unique=True), st.integers(1, 9))
def test_shards_partition_slides_and_none_moves(names: list[str], shards: int) -> None:
    slides = [Slide(name, "P", Path(), None) for name in names]
    parts = [shard_slides(slides, shard, shards) for shard in range(shards)]
    assert sorted(slide.slide_id for part in parts for slide in part) == sorted(names)
    for shard_number, part in enumerate(parts):
        assert all(shard_of(slide.slide_id, shards) == shard_number for slide in part)


def test_the_share_of_a_slide_never_changes() -> None:
    assert [shard_of(name, 16) for name in ("TCGA-2F-A9KO", "S01", "x")] == [15, 2, 3]


def test_a_full_disk_stops_the_shard_at_once(
    tmp_path: Path, slides: list[Slide], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(Copy):
        def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
            with monkeypatch.context() as patch:
                if slide.slide_id == "b":
                    patch.setattr(Path, "write_bytes", full)
                write_bytes(tmp_path / slide.slide_id, b"123")
            return super().make(slide, upstream, key)

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    stage = Full(tmp_path / "out")
    with pytest.raises(MachineError, match="the disk is full") as caught:
        run_shard(stage, shard(tmp_path, slides, on_bad_slide="exclude"))
    assert caught.value.where == str(tmp_path / "b")
    assert "3 bytes" in caught.value.found
    assert stage.made == ["a"]
    assert not (tmp_path / "m" / "0.tsv").exists()
    again = Copy(tmp_path / "out")
    run_shard(again, shard(tmp_path, slides))
    assert again.made == ["b", "c"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "the memory is full"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "the memory is full"),
        (OSError("Can't synchronously write data (memory allocation failed for chunk)"), "the memory is full"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
    ],
    ids=["Python", "torch", "HDF5", "permission", "disk"],
)
def test_a_failure_of_the_machine_excludes_no_slide(
    tmp_path: Path, slides: list[Slide], error: Exception, words: str
) -> None:
    class Failing(Copy):
        def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
            if slide.slide_id == "b":
                raise error
            return super().make(slide, upstream, key)

    stage = Failing(tmp_path / "out")
    with pytest.raises(StageError, match=f"1 of 3 slides failed, all others are done(.|\n)*b: .*{words}") as caught:
        run_shard(stage, shard(tmp_path, slides, on_bad_slide="exclude"))
    assert "no slide is to blame" in caught.value.todo
    assert stage.made == ["a", "c"]
    assert not (tmp_path / "m" / "0.tsv").exists()


def test_a_wrong_setting_is_no_slides_fault(tmp_path: Path, slides: list[Slide]) -> None:
    class Misconfigured(Copy):
        def key(self, slide: Slide, upstream: ManifestRow | None) -> str:
            raise ConfigError("no such weights")

    with pytest.raises(ConfigError, match="no such weights"):
        run_shard(Misconfigured(tmp_path / "out"), shard(tmp_path, slides, on_bad_slide="exclude"))
    assert not (tmp_path / "m" / "0.tsv").exists()
    right = Copy(tmp_path / "out")
    run_shard(right, shard(tmp_path, slides, on_bad_slide="exclude"))
    assert right.made == ["a", "b", "c"]


def test_a_slide_that_is_gone_is_not_excluded_and_is_tried_again(tmp_path: Path, slides: list[Slide]) -> None:
    class Second(Copy):
        def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
            if slide.slide_id == "b" and not (tmp_path / "back").exists():
                raise ChangedError("the slide is gone")
            return super().make(slide, upstream, key)

    stage = Second(tmp_path / "out")
    slides[0].path.write_text("bad")
    with pytest.raises(StageError, match="2 of 3 slides failed") as error:
        run_shard(stage, shard(tmp_path, slides, on_bad_slide="exclude"))
    assert "put the slides back" in error.value.todo
    assert not (tmp_path / "m" / "0.tsv").exists()
    (tmp_path / "back").touch()
    rows = run_shard(stage, shard(tmp_path, slides, on_bad_slide="exclude"))
    assert [row.status for row in rows] == ["excluded", "ok", "ok"]
    assert stage.made == ["c", "b"]


def test_a_slide_that_the_previous_stage_did_not_list_is_named(tmp_path: Path, slides: list[Slide]) -> None:
    run_shard(Copy(tmp_path / "out"), shard(tmp_path, slides[:2]))
    after = Shard(slides, tmp_path / "m" / "0.tsv", tmp_path / "n" / "0.tsv", on_bad_slide="exclude")
    with pytest.raises(StageError, match=r"c: the sample sheet has a slide that the manifest .* does not list"):
        run_shard(Copy(tmp_path / "after"), after)
    assert not (tmp_path / "n" / "0.tsv").exists()


def test_damage_of_an_earlier_stage_excludes_no_slide(tmp_path: Path, slides: list[Slide]) -> None:
    class Damaged(Copy):
        def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
            if slide.slide_id == "b":
                raise DamageError("a file is damaged, or was changed after ccl wrote it")
            return super().make(slide, upstream, key)

    stage = Damaged(tmp_path / "out")
    with pytest.raises(StageError, match=r"b: a file is damaged") as error:
        run_shard(stage, shard(tmp_path, slides, on_bad_slide="exclude"))
    assert "ccl verify --mend" in error.value.todo
    assert not (tmp_path / "m" / "0.tsv").exists()
    assert stage.made == ["a", "c"]


def test_a_cohort_of_which_no_slide_is_left_is_an_error(tmp_path: Path, slides: list[Slide]) -> None:
    for slide in slides:
        slide.path.write_text("bad")
    options = {"on_bad_slide": "exclude", "cohort": ["a", "b", "c"], "shards": 2}
    stage = Copy(tmp_path / "out")
    run_shard(stage, Shard(slides[:1], None, tmp_path / "m" / "0.tsv", **options))
    with pytest.raises(StageError, match="all 3 slides of the cohort are excluded") as error:
        run_shard(stage, Shard(slides[1:], None, tmp_path / "m" / "1.tsv", **options))
    assert "b: copy: it is bad" in error.value.found
    assert not (tmp_path / "m" / "1.tsv").exists()
    slides[2].path.write_text("good")
    run_shard(stage, Shard(slides[1:], None, tmp_path / "m" / "1.tsv", **options))


def test_a_manifest_that_another_shard_is_just_writing_is_not_read(tmp_path: Path, slides: list[Slide]) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / ".ccl-1-abc.tsv").touch()
    assert {row.status for row in run_shard(Copy(tmp_path / "out"), shard(tmp_path, slides))} == {"ok"}


def test_fewer_shards_remove_the_manifests_of_the_others(tmp_path: Path, slides: list[Slide]) -> None:
    stage = Copy(tmp_path / "out")
    for number, slide in enumerate(slides):
        run_shard(stage, Shard([slide], None, tmp_path / "m" / f"{number}.tsv", shards=3))
    assert len(list((tmp_path / "m").glob("*.tsv"))) == 3
    run_shard(stage, Shard(slides[:2], None, tmp_path / "m" / "0.tsv", shards=2))
    assert sorted(path.name for path in (tmp_path / "m").glob("*.tsv")) == ["0.tsv", "1.tsv"]
