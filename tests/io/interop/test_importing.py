"""Taking features made elsewhere."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from ccl.io.errors import InputError, StageError
from ccl.io.formats import Features, FeaturesHead, ManifestRow, read_manifest
from ccl.io.interop.importing import import_features
from tests.io.interop import layouts
from tests.io.interop.layouts import patches, sheet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three feature files as TRIDENT writes them, and their sheet."""
    for seed, name in enumerate("abc"):
        layouts.trident(tmp_path / f"{name}.h5", *patches(seed))
    sheet(tmp_path, a="", b="", c="")
    return tmp_path


def imported(folder: Path, on_bad_slide: str = "fail", features: str = "") -> list[ManifestRow]:
    """Import the slides of the folder's sheet, and return the rows of the manifest."""
    import_features(
        folder / "m.tsv", slides=folder / "slides.csv", features=folder / features, on_bad_slide=on_bad_slide
    )
    return read_manifest(folder / "m.tsv")


# ---- the layouts -----------------------------------------------------------------------------------------------


def test_trident(folder: Path) -> None:
    rows = imported(folder)
    assert [(row.slide_id, row.status, row.count) for row in rows] == [(name, "ok", 5) for name in "abc"]
    assert rows[1].path.samefile(folder / "b.h5"), "files are listed where they are"
    found, (features, coords) = Features.read(rows[1].path), patches(1)
    np.testing.assert_array_equal(found.features, features)
    np.testing.assert_array_equal(found.coords, coords)
    assert (found.encoder, found.weights) == ("uni_v1", "imported")
    assert found.attributes == layouts.TRIDENT_COORDS


def test_clam(tmp_path: Path) -> None:
    features, coords = patches(0)
    layouts.clam_h5(tmp_path / "out" / "h5_files" / "a.h5", features, coords)
    layouts.clam_pt(tmp_path / "out" / "pt_files" / "a.pt", features)
    sheet(tmp_path, a="")
    (row,) = imported(tmp_path, features="out")
    assert row.path.suffix == ".h5", "the file with coordinates, where there are both"
    both = Features.read(row.path)
    np.testing.assert_array_equal(both.coords, coords)
    assert both.coords.dtype == np.int64
    (tmp_path / "out" / "h5_files" / "a.h5").unlink()
    (row,) = imported(tmp_path, features="out")
    alone = Features.read(row.path)
    assert alone.coords is None
    for found in (both, alone):
        np.testing.assert_array_equal(found.features, features)
        assert (found.encoder, found.weights) == ("unknown", "imported")
    assert FeaturesHead.read(row.path) == FeaturesHead(5, 8, "unknown", "imported")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_tensors_of_any_precision(tmp_path: Path, dtype: torch.dtype) -> None:
    features = torch.from_numpy(patches(0)[0]).to(dtype)
    torch.save(features.requires_grad_(), tmp_path / "a.pt")
    found = Features.read(tmp_path / "a.pt").features
    np.testing.assert_array_equal(found, features.detach().float().numpy())


@pytest.mark.parametrize("mpp", [0.25, 0.2528])
def test_stamp(tmp_path: Path, mpp: float) -> None:
    features, coords = patches(0)
    layouts.stamp(tmp_path / "ctranspath-0123abcd" / "a.h5", features, coords * mpp)
    sheet(tmp_path, a="")
    (row,) = imported(tmp_path, features="ctranspath-0123abcd")
    found = Features.read(row.path, mpp=mpp)
    np.testing.assert_array_equal(found.features, features.astype(np.float16))
    np.testing.assert_array_equal(found.coords, coords)
    assert (found.encoder, found.weights) == ("ctranspath", "imported")
    assert found.attributes["patch_size_level0"] == pytest.approx(256 / mpp)
    assert found.attributes["target_mpp"] == pytest.approx(256 / 224)
    assert FeaturesHead.read(row.path) == FeaturesHead(5, 8, "ctranspath", "imported")
    assert Features.read(row.path).coords is None, "no scale, no pixels"


