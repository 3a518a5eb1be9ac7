"""Handing features and coordinates to other tools."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ccl.cli import cli
from ccl.io.errors import InputError, StageError
from ccl.io.formats import Features, ManifestRow, Tiles, read_manifest, write_manifest
from ccl.io.interop import LAYOUTS
from ccl.io.interop.exporting import export_features
from ccl.io.interop.importing import import_features
from tests.io.interop import layouts
from tests.io.interop.layouts import patches

MPP = 0.2528
"""A usual scanner's um/px; patches of 256 px at 0.5 um/px are 506.3 px of its level 0."""

ABOUT = {
    "patch_size": 256,
    "patch_size_level0": 256 * 0.5 / MPP,
    "level0_magnification": 10 / MPP,
    "target_magnification": 20,
    "overlap": 0,
    "name": "a",
    "savetodir": "results/tile",
    "level0_width": 5000,
    "level0_height": 4200,
    "level0_mpp": MPP,
    "target_mpp": 0.5,
}

JOB = Path("20x_256px_0px_overlap")


class Cohort:
    """Two slides as `tile` and `embed` leave them: `a`, whose file is named otherwise, and `b`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slides = layouts.sheet(folder, a="slides/TCGA-01.DX1.svs", b="slides/b.svs")
        self.features = {}
        rows: dict[str, list[ManifestRow]] = {"tile": [], "embed": []}
        for seed, name in enumerate("ab"):
            values, coords = patches(seed, count=40)
            coords = np.rint(coords / 512 * ABOUT["patch_size_level0"]).astype(np.int64)
            self.features[name] = Features(values, coords, "resnet50", "hub", {**ABOUT, "name": name})
            for stage, made in (("tile", Tiles(coords, ABOUT)), ("embed", self.features[name])):
                path = folder / stage / f"{name}.h5"
                made.write(path, f"{stage} {name}")
                rows[stage].append(ManifestRow(name, "ok", path, f"{stage} {name}", 40, ""))
        for stage, each in rows.items():
            write_manifest(self.manifest(stage), each)

    def manifest(self, stage: str) -> Path:
        return self.folder / stage / "manifests" / "0.tsv"

    def export(self, layout: str, stage: str = "embed") -> Path:
        """Export the slides in a layout, and return the folder."""
        out = self.folder / layout
        export_features(out, layout=layout, slides=self.slides, manifests=[self.manifest(stage)])
        return out

    def rewrite(self, **changes: Any) -> None:
        """Change the features of slide `b`."""
        replace(self.features["b"], **changes).write(self.folder / "embed" / "b.h5", "embed b")


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return Cohort(tmp_path)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def content(path: Path) -> tuple[dict[str, tuple[str, tuple[int, ...]]], dict[str, Any]]:
    """Return type and shape of each array, and all attributes but ccl's own."""
    with h5py.File(path) as file:
        arrays = {name: (data.dtype.name, data.shape) for name, data in file.items()}
        attributes = dict(file.attrs) | {f"{n}/{key}": v for n in file for key, v in file[n].attrs.items()}
        assert attributes.pop("ccl_key")
        return arrays, attributes


# ---- what is in the files --------------------------------------------------------------------------------------


def test_trident(cohort: Cohort) -> None:
    job = cohort.export("trident") / JOB
    assert files(job) == {
        *(f"patches/{name}_patches.h5" for name in ("TCGA-01.DX1", "b")),
        *(f"features_resnet50/{name}.h5" for name in ("TCGA-01.DX1", "b")),
    }
    about = {f"coords/{key}": value for key, value in ABOUT.items()}
    about |= {"coords/name": "TCGA-01.DX1", "coords/savetodir": str(job)}
    arrays, attributes = content(job / "patches" / "TCGA-01.DX1_patches.h5")
    assert arrays == {"coords": ("int64", (40, 2))}
    assert attributes == about
    arrays, attributes = content(job / "features_resnet50" / "TCGA-01.DX1.h5")
    assert arrays == {"coords": ("int64", (40, 2)), "features": ("float32", (40, 8))}
    own = {"name": "TCGA-01.DX1", "savetodir": str(job / "features_resnet50"), "encoder": "resnet50", "weights": "hub"}
    assert attributes == about | {f"features/{key}": value for key, value in own.items()}


