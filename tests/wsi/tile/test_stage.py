"""The tile stage on slide files: TRIDENT's layout, exact places, pictures, keys, and bad slides."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import h5py
import numpy as np
import pytest
import shapely
from shapely.geometry import Point, box, mapping

from ccl.config.sections import TileSettings, TissueSettings
from ccl.io.errors import StageError
from ccl.io.formats import Tiles
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide
from ccl.wsi.reader.opening import open_slide, slide_fingerprint
from ccl.wsi.reader.patches import patches
from ccl.wsi.tile.stage import TileStage
from ccl.wsi.tissue.outlines import Outlines
from ccl.wsi.tissue.stage import TissueStage
from tests.wsi.tile.test_folds import band, picture, tissue

TISSUE = TissueSettings(mpp=8.0, threshold=0.06, min_area_mm2=0.01, min_hole_mm2=0.01, annotation="restrict")
# 64 pixels at 2 um/px are 128 um, as 256 pixels at 20x are: slides can be small and still hold many patches.
TILE = TileSettings(patch_size=64, mpp=2.0, unit="microns", min_tissue=0.5)


def disc(height=900, width=1100, centre=(500, 450), radius=380):
    """Return a picture with a pink disc, its shade rising from left to right."""
    picture = np.full((height, width, 3), 243, np.uint8)
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, centre, radius, 1, cv2.FILLED)
    shade = np.linspace(60, 160, width)[None, :].repeat(height, axis=0)
    picture[mask > 0] = np.stack([shade + 70, shade, shade + 50], axis=-1)[mask > 0].astype(np.uint8)
    return picture


def run(tmp_path, *slides, settings=TILE, tissue=TISSUE, **options):
    upstream = tmp_path / "tissue/manifests/0.tsv"
    run_shard(TissueStage(tmp_path / "tissue", tissue), Shard(slides, None, upstream, "exclude"))
    shard = Shard(slides, upstream, tmp_path / "tile/manifests/0.tsv", **options)
    return run_shard(TileStage(tmp_path / "tile", settings), shard)


@pytest.mark.parametrize("mpp", [1.0, 1.011, 0.97, 2.0])
def test_the_kept_patches_are_those_with_enough_tissue(tmp_path, write_slide, mpp):
    (row,) = run(tmp_path, write_slide(disc(), file_mpp=mpp))
    tiles = Tiles.read(row.path)
    outlines = Outlines.read(tmp_path / "tissue/slide.geojson")
    assert row.count == len(tiles.coords) > 10
    pitch = 64 * 2.0 / outlines.level0_mpp
    kept = {(round(x / pitch), round(y / pitch)) for x, y in tiles.coords}
    assert len(kept) == len(tiles.coords)
    for column in range(int(1100 / pitch)):
        for line in range(int(900 / pitch)):
            cell = box(*(np.array([column, line, column + 1, line + 1]) * pitch))
            share = sum(cell.intersection(polygon).area for polygon in outlines.polygons) / cell.area
            if abs(share - 0.5) > 0.05:
                assert ((column, line) in kept) == (share > 0.5)


def test_coordinates_are_exact_in_order_and_inside(tmp_path, write_slide):
    (row,) = run(tmp_path, write_slide(np.full((900, 1100, 3), (205, 130, 180), np.uint8), file_mpp=1.011))
    tiles = Tiles.read(row.path)
    pitch = 128 / 1.011
    assert tiles.coords.dtype == np.int64
    expected = [(round(i * pitch), round(j * pitch)) for j in range(7) for i in range(8)]
    assert tiles.coords.tolist() == [list(pair) for pair in expected]
    assert (tiles.coords.max(axis=0) + pitch <= (1100, 900)).all()


def test_the_file_has_tridents_layout(tmp_path, write_slide):
    slide = write_slide(disc(), file_mpp=1.0)
    (row,) = run(tmp_path, slide)
    assert row.path == tmp_path / "tile/slide.h5"
    with h5py.File(row.path) as file:
        coords = file["coords"]
        assert coords.dtype == np.int64
        assert coords.shape == (row.count, 2)
        attributes = dict(coords.attrs)
        assert file.attrs["ccl_key"] == row.key
    assert attributes == {
        "patch_size": 64,
        "patch_size_level0": 128,
        "level0_magnification": 10,
        "target_magnification": 5,
        "overlap": 0,
        "name": "slide",
        "savetodir": str(tmp_path / "tile"),
        "level0_width": 1100,
        "level0_height": 900,
        "level0_mpp": 1.0,
        "slide_fingerprint": slide_fingerprint(slide),
        "target_mpp": 2.0,
    }
    assert isinstance(attributes["patch_size_level0"], np.integer)


def test_a_fractional_extent_is_kept(tmp_path, write_slide):
    (row,) = run(tmp_path, write_slide(disc(), file_mpp=None, sheet_mpp=1.011))
    attributes = Tiles.read(row.path).attributes
    assert attributes["patch_size_level0"] == pytest.approx(128 / 1.011)
    assert attributes["level0_magnification"] == pytest.approx(10 / 1.011)


def in_order(blocks):
    """Return the patches of all blocks as the tiles have them."""
    blocks = list(blocks)
    return np.concatenate([b.pixels for b in blocks])[np.argsort(np.concatenate([b.positions for b in blocks]))]


def test_a_40x_slide_whose_second_level_is_4x_smaller_gives_20x_patches(tmp_path, write_slide):
    """The patches are 128 um wide: 512 level-0 pixels. Read back they show the tissue's shade at their own place."""
    slide = write_slide(disc(2048, 2304, (1100, 1024), 900), file_mpp=0.25, downsamples=(4,))
    settings = TileSettings(patch_size=256, mpp=0.5, unit="microns", min_tissue=0.9)
    (row,) = run(tmp_path, slide, settings=settings)
    tiles = Tiles.read(row.path)
    assert tiles.attributes["patch_size_level0"] == 512
    assert (tiles.coords % 512 == 0).all()
    with open_slide(slide) as reader:
        found = in_order(patches(reader, tiles, 256))
    assert len(found) == row.count >= 2
    for patch, (x, y) in zip(found, tiles.coords, strict=True):
        assert patch.shape == (256, 256, 3)
        inside = [i for i in range(256) if Point(x + 2 * i + 1, y + 256).distance(Point(1100, 1024)) < 880]
        expected = 60 + 100 * (x + 2 * np.array(inside) + 0.5) / 2303
        assert np.abs(patch[128, inside, 1] - expected).mean() < 2


