"""Files as TRIDENT, CLAM and STAMP write them, by h5py and torch alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import torch

TRIDENT_COORDS = {
    "patch_size": 256,
    "patch_size_level0": 512,
    "level0_magnification": 40,
    "target_magnification": 20,
    "overlap": 0,
    "name": "a",
    "savetodir": "/job/20x_256px_0px_overlap",
    "level0_width": 8000,
    "level0_height": 6000,
}


def patches(seed: int, count: int = 5, dim: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return features (N, D) float32 that differ from seed to seed, and places (N, 2) int64 on a grid of 512 px."""
    rng = np.random.default_rng(seed)
    places = rng.choice(64, count, replace=False)
    return rng.normal(size=(count, dim)).astype(np.float32), np.stack([places % 8, places // 8], axis=1) * 512


def trident(path: Path, features: np.ndarray, coords: np.ndarray, encoder: str = "uni_v1") -> Path:
    """Write ``features_{encoder}/{slide}.h5``: one row a chunk, the attributes of the patches copied."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        data = file.create_dataset("features", data=features, chunks=(1, features.shape[1]), maxshape=(None, None))
        data.attrs.update(name=path.stem, savetodir=str(path.parent), encoder=encoder)
        file.create_dataset("coords", data=coords, chunks=(1, 2), maxshape=(None, 2)).attrs.update(TRIDENT_COORDS)
    return path


def clam_h5(path: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    """Write ``h5_files/{slide}.h5``: 32 rows a chunk, no attributes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=features, chunks=(32, features.shape[1]), maxshape=(None, None))
        file.create_dataset("coords", data=coords.astype(np.int32), chunks=(32, 2), maxshape=(None, 2))
    return path


def clam_pt(path: Path, features: np.ndarray) -> Path:
    """Write ``pt_files/{slide}.pt``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(torch.from_numpy(features), path)
    return path


def stamp(path: Path, features: np.ndarray, coords_um: np.ndarray, **attributes: Any) -> Path:
    """Write ``{extractor}-{hash}/{slide}.h5``; `attributes` replace those of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "stamp_version": "2.3.0",
        "extractor": "ctranspath",
        "unit": "um",
        "tile_size_um": 256.0,
        "tile_size_px": 224,
        "code_hash": "0123abcd",
        "feat_type": "tile",
    }
    with h5py.File(path, "w") as file:
        file["coords"] = coords_um.astype(np.float32)
        file["feats"] = features.astype(np.float16)
        file.attrs.update(told | attributes)
    return path


def sheet(folder: Path, **paths: str) -> Path:
    """Write a sample sheet of slides by name, each with the ``path`` given, and return where it is."""
    table = pd.DataFrame({"slide_id": list(paths), "patient_id": list(paths), "path": list(paths.values())})
    table.to_csv(folder / "slides.csv", index=False)
    return folder / "slides.csv"