def test_clam(cohort: Cohort) -> None:
    out = cohort.export("clam")
    names = ("TCGA-01.DX1", "b")
    assert files(out) == {
        f"{folder}/{name}{ending}"
        for name in names
        for folder, ending in (("patches", ".h5"), ("h5_files", ".h5"), ("pt_files", ".pt"))
    }
    arrays, attributes = content(out / "patches" / "b.h5")
    assert arrays == {"coords": ("int64", (40, 2))}
    shapes = {key: attributes.pop(f"coords/{key}").tolist() for key in ("level_dim", "downsampled_level_dim")}
    assert shapes == {"level_dim": [5000, 4200], "downsampled_level_dim": [5000, 4200]}
    assert attributes.pop("coords/downsample").tolist() == [1, 1]
    own = {"patch_size": 506, "patch_level": 0, "name": "b", "save_path": str(out / "patches")}
    assert attributes == {f"coords/{key}": value for key, value in own.items()}
    arrays, attributes = content(out / "h5_files" / "b.h5")
    assert arrays == {"coords": ("int32", (40, 2)), "features": ("float32", (40, 8))}
    assert attributes == {"features/encoder": "resnet50", "features/weights": "hub"}
    with h5py.File(out / "h5_files" / "b.h5") as file:
        assert file["features"].chunks == (32, 8)
    tensor = torch.load(out / "pt_files" / "b.pt", weights_only=True)
    assert tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor.numpy(), cohort.features["b"].features)


def test_clam_reads_the_patches_that_ccl_read(cohort: Cohort) -> None:
    """CLAM takes `patch_size` pixels of `patch_level` from each corner: within half a pixel of what ccl takes."""
    out = cohort.export("clam", "tile")
    assert files(out) == {"patches/TCGA-01.DX1.h5", "patches/b.h5"}
    with h5py.File(out / "patches" / "b.h5") as file:
        np.testing.assert_array_equal(file["coords"], cohort.features["b"].coords)
        assert file["coords"].attrs["patch_level"] == 0
        assert abs(file["coords"].attrs["patch_size"] - ABOUT["patch_size_level0"]) <= 0.5


def test_stamp(cohort: Cohort) -> None:
    out = cohort.export("stamp")
    (folder,) = out.iterdir()
    name, _, code_hash = folder.name.partition("-")
    assert (name, len(code_hash)) == ("resnet50", 8)
    assert files(folder) == {"TCGA-01.DX1.h5", "b.h5"}
    arrays, attributes = content(folder / "b.h5")
    assert arrays == {"coords": ("float32", (40, 2)), "feats": ("float16", (40, 8))}
    assert tuple(map(int, attributes.pop("stamp_version").split("."))) <= (2, 1, 0), "newer ones are refused"
    assert attributes.pop("tile_size_um") == pytest.approx(128)
    assert attributes == {
        "extractor": "resnet50",
        "unit": "um",
        "tile_size_px": 256,
        "code_hash": code_hash,
        "feat_type": "tile",
        "weights": "hub",
    }
    with h5py.File(folder / "b.h5") as file:
        np.testing.assert_allclose(file["coords"], cohort.features["b"].coords * MPP, rtol=1e-6)


def test_the_sheet_s_scale_is_stamp_s(cohort: Cohort) -> None:
    cohort.slides.write_text(
        "slide_id,patient_id,path,mpp\na,a,slides/TCGA-01.DX1.svs,0.25\nb,b,slides/b.svs,\n", encoding="utf-8"
    )
    (folder,) = cohort.export("stamp").iterdir()
    for file, mpp in (("TCGA-01.DX1", 0.25), ("b", MPP)):
        with h5py.File(folder / f"{file}.h5") as made:
            assert made.attrs["tile_size_um"] == pytest.approx(ABOUT["patch_size_level0"] * mpp)


def test_without_a_path_the_slide_s_own_name_is_the_file_s(cohort: Cohort) -> None:
    layouts.sheet(cohort.folder, a="", b="")
    assert files(cohort.export("clam", "tile")) == {"patches/a.h5", "patches/b.h5"}


def test_the_command_takes_the_manifests_of_all_shards(cohort: Cohort) -> None:
    shards = [cohort.manifest("embed").with_name(f"{shard}.tsv") for shard in (1, 2)]
    for shard, row in zip(shards, read_manifest(cohort.manifest("embed")), strict=True):
        write_manifest(shard, [row])
    options = ["--layout", "clam", "--slides", str(cohort.slides), "--out", str(cohort.folder / "out")]
    result = CliRunner().invoke(cli, ["export", *options, *map(str, shards)])
    assert result.exit_code == 0, result.output
    assert files(cohort.folder / "out" / "pt_files") == {"TCGA-01.DX1.pt", "b.pt"}


# ---- round trips -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "folder"), [("trident", f"{JOB}/features_resnet50"), ("clam", ""), ("stamp", "resnet50-*")]
)
def test_what_is_exported_can_be_imported(cohort: Cohort, layout: str, folder: str) -> None:
    out = cohort.export(layout)
    (features,) = out.glob(folder) if folder else [out]
    import_features(cohort.folder / "m.tsv", slides=cohort.slides, features=features, on_bad_slide="fail")
    for row in read_manifest(cohort.folder / "m.tsv"):
        found, expected = Features.read(row.path, mpp=MPP), cohort.features[row.slide_id]
        values = expected.features.astype(np.float16) if layout == "stamp" else expected.features
        np.testing.assert_array_equal(found.features, values)
        np.testing.assert_array_equal(found.coords, expected.coords)
        assert (found.encoder, found.weights) == ("resnet50", "hub")


