"""Reading features in other tools' layouts: the differences from TRIDENT's layout, which ccl uses.

Facts on the layouts: CLAM's and STAMP's public sources; see docs/interop.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ccl.io.bounds import check_archive, check_size
from ccl.io.errors import InputError

ARRAYS = (".pt", ".npy")
"""Endings of files that hold one array and nothing else."""


def is_array(path: Path) -> bool:
    """Return whether a file holds one array: named ``.pt`` or ``.npy``, and not actually HDF5."""
    return path.suffix in ARRAYS and not h5py.is_hdf5(path)


def read_array(path: Path) -> NDArray[np.floating[Any]]:
    """Read a file of one array: CLAM's ``.pt``, or ``.npy``.

    Raises
    ------
    InputError
        The file is damaged, or holds anything but one array.  Python objects are never loaded.
    """
    return _read_tensor(path) if path.suffix == ".pt" else _read_npy(path)


def _read_npy(path: Path) -> NDArray[np.floating[Any]]:
    try:
        return np.asarray(np.lib.format.open_memmap(path, mode="r"))
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            "not a NumPy file of one array, or a damaged one",
            where=str(path),
            found=str(error).partition("\n")[0],
            expected="one array (N, D) of numbers; Python objects are not opened, as they could run code",
            todo="make it again with numpy.save(path, features)",
        ) from error


def _read_tensor(path: Path) -> NDArray[np.floating[Any]]:
    """Read one tensor, with bfloat16 converted to float32 for NumPy."""
    import torch  # slow to load, and most features are HDF5

    try:
        check_archive(path)
        tensor = torch.load(path, map_location="cpu", weights_only=True)
        found = f"a {type(tensor).__name__}"
    except InputError:
        raise
    except Exception as error:  # torch raises many classes of errors for damaged or malicious files
        # Its messages advise to load Python objects, or are those of the unpickler.
        tensor, found = None, f"nothing that torch.save wrote, or a part of it ({type(error).__name__})"
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise InputError(
            "not a file of one tensor, or a damaged one",
            where=str(path),
            found=found,
            expected="one tensor (N, D); files with other Python objects are not opened, as they could run code",
            todo="make it again with torch.save(features, path)",
        )
    # A tensor of a billion elements may repeat the one that is stored.
    check_size(path, tensor.nbytes, tensor.untyped_storage().nbytes())
    tensor = tensor.detach()
    return np.asarray((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())


def stamp_coords(file: h5py.File, mpp: float | None) -> tuple[NDArray[np.int64] | None, dict[str, Any]]:
    """Return the level-0 pixels of STAMP's patches, and their ``coords`` attributes in ccl's form.

    Parameters
    ----------
    file : h5py.File
        File with ``coords`` (N, 2) in um, and attribute ``tile_size_um`` (up to version 2.0: ``tile_size``, ``unit``).
    mpp : float or None
        um/px of level 0, which the file does not have.

    Returns
    -------
    (N, 2) int64 or None, dict
        None without `mpp`, or if the file does not say that its coordinates are in um, as before version 2.0.
    """
    attributes = dict(file.attrs)
    size_um = attributes.get("tile_size_um", attributes.get("tile_size") if attributes.get("unit") == "um" else None)
    if mpp is None or "coords" not in file or size_um is None:
        return None, {}
    told = {"patch_size_level0": float(size_um) / mpp, "level0_mpp": mpp, "level0_magnification": 10 / mpp}
    if "tile_size_px" in attributes:
        size_px = int(attributes["tile_size_px"])
        target_mpp = float(size_um) / size_px
        told |= {"patch_size": size_px, "target_mpp": target_mpp, "target_magnification": 10 / target_mpp}
    return to_pixels(file["coords"], mpp), told


def to_pixels(coords: h5py.Dataset, unit: float = 1.0) -> NDArray[np.int64]:
    """Return whole level-0 pixels of coordinates with `unit` per pixel; raise InputError if one is not finite."""
    values = coords[:].astype(np.float64) / unit
    if not np.isfinite(values).all():
        raise InputError("coordinates that are not finite", where=str(coords.file.filename), todo="make the file again")
    pixels: NDArray[np.int64] = np.rint(values).astype(np.int64)
    return pixels


def check_patches(path: Path, features: Any, attributes: Mapping[str, Any]) -> None:
    """Check only by shape and type that `features` (an array, or an HDF5 dataset) are those of patches.

    Raises
    ------
    InputError
        They are not (N, D) floating-point numbers, or the file says they are a slide's or a patient's.
    """
    kind = attributes.get("feat_type", "tile")
    one_slide = features.ndim == 2 or (features.ndim == 3 and features.shape[0] == 1)
    if not one_slide or features.dtype.kind != "f" or kind != "tile":
        raise InputError(
            "not features of patches",
            where=str(path),
            found=f"{features.dtype} {features.shape}" + ("" if kind == "tile" else f", of a {kind}"),
            expected="features (N, D) or (1, N, D) of N patches, floating-point numbers",
            todo="give the folder of the patches' features, or make the file again",
        )


def check_vector(path: Path, values: Any, attributes: Mapping[str, Any]) -> None:
    """Check only by shape and type that `values` (an array, or an HDF5 dataset) are one vector.

    Raises
    ------
    InputError
        They are not (D,) or (1, D) floating-point numbers, or the file says they are those of patches.
    """
    kind = attributes.get("feat_type", "slide")
    one = values.ndim == 1 or (values.ndim == 2 and values.shape[0] == 1)
    if not one or not values.size or values.dtype.kind != "f" or kind not in ("slide", "patient"):
        raise InputError(
            "not the vector of a slide or a patient",
            where=str(path),
            found=f"{values.dtype} {values.shape}" + ("" if kind in ("slide", "patient") else f", of a {kind}"),
            expected="features (D,) or (1, D), floating-point numbers",
            todo="give a folder of vectors alone; name patches in the cohort's `features`",
        )
