"""Taking features made elsewhere."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from ccl.errors import StageError
from ccl.formats import read_manifest
from ccl.interop.importing import import_features


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three feature files as TRIDENT writes them: no key, no weights, one patch a chunk."""
    for name in "abc":
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.create_dataset("features", data=np.ones((4, 8), np.float32), chunks=(1, 8)).attrs["encoder"] = "uni_v1"
            file.create_dataset("coords", data=np.zeros((4, 2), np.int64), chunks=(1, 2))
    table = pd.DataFrame({"slide_id": list("abc"), "patient_id": "P", "path": ".", "mpp": ""})
    table.to_csv(tmp_path / "slides.csv", index=False)
    return tmp_path


def test_files_are_listed_where_they_are(folder: Path) -> None:
    import_features(folder / "m.tsv", slides=folder / "slides.csv", features=folder, on_bad_slide="fail")
    rows = read_manifest(folder / "m.tsv")
    assert [(row.slide_id, row.status, row.count) for row in rows] == [(name, "ok", 4) for name in "abc"]
    assert rows[0].path.samefile(folder / "a.h5")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.ones((4, 9), np.float32), "8 finite values"),
        (np.full((4, 8), np.nan, np.float32), "not finite"),
        (np.ones((0, 8), np.float32), "at least one patch"),
        (np.ones(8, np.float32), "not features of patches"),
        (None, "b.h5 or b.pt"),
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
        import_features(folder / "m.tsv", slides=folder / "slides.csv", features=folder, on_bad_slide="fail")
    assert expected in str(error.value)
    assert "c: " in str(error.value)
    assert not (folder / "m.tsv").exists()
    import_features(folder / "m.tsv", slides=folder / "slides.csv", features=folder, on_bad_slide="exclude")
    rows = read_manifest(folder / "m.tsv")
    assert [row.status for row in rows] == ["ok", "excluded", "excluded"]
    assert expected in rows[1].message
