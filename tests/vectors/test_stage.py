"""One vector of each patient, from files of other tools, a table, or mean patches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccl.config.sections import Joining, VectorsSettings
from ccl.io.errors import CclError, ConfigError, InputError, StageError
from ccl.io.formats import Features, ManifestRow, Vectors, write_manifest
from ccl.io.interop.importing import import_features
from ccl.vectors.joining import Part, join
from ccl.vectors.registry import SLIDE_ENCODERS, licence_of
from ccl.vectors.stage import make_vectors

A, B, C = np.float32([1, 2, 3]), np.float32([3, 4, 5]), np.float32([7, 0, 1])


def trident(path: Path, values: np.ndarray, patches: int = 4, encoder: str = "titan") -> None:
    """Write ``slide_features_{encoder}/{slide}.h5``."""
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        file["features"] = values
        file["features"].attrs["encoder"] = encoder
        file["coords"] = np.zeros((patches, 2), np.int64)


def stamp(path: Path, values: np.ndarray, feat_type: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        file["feats"] = values
        file.attrs.update(encoder="cobra", stamp_version="2.4.0", feat_type=feat_type)


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """Two slides of P1, one of P2."""
    path = tmp_path / "slides.csv"
    path.write_text("slide_id,patient_id,path\nS1,P1,S1.svs\nS2,P1,S2.svs\nS3,P2,S3.svs\n")
    return path


@pytest.fixture
def folder(tmp_path: Path, sheet: Path) -> Path:
    for name, values, patches in (("S1", A, 4), ("S2", B, 9), ("S3", C[None], 1)):
        trident(tmp_path / "vectors" / f"{name}.h5", values, patches)
    return tmp_path / "vectors"


def made(path: Path, slides: Path | None, *, name: str = "mine", bad: str = "fail", **settings: Any) -> Vectors:
    out = path.parent / "out" / "vectors.h5"
    options = {"path": path, "slides": slides, "settings": VectorsSettings(**settings), "on_bad_slide": bad}
    make_vectors(out, name=name, **options)
    return Vectors.read(out)


def test_slides_of_a_patient_are_averaged(folder: Path, sheet: Path) -> None:
    vectors = made(folder, sheet)
    assert (vectors.patients, vectors.encoder, vectors.slides.tolist()) == (("P1", "P2"), "titan", [2, 1])
    np.testing.assert_array_equal(vectors.values, [(A + B) / 2, C])


def test_or_the_slide_with_most_patches_is_taken(folder: Path, sheet: Path) -> None:
    np.testing.assert_array_equal(made(folder, sheet, join="largest").values, [B, C])


@given(st.lists(st.lists(st.floats(-1e3, 1e3, width=32) | st.just(float("nan")), min_size=3, max_size=3), min_size=1))
def test_the_mean_is_that_of_the_known_values(rows: list[list[float]]) -> None:
    values = np.array(rows, np.float32)
    joined = join("P", [Part(str(number), row, None) for number, row in enumerate(values)], Joining())
    expected = pd.DataFrame(values.astype(np.float64)).mean().to_numpy()
    np.testing.assert_allclose(joined, expected, rtol=1e-5, atol=1e-3)


def test_stamp_may_name_a_file_by_slide_or_by_patient(tmp_path: Path, sheet: Path) -> None:
    stamp(tmp_path / "vectors" / "P1.h5", A[None], "patient")
    stamp(tmp_path / "vectors" / "S3.h5", C, "slide")
    vectors = made(tmp_path / "vectors", sheet)
    np.testing.assert_array_equal(vectors.values, [A, C])
    assert (vectors.encoder, vectors.slides.tolist()) == ("cobra", [1, 1])


def damaged(folder: Path, kind: str) -> None:
    path = folder / "S3.h5"
    if kind == "missing":
        path.unlink()
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:200])
    else:
        values = {"patches": np.ones((5, 3)), "infinite": np.float32([1, np.inf, 2]), "integers": np.array([1, 2, 3])}
        trident(path, values[kind])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("patches", "not the vector of a slide"),
        ("infinite", "not finite"),
        ("integers", "int64"),
        ("missing", "no file with the vector"),
        ("cut", "damaged"),
    ],
)
def test_a_slide_without_a_usable_vector_is_named(folder: Path, sheet: Path, kind: str, expected: str) -> None:
    damaged(folder, kind)
    with pytest.raises(StageError, match=f"(?s)1 slides have no usable vector.*S3: .*{expected}"):
        made(folder, sheet)
    assert not (folder.parent / "out" / "vectors.h5").exists()
    vectors = made(folder, sheet, bad="exclude")
    assert (vectors.patients, vectors.left_out) == (("P1",), {"P2": "no usable vector of slide S3"})


def test_vectors_of_different_widths_are_refused(folder: Path, sheet: Path) -> None:
    trident(folder / "S3.h5", np.ones(4, np.float32))
    with pytest.raises(InputError, match=r"(?s)differ in width.*S1 with 3 values, S3 with 4"):
        made(folder, sheet)


def test_a_known_encoder_has_its_width(folder: Path, sheet: Path) -> None:
    with pytest.raises(InputError, match=r"(?s)3 values.*768 values of titan"):
        made(folder, sheet, name="titan")


def test_vectors_of_two_encoders_are_refused(folder: Path, sheet: Path) -> None:
    trident(folder / "S3.h5", C, encoder="prism")
    with pytest.raises(InputError, match="different encoders"):
        made(folder, sheet)


def test_the_same_content_counts_once_and_never_for_two_patients(folder: Path, sheet: Path) -> None:
    trident(folder / "S2.h5", A)
    assert made(folder, sheet).slides.tolist() == [1, 1]
    trident(folder / "S3.h5", A)
    with pytest.raises(InputError, match="several patients"):
        made(folder, sheet)


def test_the_largest_slide_needs_coordinates(tmp_path: Path, sheet: Path) -> None:
    for name, values in (("S1", A), ("S2", B), ("S3", C)):
        stamp(tmp_path / "vectors" / f"{name}.h5", values, "slide")
    with pytest.raises(InputError, match=r"(?s)largest slide.*S1, S2.*join: mean"):
        made(tmp_path / "vectors", sheet, join="largest")


def test_a_folder_needs_a_slide_sheet(folder: Path) -> None:
    with pytest.raises(ConfigError, match="slide sheet"):
        made(folder, None)


def test_patches_are_sent_to_features_and_vectors_to_vectors(folder: Path, sheet: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="name vectors of slides in the cohort's `vectors`"):
        import_features(tmp_path / "manifest.tsv", slides=sheet, features=folder, on_bad_slide="fail")


TABLE = "Slide,Patient,x,y,pattern\nS1,P1,1,2,a\nS2,P1,3,,b\nS3,P2,5,6,c\n"
NAMES = {"patient_column": "Patient", "slide_column": "Slide"}


def table(folder: Path, text: str = TABLE) -> Path:
    path = folder / "vectors.csv"
    path.write_text(text)
    return path


def test_a_table_has_a_row_for_each_slide(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vectors = made(table(tmp_path), None, missing="mean", **NAMES)
    assert (vectors.patients, vectors.columns, vectors.encoder) == (("P1", "P2"), ("x", "y"), "table")
    np.testing.assert_array_equal(vectors.values, [[2, 2], [5, 6]])
    assert "1 columns are not part of the vector: pattern" in capsys.readouterr().err
    assert vectors.inputs["vectors"][0]["file"] == "vectors.csv"


def test_the_slide_sheet_may_say_whose_slide_a_row_is(tmp_path: Path, sheet: Path) -> None:
    text = "slide_id,x\nS1,1\nS3,5\nother,9\n"
    vectors = made(table(tmp_path, text), sheet)
    assert vectors.patients == ("P1", "P2")
    np.testing.assert_array_equal(vectors.values, [[1], [5]])


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        (TABLE, NAMES, r"empty or not finite.*S2, column y.*missing: mean"),
        (TABLE.replace("5,6", "5,inf"), {**NAMES, "missing": "mean"}, r"S3, column y.*inf"),
        (TABLE.replace("S2", "S1"), {**NAMES, "missing": "mean"}, r"twice.*row 3.*S1"),
        ("Patient,x\nP1,1\nP1,2\n", NAMES, r"twice.*row 3.*P1"),
        (TABLE, {**NAMES, "columns": ("x", "pattern")}, "pattern"),
        (TABLE, {}, "patients of a table of vectors are not known"),
        ("Patient,pattern\nP1,a\n", NAMES, "no column of numbers"),
        ("Patient,x\n,1\n", NAMES, "not a usable patient identifier"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    tmp_path: Path, text: str, settings: dict[str, Any], expected: str
) -> None:
    with pytest.raises(CclError, match=f"(?s){expected}"):
        made(table(tmp_path, text), None, **settings)


def test_the_mean_of_patches_is_a_vector(tmp_path: Path, sheet: Path) -> None:
    rows, means = [], {}
    for number, slide in enumerate(("S1", "S2", "S3")):
        features = np.random.default_rng(number).normal(size=(5, 4)).astype(np.float32)
        means[slide] = features.mean(axis=0)
        path = tmp_path / "features" / f"{slide}.h5"
        Features(features, None, "toy", "random", {}).write(path, slide)
        rows.append(ManifestRow(slide, "ok", path, slide, 5, ""))
    write_manifest(tmp_path / "manifest.tsv", rows)
    out = tmp_path / "vectors.h5"
    options = {"mean_of": "toy", "slides": sheet, "manifests": [tmp_path / "manifest.tsv"]}
    make_vectors(out, name="mine", settings=VectorsSettings(), **options)
    vectors = Vectors.read(out)
    assert (vectors.encoder, vectors.weights) == ("mean-toy", "random")
    np.testing.assert_allclose(vectors.values, [(means["S1"] + means["S2"]) / 2, means["S3"]], rtol=1e-6)


def test_licences_of_the_slide_encoder_and_of_its_patches_are_known() -> None:
    assert licence_of("titan") == "CC-BY-NC-ND-4.0"
    assert licence_of("chief") == "AGPL-3.0; ctranspath: GPL-3.0"
    assert licence_of("mean-uni") == "CC-BY-NC-ND-4.0"
    assert licence_of("til") == ""
    assert all(licence_of(name) for name in SLIDE_ENCODERS)