def test_stamp_2_0_and_before(tmp_path: Path) -> None:
    features, coords = patches(0)
    path = layouts.stamp(tmp_path / "a.h5", features, coords * 0.5)
    with h5py.File(path, "r+") as file:
        del file.attrs["tile_size_um"], file.attrs["tile_size_px"], file.attrs["feat_type"]
        file.attrs["tile_size"] = 256.0
    np.testing.assert_array_equal(Features.read(path, mpp=0.5).coords, coords)
    with h5py.File(path, "r+") as file:
        del file.attrs["tile_size"], file.attrs["unit"]
    assert Features.read(path, mpp=0.5).coords is None, "the file does not say of what unit its coordinates are"


# ---- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("slides/TCGA-AA-0001-01Z-00-DX1.4F5E.svs", "a.h5"),
        ("slides/TCGA-AA-0001-01Z-00-DX1.4F5E.svs", "TCGA-AA-0001-01Z-00-DX1.4F5E.h5"),
        ("slides/TCGA-AA-0001-01Z-00-DX1.4F5E.svs", "pt_files/TCGA-AA-0001-01Z-00-DX1.4F5E.pt"),
        ("blca/TCGA-AA-0001.svs", "blca/TCGA-AA-0001.h5"),
        ("slide.ome.tif", "slide.h5"),
        ("slide.ome.tif", "slide.ome.h5"),
        ("1.2.840.10008", "h5_files/1.2.840.10008.h5"),
    ],
)
def test_a_file_has_the_name_of_the_slide_or_of_its_file(tmp_path: Path, path: str, file: str) -> None:
    features, coords = patches(0)
    made = tmp_path / "out" / file
    _ = layouts.clam_pt(made, features) if made.suffix == ".pt" else layouts.clam_h5(made, features, coords)
    sheet(tmp_path, a=path)
    (row,) = imported(tmp_path, features="out")
    assert row.path.samefile(made)


def test_two_slides_with_one_file(folder: Path) -> None:
    sheet(folder, a="x/b.svs", b="", c="")
    (folder / "a.h5").unlink()
    with pytest.raises(StageError, match="it is already that of a"):
        imported(folder)


# ---- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.ones((4, 9), np.float32), "8 finite values"),
        (np.full((4, 8), np.nan, np.float32), "not finite"),
        (np.full((4, 8), 1e300), "not finite"),
        (np.ones((0, 8), np.float32), "at least one patch"),
        (np.ones((4, 0), np.float32), "at least one patch"),
        (np.ones(8, np.float32), "not features of patches"),
        (np.ones((4, 8), np.int64), "not features of patches"),
        (None, "b, with .h5, .hdf5, .pt or .npy"),
    ],
)
def test_unusable_files_are_all_named(folder: Path, array: np.ndarray | None, expected: str) -> None:
    (folder / "b.h5").unlink()
    if array is not None:
        with h5py.File(folder / "b.h5", "w") as file:
            file["features"] = array
            file["coords"] = np.zeros((len(array), 2), np.int64)
    (folder / "c.h5").write_bytes(b"torn")
    with pytest.raises(StageError) as error:
        imported(folder)
    assert expected in str(error.value)
    assert "c: " in str(error.value)
    assert not (folder / "m.tsv").exists()
    rows = imported(folder, "exclude")
    assert [row.status for row in rows] == ["ok", "excluded", "excluded"]
    assert expected in rows[1].message


def test_a_bad_first_file_does_not_decide_the_width(folder: Path) -> None:
    layouts.trident(folder / "a.h5", np.ones((0, 1024), np.float32), np.zeros((0, 2), np.int64))
    assert [row.status for row in imported(folder, "exclude")] == ["excluded", "ok", "ok"]