@pytest.mark.parametrize(("share", "sign"), [(0.25, 1), (0.75, -1)])
def test_the_least_share_decides_how_many_are_kept(tmp_path, write_slide, share, sign):
    slide = write_slide(disc(), file_mpp=1.0)
    (half,) = run(tmp_path, slide)
    (other,) = run(tmp_path, slide, settings=replace(TILE, min_tissue=share))
    assert sign * (other.count - half.count) > 0


def test_the_picture_shows_the_kept_patches_in_full_colour(tmp_path, write_slide):
    slide = write_slide(np.full((900, 1100, 3), (205, 130, 180), np.uint8), file_mpp=1.0)
    (row,) = run(tmp_path, slide)
    picture = cv2.imread(str(tmp_path / "tile/slide.jpg"))[..., ::-1].astype(int)
    assert picture.shape == (838, 1024, 3)
    scale = 1024 / 1100
    for x, y in Tiles.read(row.path).coords[::7]:
        centre = picture[int((y + 64) * scale), int((x + 64) * scale)]
        assert np.abs(centre - (205, 130, 180)).max() < 10
        left_edge = picture[int((y + 64) * scale), max(0, int(x * scale) - 1) : int(x * scale) + 2]
        assert x == 0 or left_edge.sum(axis=-1).min() < 250
    beyond = picture[int(400 * scale), int(1060 * scale)]
    assert (beyond > (220, 200, 215)).all(), "what is in no patch is faded"


def files(tmp_path):
    return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "tile").glob("slide.*")}


def test_a_finished_slide_is_not_made_again(tmp_path, write_slide):
    slide = write_slide(disc(), file_mpp=1.0)
    (first,) = run(tmp_path, slide)
    before = files(tmp_path)
    assert set(before) == {"slide.h5", "slide.jpg"}
    assert run(tmp_path, slide) == [first]
    assert files(tmp_path) == before
    (tmp_path / "tile/slide.jpg").unlink()
    assert run(tmp_path, slide) == [first]
    assert files(tmp_path).keys() == before.keys()