def from_trident(path: Path) -> None:
    layouts.trident(path.with_suffix(".h5"), *patches(0))


def from_clam(path: Path) -> None:
    layouts.clam_h5(path.with_suffix(".h5"), *patches(0))


def from_clam_pt(path: Path) -> None:
    layouts.clam_pt(path.with_suffix(".pt"), patches(0)[0])


def from_stamp(path: Path) -> None:
    features, coords = patches(0)
    layouts.stamp(path.with_suffix(".h5"), features, coords * MPP)


@pytest.mark.parametrize(
    ("write", "layout", "without_mpp", "with_mpp"),
    [
        (from_trident, "trident", True, True),
        (from_trident, "clam", True, True),
        (from_trident, "stamp", False, True),
        *((write, layout, False, False) for write in (from_clam, from_clam_pt) for layout in LAYOUTS),
        (from_stamp, "trident", False, True),
        (from_stamp, "clam", False, False),
        (from_stamp, "stamp", False, True),
    ],
)
def test_features_of_one_tool_go_on_to_another(
    tmp_path: Path, write: Callable[[Path], None], layout: str, without_mpp: bool, with_mpp: bool
) -> None:
    write(tmp_path / "from" / "a")
    sheet, manifest = tmp_path / "slides.csv", tmp_path / "import" / "manifest.tsv"
    for mpp, possible in (("", without_mpp), (str(MPP), with_mpp)):
        sheet.write_text(f"slide_id,patient_id,mpp\na,a,{mpp}\n", encoding="utf-8")
        import_features(manifest, slides=sheet, features=tmp_path / "from", on_bad_slide="fail")
        with nullcontext() if possible else pytest.raises(StageError, match=r"lack attributes|without coordinates"):
            export_features(tmp_path / f"to{mpp}", layout=layout, slides=sheet, manifests=[manifest])
        if possible:
            made = [path for path in (tmp_path / f"to{mpp}").rglob("a.h5") if path.parent.name != "patches"]
            found = Features.read(made[0], mpp=MPP)
            np.testing.assert_allclose(found.features, patches(0)[0], atol=2e-3)
            np.testing.assert_array_equal(found.coords, patches(0)[1])


# ---- what is refused -------------------------------------------------------------------------------------------


def test_a_slide_that_cannot_be_written_does_not_cost_the_others(cohort: Cohort) -> None:
    path = cohort.folder / "embed" / "b.h5"
    whole = path.read_bytes()
    for damaged in (b"torn", whole[: len(whole) // 2], None):
        _ = path.unlink() if damaged is None else path.write_bytes(damaged)
        with pytest.raises(StageError, match="1 of 2 slides could not be written") as error:
            cohort.export("trident")
        assert "b: " in str(error.value)
        assert files(cohort.folder / "trident" / JOB / "features_resnet50") == {"TCGA-01.DX1.h5"}


def test_values_too_large_for_stamp(cohort: Cohort) -> None:
    cohort.rewrite(features=cohort.features["b"].features * 1e5)
    with pytest.raises(StageError, match="float16, which STAMP stores, cannot hold"):
        cohort.export("stamp")
    (folder,) = (cohort.folder / "stamp").iterdir()
    assert files(folder) == {"TCGA-01.DX1.h5"}


@pytest.mark.parametrize(
    ("layout", "lost"), [("trident", "target_magnification"), ("clam", "level0_width"), ("stamp", "patch_size_level0")]
)
def test_coordinates_that_do_not_tell_enough(cohort: Cohort, layout: str, lost: str) -> None:
    cohort.rewrite(attributes={key: value for key, value in ABOUT.items() if key != lost})
    with pytest.raises(StageError, match=rf"lack attributes for this layout.*{lost}"):
        cohort.export(layout)


def test_stamp_has_no_files_of_coordinates_alone(cohort: Cohort) -> None:
    with pytest.raises(StageError, match=r"2 of 2 slides(.*\n)+.*files with only coordinates"):
        cohort.export("stamp", "tile")


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("trident", f"{JOB}/features_resnet50/b.h5"),
        ("trident", f"{JOB}/patches/b_patches.h5"),
        ("clam", "patches/b.h5"),
        ("clam", "h5_files/b.h5"),
        ("clam", "pt_files/b.pt"),
    ],
)
def test_a_file_of_another_tool_is_kept(cohort: Cohort, layout: str, name: str) -> None:
    path = cohort.folder / layout / name
    features, coords = patches(3)
    _ = layouts.clam_pt(path, features) if path.suffix == ".pt" else layouts.trident(path, features, coords)
    before = path.read_bytes()
    with pytest.raises(StageError, match="a file that ccl did not write is in the way"):
        cohort.export(layout)
    assert path.read_bytes() == before
    assert {name for name in files(cohort.folder / layout) if "b" in Path(name).stem} == {name}, "nor half the slide"