class Evil:
    """What an unpickler would run."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("pwned",)


def sparse(path: Path) -> None:
    torch.save(torch.eye(4).to_sparse(), path)


def cut_short(path: Path) -> None:
    layouts.clam_pt(path, patches(0)[0])
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(pickle.dumps(Evil())),
        lambda path: torch.save({"features": torch.ones(4, 8), "more": Evil()}, path),
        lambda path: torch.save({"features": torch.ones(4, 8)}, path),
        lambda path: torch.save(torch.ones(8), path),
        lambda path: path.write_bytes(b""),
        cut_short,
        sparse,
    ],
    ids=["pickle", "object", "dict", "one row", "empty", "cut short", "sparse"],
)
def test_a_hostile_or_damaged_tensor_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "b.pt")
    layouts.clam_pt(tmp_path / "a.pt", patches(0)[0])
    sheet(tmp_path, a="", b="")
    rows = imported(tmp_path, "exclude")
    assert [row.status for row in rows] == ["ok", "excluded"]
    assert "b.pt" in rows[1].message
    assert not (tmp_path / "pwned").exists()


def one_coordinate_too_few(file: h5py.File) -> None:
    del file["coords"]
    file["coords"] = np.zeros((4, 2))


def coordinates_not_finite(file: h5py.File) -> None:
    del file["coords"]
    file["coords"] = np.full((5, 2), np.nan)


def a_folder_of_features(file: h5py.File) -> None:
    del file["features"]
    file["features/uni"] = np.ones((5, 8))


def a_slide_s_features(file: h5py.File) -> None:
    file["feats"] = np.ones((5, 8), np.float16)
    file.attrs["feat_type"] = "slide"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (one_coordinate_too_few, "do not fit"),
        (coordinates_not_finite, "coordinates that are not finite"),
        (a_folder_of_features, "features is no array"),
        (a_slide_s_features, "of a slide"),
    ],
)
def test_other_contents(folder: Path, change: Callable[[h5py.File], None], expected: str) -> None:
    with h5py.File(folder / "b.h5", "r+") as file:
        change(file)
    with pytest.raises(InputError, match=expected):
        Features.read(folder / "b.h5")
    assert [row.status for row in imported(folder, "exclude")] == ["ok", "excluded", "ok"]


def test_the_same_features_of_two_patients_are_an_error_that_names_both(folder: Path) -> None:
    layouts.trident(folder / "b.h5", *patches(0))
    with pytest.raises(InputError, match="several patients") as caught:
        imported(folder, on_bad_slide="exclude")
    assert "a of patient a and b of patient b" in caught.value.found


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.h5", b"text"), ("a.pt", b"hello"), ("a.pt", b"a,b\n1,2\n"), ("a.pt", b"{}"), ("a.pt", b"")],
)
def test_a_users_own_file_is_called_by_name_and_never_to_be_deleted(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    sheet(tmp_path, a="")
    with pytest.raises(StageError) as caught:
        imported(tmp_path)
    assert name in str(caught.value)
    assert "the tool that wrote it" in str(caught.value)
    assert "delete" not in str(caught.value)
    assert "KeyError: " not in str(caught.value)
    assert "weights_only" not in str(caught.value)


def test_plain_arrays_and_batches_of_one_slide(tmp_path: Path) -> None:
    """`.npy`, `.hdf5` and (1, N, D), as other tools and scripts write features."""
    made = {name: patches(seed) for seed, name in enumerate("abcd")}
    np.save(tmp_path / "a.npy", made["a"][0])
    np.save(tmp_path / "b.npy", made["b"][0][None])
    layouts.clam_pt(tmp_path / "c.pt", made["c"][0][None])
    with h5py.File(tmp_path / "d.hdf5", "w") as file:
        file["features"], file["coords"] = made["d"][0][None], made["d"][1][None]
    sheet(tmp_path, a="", b="", c="", d="")
    for row in imported(tmp_path):
        features, coords = made[row.slide_id]
        found, head = Features.read(row.path), FeaturesHead.read(row.path)
        np.testing.assert_array_equal(found.features, features)
        assert (head.count, head.dim) == features.shape
        if row.slide_id == "d":
            np.testing.assert_array_equal(found.coords, coords)


@pytest.mark.parametrize("array", [np.ones((2, 5, 8)), np.ones(8), np.ones((5, 8), np.int64), np.array([{}])])
def test_an_array_that_is_no_slides_patches_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    sheet(tmp_path, a="")
    with pytest.raises(StageError, match=r"a\.npy"):
        imported(tmp_path)