def test_a_torn_file_is_made_again(tmp_path, write_slide):
    slide = write_slide(disc(), file_mpp=1.0)
    (first,) = run(tmp_path, slide)
    first.path.write_bytes(first.path.read_bytes()[:500])
    assert run(tmp_path, slide) == [first]
    assert len(Tiles.read(first.path).coords) == first.count


@pytest.mark.parametrize("change", ["settings", "tissue"])
def test_what_the_grid_depends_on_makes_it_again(tmp_path, write_slide, change):
    slide = write_slide(disc(), file_mpp=1.0)
    (first,) = run(tmp_path, slide)
    if change == "settings":
        (again,) = run(tmp_path, slide, settings=replace(TILE, patch_size=32))
    else:
        (again,) = run(tmp_path, slide, tissue=replace(TISSUE, threshold=0.1))
    assert again.key != first.key


def test_too_little_tissue_for_any_patch_is_an_error(tmp_path, write_slide):
    slide = write_slide(disc(radius=45), file_mpp=2.0)
    with pytest.raises(StageError, match="no patch with enough tissue") as caught:
        run(tmp_path, slide, settings=TileSettings(patch_size=256, mpp=2.0, unit="microns", min_tissue=0.5))
    assert "slide slide" in str(caught.value)
    assert not list((tmp_path / "tile").glob("slide.*"))


def test_a_slide_smaller_than_a_patch_is_an_error(tmp_path, write_slide):
    slide = write_slide(np.full((400, 400, 3), (205, 130, 180), np.uint8), file_mpp=1.0)
    with pytest.raises(StageError, match="no patch with enough tissue"):
        run(tmp_path, slide, settings=TileSettings(patch_size=256, mpp=2.0, unit="microns", min_tissue=0.5))


def test_a_slide_coarser_than_the_patches_is_an_error_before_embedding(tmp_path, write_slide):
    with pytest.raises(StageError, match="coarser than the scale asked for"):
        run(tmp_path, write_slide(disc(), file_mpp=1.0), settings=TileSettings(256, 0.5, "microns", 0.5))


def test_a_slide_excluded_for_its_tissue_stays_excluded(tmp_path, write_slide):
    blank = write_slide(np.full((900, 1100, 3), 243, np.uint8), name="blank", file_mpp=1.0)
    rows = run(tmp_path, blank, write_slide(disc(), file_mpp=1.0))
    assert [row.status for row in rows] == ["excluded", "ok"]
    assert "tissue: no tissue on the slide" in rows[0].message


def test_real_slides(tmp_path, real_data):
    folder = real_data / "slides"
    cmu = Slide("cmu", "p", folder / "cmu_small_region.svs", None)
    tcga = Slide("tcga", "p", folder / "tcga-cr-7395-01a-01-ts1.svs", 0.25)
    settings = TileSettings(patch_size=256, mpp=0.5, unit="microns", min_tissue=0.5)
    rows = run(tmp_path, cmu, tcga, settings=settings)
    for slide, row in zip((cmu, tcga), rows, strict=True):
        tiles = Tiles.read(row.path)
        # 0.64 mm2 of tissue are 39 patches of 128 um; those at the slides' edges and at most half filled are lost.
        assert 28 <= row.count <= 42
        with open_slide(slide) as reader:
            found = in_order(patches(reader, tiles, 256))
        assert found.shape == (row.count, 256, 256, 3)
        saturated = np.ptp(found.astype(int), axis=-1) > 15
        assert (saturated.mean(axis=(1, 2)) > 0.25).all()


@pytest.mark.parametrize(
    ("mpp", "level0_power", "side"),
    [(0.25, 40, 128), (0.2325, 40, 128), (0.5034, 20, 64), (0.46, 20, 64), (0.13, 80, 256)],
)
def test_nominal_geometry_is_that_of_trident(tmp_path, write_slide, mpp, level0_power, side):
    """A patch is patch_size * source // target level-0 pixels, whatever the scanner's um/px."""
    settings = replace(TILE, mpp=0.5, unit="magnification")
    slide = write_slide(disc(), file_mpp=mpp)
    (row,) = run(tmp_path, slide, settings=settings, tissue=replace(TISSUE, mpp=2.0, min_area_mm2=0, min_hole_mm2=0))
    tiles = Tiles.read(row.path)
    about = tiles.attributes
    assert (about["level0_magnification"], about["target_magnification"]) == (level0_power, 20)
    assert about["patch_size_level0"] == side
    assert about["target_mpp"] == pytest.approx(side * mpp / 64)
    assert not (tiles.coords % side).any()
    with open_slide(slide) as reader:
        assert len(in_order(patches(reader, tiles, 64))) == row.count