@pytest.mark.parametrize("layout", ["trident", "clam", "stamp"])
def test_ccl_s_own_file_is_replaced(cohort: Cohort, layout: str) -> None:
    cohort.export(layout)
    cohort.rewrite(features=cohort.features["b"].features + 1)
    (path,) = [p for p in cohort.export(layout).rglob("b.*") if p.suffix == ".pt" or "resnet50" in p.parent.name]
    np.testing.assert_allclose(Features.read(path).features, cohort.features["b"].features + 1, atol=2e-3)


def test_slides_whose_files_have_one_name(cohort: Cohort) -> None:
    layouts.sheet(cohort.folder, a="x/s.svs", b="y/s.svs")
    with pytest.raises(InputError, match="slides whose files have the same name"):
        cohort.export("clam")
    assert not (cohort.folder / "clam").exists()


def test_the_name_of_an_excluded_slide_is_in_nobodys_way(cohort: Cohort) -> None:
    layouts.sheet(cohort.folder, a="x/s.svs", b="y/s.svs")
    rows = read_manifest(cohort.manifest("embed"))
    write_manifest(cohort.manifest("embed"), [replace(rows[0], status="excluded", message="tile: no tissue"), rows[1]])
    assert files(cohort.export("trident") / JOB / "features_resnet50") == {"s.h5"}


def test_what_is_left_out_and_what_is_random_is_said(cohort: Cohort, capsys: pytest.CaptureFixture[str]) -> None:
    cohort.rewrite(weights="random")
    rows = read_manifest(cohort.manifest("embed"))
    write_manifest(cohort.manifest("embed"), [replace(rows[0], status="excluded", message="tile: no tissue"), rows[1]])
    assert files(cohort.export("trident") / JOB / "features_resnet50") == {"b.h5"}
    log = capsys.readouterr().err
    assert "left out a: tile: no tissue" in log
    assert "weights are random" in log
    assert "1 of 2 slides" in log


# ---- several scales ---------------------------------------------------------------------------------------------


def two_scales(cohort: Cohort) -> None:
    """Give slide `b` a second scale: its last ten patches are twice as wide."""
    sizes = np.full(40, ABOUT["patch_size_level0"])
    sizes[30:] *= 2
    about = {**ABOUT, "name": "b", "also_mpp": [1.0]}
    cohort.rewrite(attributes=about, sizes=sizes)
    found = cohort.features["b"]
    assert found.coords is not None
    Tiles(found.coords, about, sizes).write(cohort.folder / "tile" / "b.h5", "tile b")


@pytest.mark.parametrize("stage", ["embed", "tile"])
def test_each_scale_of_a_bag_is_a_folder_of_trident(cohort: Cohort, stage: str) -> None:
    two_scales(cohort)
    out = cohort.export("trident", stage)
    for folder, rows, size, power in (
        (JOB, slice(0, 30), 1, 20),
        (Path("10x_256px_0px_overlap"), slice(30, 40), 2, 10),
    ):
        patches = Tiles.read(out / folder / "patches" / "b_patches.h5")
        assert patches.sizes is None
        assert patches.attributes["patch_size_level0"] == pytest.approx(size * ABOUT["patch_size_level0"])
        assert patches.attributes["target_magnification"] == pytest.approx(power)
        assert patches.attributes["target_mpp"] == pytest.approx(10 / power)
        expected = cohort.features["b"]
        assert expected.coords is not None
        np.testing.assert_array_equal(patches.coords, expected.coords[rows])
        if stage == "embed":
            features = Features.read(out / folder / "features_resnet50" / "b.h5")
            np.testing.assert_array_equal(features.features, expected.features[rows])
    assert not (out / "10x_256px_0px_overlap" / "patches" / "TCGA-01.DX1_patches.h5").exists()


@pytest.mark.parametrize("layout", ["clam", "stamp"])
def test_layouts_of_one_scale_refuse_several(cohort: Cohort, layout: str) -> None:
    two_scales(cohort)
    with pytest.raises(StageError, match="patches of several scales"):
        cohort.export(layout)
    assert not list((cohort.folder / layout).rglob("b.*"))


def test_features_of_several_scales_are_read_as_written(cohort: Cohort) -> None:
    two_scales(cohort)
    found = Features.read(cohort.folder / "embed" / "b.h5")
    assert found.sizes is not None
    assert found.sizes.tolist() == [ABOUT["patch_size_level0"]] * 30 + [2 * ABOUT["patch_size_level0"]] * 10
