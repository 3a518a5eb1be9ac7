"""The contact sheet: a row and a card per slide, those first that are to be looked at, pictures by relative path."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from playwright.sync_api import Page as BrowserPage

from ccl.cli import cli
from ccl.config.sections import TileSettings, TissueSettings
from ccl.io.errors import InputError
from ccl.io.files import write_table
from ccl.io.formats import ManifestRow, write_manifest
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide, read_slide_sheet, shard_slides
from ccl.wsi.quality.stage import make_contact_sheet
from ccl.wsi.tile.stage import TileStage
from ccl.wsi.tissue.stage import TissueStage

TISSUE = TissueSettings(mpp=8.0, threshold=0.06, min_area_mm2=0.002, min_hole_mm2=0.01, annotation="replace")
TILE = TileSettings(patch_size=128, mpp=1.0, unit="microns", min_tissue=0.5)
SHARDS = 2


def picture(radius: int) -> Any:
    canvas = np.full((600, 900, 3), (243, 241, 244), np.uint8)
    return cv2.circle(canvas, (450, 300), radius, (205, 130, 180), cv2.FILLED)


class Cohort:
    """The slides of a cohort, their sheet, and both stages."""

    def __init__(self, folder: Path, slides: list[Slide]) -> None:
        self.folder, self.sheet = folder, folder / "slides.csv"
        rows = [{**vars(slide), "path": slide.path.name, "annotation": slide.annotation} for slide in slides]
        write_table(self.sheet, pd.DataFrame(rows))
        self.manifests: dict[str, list[Path]] = {}
        for stage in (TissueStage(folder / "tissue", TISSUE), TileStage(folder / "tile", TILE)):
            paths = [folder / stage.name / "manifests" / f"{shard}.tsv" for shard in range(SHARDS)]
            for shard, path in enumerate(paths):
                before = self.manifests["tissue"][shard] if "tissue" in self.manifests else None
                run_shard(stage, Shard(shard_slides(slides, shard, SHARDS), before, path, "exclude"))
            self.manifests[stage.name] = paths

    def make(self, synthetic: bool = False) -> tuple[pd.DataFrame, Page]:
        out = self.folder / "quality"
        make_contact_sheet(out, cohort="mine", slides=self.sheet, synthetic=synthetic, **self.manifests)
        return pd.read_csv(out / "slides.csv", index_col="slide_id"), Page((out / "contact_sheet.html").read_text())


class Page(HTMLParser):
    """The tags and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source, self.tags, self.words = text, list[tuple[str, dict[str, str | None]]](), ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += " " + " ".join(data.split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def order(self) -> list[str | None]:
        return [card["data-name"] for card in self.all("figure")]


@pytest.fixture
def slides(write_slide: Callable[..., Slide]) -> list[Slide]:
    """Return a large, a small and a coarser piece of tissue, a blank slide, one that is none, and a speck."""
    made = [
        write_slide(picture(280), name="large", file_mpp=1.0),
        write_slide(picture(160), name="small", file_mpp=1.0),
        write_slide(picture(280), name="fine", file_mpp=0.5),
        write_slide(np.full((600, 900, 3), 243, np.uint8), name="blank", file_mpp=1.0),
        write_slide(picture(35), name="speck", file_mpp=1.0),
    ]
    broken = made[0].path.with_name("<b>broken.svs")
    broken.write_text("no slide")
    return [*(replace(slide, patient_id=f"P-{slide.slide_id}") for slide in made), Slide("broken", "P-b", broken, None)]


@pytest.fixture
def cohort(tmp_path: Path, slides: list[Slide]) -> Cohort:
    return Cohort(tmp_path, slides)


def test_the_table_has_a_row_per_slide(cohort: Cohort) -> None:
    table, _ = cohort.make()
    assert len(table) == 6
    assert table.loc["large", ["status", "patient_id", "pieces", "level0_mpp"]].tolist() == ["ok", "P-large", 1, 1.0]
    assert table.loc["large", "tissue_mm2"] == pytest.approx(np.pi * 0.28**2, rel=0.05)
    assert table.loc["large", "tissue_share"] == pytest.approx(np.pi * 280**2 / (600 * 900), rel=0.05)
    assert table.loc["fine", ["width_mm", "height_mm"]].tolist() == pytest.approx([0.45, 0.3])
    assert table.loc["large", "tiles"] > table.loc["small", "tiles"] > 0
    assert table.loc[["blank", "broken"], "tissue_mm2"].isna().all()
    assert table.loc["broken", "message"].startswith("tissue: ")
    assert table.loc["speck", "message"].startswith("tile: no patch with enough tissue")
    assert table.loc["speck", "tissue_mm2"] > 0
    assert np.isnan(table.loc["speck", "tiles"])


def test_excluded_slides_come_first_then_those_with_the_least_tissue(cohort: Cohort) -> None:
    table, page = cohort.make()
    assert table.index.tolist() == ["blank", "broken", "speck", "fine", "small", "large"]
    assert page.order() == table.index.tolist()
    assert table["status"].tolist() == ["excluded"] * 3 + ["ok"] * 3


def test_pictures_are_found_beside_the_page_and_described(cohort: Cohort) -> None:
    _, page = cohort.make()
    images = page.all("img")
    assert len(images) == 3 * 2 + 2, "a slide without tiles has its outline, a blank one is shown as it is"
    for image in images:
        assert image["src"]
        assert re.fullmatch(r"\.\./(tissue|tissue/refused|tile)/\w+\.jpg", image["src"])
        assert (cohort.folder / "quality" / image["src"]).is_file()
        assert image["loading"] == "lazy"
        assert image["alt"]
        assert Path(image["src"]).stem in image["alt"]
    assert "no grid of patches" in page.words
    assert "no picture: the file cannot be read" in page.words
    (blank,) = (image["alt"] for image in images if "blank" in str(image["src"]))
    assert blank == "Slide blank: as it is"


def test_what_embed_found_later_is_shown(cohort: Cohort) -> None:
    """A damaged tile is seen only when it is decoded."""
    manifests = [cohort.folder / "embed" / name / "manifests" / "0.tsv" for name in ("uni", "conch")]
    for number, path in enumerate(manifests):
        large, small = (ManifestRow(name, "ok", path, "k", 9, "") for name in ("large", "small"))
        damaged = replace(large, status="excluded", message="embed: damaged")
        write_manifest(path, [large if number else damaged, small])
    cohort.manifests["embed"] = manifests
    table, page = cohort.make()
    assert table.loc["large", ["status", "message"]].tolist() == ["excluded", "embed: damaged"]
    assert table.loc["small", "status"] == "ok"
    assert page.order().index("large") < page.order().index("fine")
    assert page.words.count("embed: damaged") == 1


def test_what_filters_took_is_counted(cohort: Cohort) -> None:
    with h5py.File(cohort.folder / "tile" / "large.h5", "a") as file:
        file["coords"].attrs["filtered"] = '{"out of focus": 12, "ink": 3}'
    table, page = cohort.make()
    assert table.loc["large", "filtered"] == "12 out of focus, 3 ink"
    assert table["filtered"].isna().sum() == 5
    assert "left out: 12 out of focus, 3 ink" in page.words


def test_what_is_doubtful_is_said_and_comes_first_of_the_slides_in_use(
    tmp_path: Path, write_slide: Callable[..., Slide], slides: list[Slide]
) -> None:
    full = write_slide(np.full((600, 900, 3), (205, 130, 180), np.uint8), name="full", file_mpp=1.0)
    other = write_slide(picture(250), name="scale", file_mpp=1.0, sheet_mpp=0.5)
    copy = replace(slides[0], slide_id="zcopy", patient_id="P-other")
    others = [replace(full, patient_id="P-full"), replace(other, patient_id="P-scale"), copy]
    table, page = Cohort(tmp_path, [*slides[:2], *others]).make()
    assert set(page.order()[:3]) == {"full", "scale", "zcopy"}
    notes = table["notes"]
    assert "tissue on 100% of the slide" in notes["full"]
    assert "the sample sheet says 0.5 um/px" in notes["scale"]
    assert "the same content as slide large of patient P-large" in notes["zcopy"]
    assert notes[["large", "small"]].isna().all()
    for note in notes.dropna():
        assert note in page.words


def test_the_page_needs_no_network_and_trusts_no_name(cohort: Cohort) -> None:
    _, page = cohort.make()
    assert not re.search(r"https?://|url\(|@import", page.source)
    policy = next(tag["content"] for tag in page.all("meta") if tag.get("http-equiv") == "Content-Security-Policy")
    assert policy
    assert policy.startswith("default-src 'none'")
    assert "<b>broken.svs" in page.words
    assert page.source.count("<b>broken.svs") == 0


def test_reasons_counts_and_ranges_are_told(cohort: Cohort) -> None:
    table, page = cohort.make()
    for message in table["message"].dropna():
        assert message in page.words
    assert "3 patients without a slide in use" in page.words
    assert "over 3 slides in use" in page.words
    assert f"{table['tiles'].sum():.0f}" in page.words
    assert "Synthetic data" not in page.words
    assert "Synthetic data" in cohort.make(synthetic=True)[1].words


def test_a_picture_from_before_a_slide_was_excluded_is_not_shown(cohort: Cohort) -> None:
    shutil.copyfile(cohort.folder / "tissue" / "large.jpg", cohort.folder / "tissue" / "broken.jpg")
    assert not any("broken" in str(image["src"]) for image in cohort.make()[1].all("img"))


def test_annotated_slides_are_marked(tmp_path: Path, slides: list[Slide]) -> None:
    mask = tmp_path / "mask.png"
    cv2.imwrite(str(mask), cv2.circle(np.zeros((60, 90), np.uint8), (45, 30), 20, 1, cv2.FILLED))
    table, page = Cohort(tmp_path, [slides[0], replace(slides[1], annotation=mask)]).make()
    assert table["annotated"].to_dict() == {"large": "no", "small": "yes"}
    assert page.words.count(" annotated ") >= 1


def test_without_a_usable_slide_there_still_is_a_page(tmp_path: Path, slides: list[Slide]) -> None:
    table, page = Cohort(tmp_path, slides[-1:]).make()
    assert table["status"].tolist() == ["excluded"]
    assert "What is usual" not in page.words


def test_a_slide_in_no_manifest_and_a_missing_picture_are_named(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="in no manifest"):
        make_contact_sheet(
            cohort.folder / "quality",
            cohort="mine",
            slides=cohort.sheet,
            tissue=cohort.manifests["tissue"],
            tile=cohort.manifests["tile"][:1],
            synthetic=False,
        )
    (cohort.folder / "tile" / "large.jpg").unlink()
    with pytest.raises(InputError, match="no such file"):
        cohort.make()


def test_the_command(cohort: Cohort) -> None:
    words = ["quality", "--cohort", "mine", "--slides", str(cohort.sheet), "--out", str(cohort.folder / "out")]
    words += [word for stage, paths in cohort.manifests.items() for path in paths for word in (f"--{stage}", str(path))]
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert "Slides of mine" in (cohort.folder / "out" / "contact_sheet.html").read_text()


@pytest.mark.parametrize(
    ("find", "show", "sort", "expected"),
    [
        ("", "", "tiles:-1", ["blank", "broken", "speck", "large", "small", "fine"]),
        ("", "status:ok", "name:1", ["fine", "large", "small"]),
        ("p-S", "", "share:1", ["speck", "small"]),
    ],
)
def test_the_page_sorts_and_filters(
    cohort: Cohort,
    without_script: Callable[[str], str],
    open_page: Callable[[Path], BrowserPage],
    find: str,
    show: str,
    sort: str,
    expected: list[str],
) -> None:
    _, made = cohort.make()
    assert "<script" not in without_script(made.source)
    page = open_page(cohort.folder / "quality" / "contact_sheet.html")
    page.get_by_label("Find").fill(find)
    page.get_by_label("Show").select_option(show)
    page.get_by_label("Sort").select_option(sort)
    shown = page.locator("figure:visible").all()
    assert [card.get_attribute("data-name") for card in shown] == expected
    assert page.locator("output").inner_text() == f"{len(expected)} of 6 slides"


def test_pictures_load_and_fit_a_phone(cohort: Cohort, open_page: Callable[..., BrowserPage]) -> None:
    cohort.make()
    page = open_page(cohort.folder / "quality" / "contact_sheet.html", width=390)
    for picture in page.locator("img").all():
        picture.scroll_into_view_if_needed()
        page.wait_for_function("(one) => one.complete && one.naturalWidth > 0", arg=picture.element_handle())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_each_tiling_has_its_counts_and_picture(cohort: Cohort) -> None:
    shards = [shard_slides(read_slide_sheet(cohort.sheet), shard, SHARDS) for shard in range(SHARDS)]
    stage = TileStage(cohort.folder / "tile" / "wide", replace(TILE, patch_size=256, min_tissue=0.6, max_patches=2))
    for shard, slides in enumerate(shards):
        path = stage.out / "manifests" / f"{shard}.tsv"
        run_shard(stage, Shard(slides, cohort.manifests["tissue"][shard], path, "exclude"))
        cohort.manifests["tile"].append(path)
    table, page = cohort.make()
    assert table.loc["large", "tiles"] > table.loc["large", "tiles wide"] == 2
    assert table.loc["large", "filtered wide"].endswith(" not drawn")
    assert pd.isna(table.loc["large", "filtered"])
    assert table.loc["small", "message"].startswith("tile: no patch with enough tissue"), "only of the second tiling"
    assert table.loc["small", "status"] == "excluded"
    assert table.loc["small", "tiles"] > 0
    assert "wide: 2 patches" in page.words
    assert "grid of patches, wide" in page.source
    assert [image["src"] for image in page.all("img") if "tile/wide" in str(image["src"])]