FINE = TileSettings(patch_size=128, mpp=1.0, unit="microns", min_tissue=0.5)


@pytest.fixture
def spoilt(write_slide):
    """Return tissue of 1 um/px in four quarters: sharp, out of focus, black dust, gaps; and a green stroke."""
    rng = np.random.default_rng(0)
    picture = np.clip(np.array((205, 130, 180)) + rng.normal(scale=14, size=(1024, 1024, 1)), 0, 255).astype(np.uint8)
    picture[:512, 512:] = cv2.GaussianBlur(picture[:512, 512:], (0, 0), 6)
    dots = rng.random((128, 128)).repeat(4, 0).repeat(4, 1)[..., None]
    picture[512:, :512] = np.where(dots < 0.3, np.uint8(20), picture[512:, :512])
    picture[512:, 512:] = np.where(dots < 0.3, np.uint8(243), picture[512:, 512:])
    framed = np.full((1280, 1280, 3), 243, np.uint8)
    framed[128:1152, 128:1152] = picture
    framed[128:640, 200:260] = (30, 140, 70)
    return write_slide(framed, file_mpp=1.0, compression="deflate")


FILTERS = {
    "out of focus": {"min_focus": 100.0},
    "black": {"max_black": 0.15},
    "white": {"max_white": 0.15},
    "ink": {"max_ink": 0.2},
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_takes_its_patches_counts_and_shows_them(tmp_path, spoilt, name):
    settings = {"min_tissue": 0.3}
    (every,) = run(tmp_path / "all", spoilt, settings=replace(FINE, **settings))
    (row,) = run(tmp_path / "some", spoilt, settings=replace(FINE, **settings, **FILTERS[name]))
    before, after = Tiles.read(every.path), Tiles.read(row.path)
    kept = set(map(tuple, after.coords.tolist()))
    taken = [corner for corner in map(tuple, before.coords.tolist()) if corner not in kept]
    assert kept <= set(map(tuple, before.coords.tolist()))
    assert row.count == len(kept) == every.count - len(taken)
    assert json.loads(after.attributes["filtered"]) == {name: len(taken)}
    assert "filtered" not in before.attributes
    wanted = {
        "out of focus": lambda x, y: x >= 640 and y < 640,
        "black": lambda x, y: x < 640 and y >= 640,
        "white": lambda x, y: x >= 640 and y >= 640,
        "ink": lambda x, y: 128 <= x < 260 and y < 640,
    }[name]
    assert taken
    assert all(wanted(x, y) for x, y in taken)
    if name != "ink":
        assert len(taken) == 16
    x, y = np.array(taken[0]) * 1024 / 1280
    shown = cv2.imread(str(tmp_path / "some/tile/slide.jpg"))[..., ::-1].astype(int)
    around = shown[int(y) - 2 : int(y) + 12, int(x) - 2 : int(x) + 12]
    assert (around[..., 0] - around[..., 1:].max(axis=-1)).max() > 100, "a red mark"


def test_patches_on_a_fold_are_taken_counted_and_shown(tmp_path, write_slide):
    where = band(20)
    slide = write_slide(picture(tissue() * np.where(where, 2, 1)[..., None]), file_mpp=8.0, compression="deflate")
    coarse = TileSettings(patch_size=20, mpp=8.0)
    outlined = TissueSettings()
    (every,) = run(tmp_path / "all", slide, settings=coarse, tissue=outlined)
    (row,) = run(tmp_path / "some", slide, settings=replace(coarse, max_fold=0.3), tissue=outlined)
    before, after = (Tiles.read(one.path) for one in (every, row))
    kept = set(map(tuple, after.coords.tolist()))
    taken = [corner for corner in map(tuple, before.coords.tolist()) if corner not in kept]
    assert json.loads(after.attributes["filtered"]) == {"fold": len(taken)}
    shares = {(x, y): where[y : y + 20, x : x + 20].mean() for x, y in before.coords.tolist()}
    assert all(shares[corner] > 0.1 for corner in taken)
    assert sum(share > 0.5 for share in shares.values()) >= 10
    assert {corner for corner, share in shares.items() if share > 0.5} <= set(taken)


def test_filters_that_take_all_are_an_error_that_counts(tmp_path, spoilt):
    with pytest.raises(StageError, match="the filters took all patches") as caught:
        run(tmp_path, spoilt, settings=replace(FINE, min_focus=1e6))
    assert "out of focus" in str(caught.value)


def test_filters_at_their_defaults_change_no_key(tmp_path, spoilt):
    (row,) = run(tmp_path, spoilt, settings=FINE)
    (same,) = run(
        tmp_path, spoilt, settings=replace(FINE, min_focus=0.0, max_black=1.0, max_white=1.0, max_ink=1.0, max_fold=1.0)
    )
    (other,) = run(tmp_path, spoilt, settings=replace(FINE, max_black=0.9))
    assert row.key == same.key != other.key


# ---- overlap, scales, a cap, classes -----------------------------------------------------------------------------


def test_neighbours_overlap_as_asked(tmp_path, write_slide):
    """A quarter of 64 px at 2 um/px is 32 level-0 pixels of 1 um: patches of 128 px start every 96 px."""
    tissue = np.full((900, 1100, 3), (205, 130, 180), np.uint8)
    (row,) = run(tmp_path, write_slide(tissue, file_mpp=1.0), settings=replace(TILE, overlap=16))
    tiles = Tiles.read(row.path)
    assert tiles.attributes["overlap"] == 16
    assert tiles.attributes["patch_size_level0"] == 128
    expected = [[x, y] for y in range(0, 900 - 128 + 1, 96) for x in range(0, 1100 - 128 + 1, 96)]
    assert tiles.coords.tolist() == expected


def test_the_kept_patches_with_overlap_are_those_with_enough_tissue(tmp_path, write_slide):
    (row,) = run(tmp_path, write_slide(disc(), file_mpp=1.0), settings=replace(TILE, overlap=48))
    kept = set(map(tuple, Tiles.read(row.path).coords.tolist()))
    outlines = Outlines.read(tmp_path / "tissue/slide.geojson")
    for x in range(0, 1100 - 128 + 1, 32):
        for y in range(0, 900 - 128 + 1, 32):
            share = sum(box(x, y, x + 128, y + 128).intersection(p).area for p in outlines.polygons) / 128**2
            if abs(share - 0.5) > 0.05:
                assert ((x, y) in kept) == (share > 0.5)


def test_overlap_in_nominal_geometry_is_whole_pixels(tmp_path, write_slide):
    settings = replace(TILE, mpp=0.5, unit="magnification", overlap=10)
    tissue = replace(TISSUE, mpp=2.0, min_area_mm2=0, min_hole_mm2=0)
    (row,) = run(tmp_path, write_slide(disc(), file_mpp=0.2325), settings=settings, tissue=tissue)
    coords = Tiles.read(row.path).coords
    assert np.unique(np.diff(np.unique(coords[:, 0]))).tolist() == [108]


def test_a_bag_of_two_scales_has_the_patches_of_both(tmp_path, write_slide):
    slide = write_slide(disc(), file_mpp=1.0, downsamples=(2,))
    (fine,) = run(tmp_path / "fine", slide)
    (coarse,) = run(tmp_path / "coarse", slide, settings=replace(TILE, mpp=4.0))
    (row,) = run(tmp_path / "both", slide, settings=replace(TILE, also_mpp=(4.0,)))
    alone, tiles = [Tiles.read(path) for path in (fine.path, coarse.path)], Tiles.read(row.path)
    assert tiles.coords.tolist() == [*alone[0].coords.tolist(), *alone[1].coords.tolist()]
    assert tiles.sides.tolist() == [128.0] * fine.count + [256.0] * coarse.count
    assert row.count == fine.count + coarse.count
    assert len({fine.key, coarse.key, row.key}) == 3
    assert tiles.attributes["also_mpp"].tolist() == [4.0]
    assert alone[0].sizes is None
    with open_slide(slide) as reader:
        found = in_order(patches(reader, tiles, 64))
        each = [in_order(patches(reader, own, 64)) for own in alone]
    np.testing.assert_array_equal(found, np.concatenate(each))


def test_a_scale_without_a_patch_is_an_error_that_names_it(tmp_path, write_slide):
    with pytest.raises(StageError, match="no patch with enough tissue at 32 um/px"):
        run(tmp_path, write_slide(disc(), file_mpp=1.0), settings=replace(TILE, also_mpp=(32.0,)))


def test_a_cap_draws_by_seed_and_content_and_is_counted(tmp_path, write_slide):
    slide = write_slide(disc(), file_mpp=1.0)
    other = write_slide(disc(centre=(520, 450)), name="other", file_mpp=1.0)

    def drawn(name, *slides, **keys):
        rows = run(tmp_path / name, *slides, settings=replace(TILE, **keys))
        return rows, [list(map(tuple, Tiles.read(row.path).coords.tolist())) for row in rows]

    (every,), (whole,) = drawn("all", slide)
    (first, _), (twelve, others) = drawn("12", slide, other, max_patches=12)
    _, (again,) = drawn("again", replace(slide, slide_id="renamed"), max_patches=12)
    _, (eight,) = drawn("8", slide, max_patches=8)
    (seeded,), (another,) = drawn("seed", slide, max_patches=12, patch_seed=1)
    assert first.count == len(twelve) == len(set(twelve)) == 12
    assert twelve == sorted(twelve, key=lambda corner: corner[::-1]), "row by row"
    assert set(eight) < set(twelve) < set(whole)
    assert again == twelve
    assert set(another) != set(twelve)
    assert {whole.index(corner) for corner in twelve} != set(range(12))
    assert others
    about = Tiles.read(first.path).attributes
    assert json.loads(about["filtered"]) == {"not drawn": every.count - 12}
    assert (about["patch_seed"], Tiles.read(seeded.path).attributes["patch_seed"]) == (0, 1)
    assert len({every.key, first.key, seeded.key}) == 3
    _, (kept,) = drawn("enough", slide, max_patches=every.count)
    assert kept == whole
    assert "filtered" not in Tiles.read(tmp_path / "enough/tile/slide.h5").attributes


def annotated(slide, **regions):
    """Return the slide with an annotation of a region for each class."""
    path = slide.path.with_suffix(".geojson")
    features = [
        {"type": "Feature", "geometry": mapping(region), "properties": {"classification": {"name": name}}}
        for name, region in regions.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return replace(slide, annotation=path)


def test_tumour_and_the_whole_slide_are_two_tilings_of_one_tissue(tmp_path, write_slide):
    tumour, ignored = box(200, 200, 500, 700), box(400, 300, 700, 400)
    slide = annotated(write_slide(disc(), file_mpp=1.0), Tumor=tumour, Ignore=ignored, Stroma=box(700, 0, 900, 900))
    cut = replace(TISSUE, annotation="cut")
    (whole,) = run(tmp_path / "whole", slide, tissue=cut)
    (part,) = run(tmp_path / "part", slide, tissue=cut, settings=replace(TILE, tissue_classes=("tumor",)))
    outlines = Outlines.read(tmp_path / "whole/tissue/slide.geojson")
    exact = Point(500, 450).buffer(380) - ignored
    found = shapely.union_all(outlines.polygons)
    assert found.symmetric_difference(exact).area < 0.03 * exact.area
    every, some = (set(map(tuple, Tiles.read(row.path).coords.tolist())) for row in (whole, part))
    assert some < every
    inside = found.intersection(tumour)
    for x, y in every:
        share = box(x, y, x + 128, y + 128).intersection(inside).area / 128**2
        if abs(share - 0.5) > 0.05:
            assert ((x, y) in some) == (share > 0.5)


@pytest.mark.parametrize(
    ("regions", "expected"), [(None, "no annotation with classes"), ({"Stroma": box(0, 0, 600, 600)}, "no polygon of")]
)
def test_a_slide_without_the_classes_is_bad(tmp_path, write_slide, regions, expected):
    slide = write_slide(disc(), file_mpp=1.0)
    slide = annotated(slide, **regions) if regions else slide
    with pytest.raises(StageError, match=expected):
        run(tmp_path, slide, settings=replace(TILE, tissue_classes=("Tumor",)))
