"""The files that stages pass to each other; docs/formats.md describes them in prose.

Each format is one frozen dataclass with a ``write`` and a ``read``.  HDF5 files carry the ``key`` of their inputs.
A stage compares it to tell a finished slide from a stale one.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.io.errors import InputError
from ccl.io.files import atomic_path, existing, read_table, write_table
from ccl.io.foreign import check_patches, is_array, read_array, stamp_coords, to_pixels

CHUNK_BYTES = 1 << 20
"""Features are stored in chunks of about this size, each with a checksum that is verified on reading."""


@contextmanager
def _open_h5(path: Path, kind: str) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; a damaged one raises an :class:`InputError` that says how to make it again.

    No file is ever locked: our files are written completely and then renamed, and some file systems have no locks.
    """
    existing(path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, KeyError) as error:
        raise InputError(
            f"not a {kind} file, or a damaged one",
            where=str(path),
            found=str(error),
            expected=f"an HDF5 file as docs/formats.md describes {kind}",
            todo="delete the file and run its stage again with --forcerun; make an imported one again",
        ) from error


@contextmanager
def new_h5(path: Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file that is written to `path` atomically if the block succeeds.

    It is built in memory first, because HDF5 crashes the process if the disk fills up under an open file.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def holds_tiles(path: Path) -> bool:
    """Return whether a file is readable HDF5 with coordinates of patches and without features."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return "coords" in file and not {"features", "feats"} & set(file)
    except OSError:
        return False


def stored_key(path: Path) -> str | None:
    """Return the key of an HDF5 file, or None if there is no readable file with a key."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return str(file.attrs["ccl_key"])
    except (OSError, KeyError):
        return None


def _text(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


@dataclass(frozen=True)
class Tiles:
    """Positions of the patches of one slide, in TRIDENT's coordinate layout (``tile/{slide}.h5``)."""

    coords: NDArray[np.int64]
    """(N, 2) level-0 pixel of each patch's top-left corner, (x, y), row by row."""
    attributes: Mapping[str, Any]
    """TRIDENT's attributes of ``coords`` (see docs/formats.md), and ``level0_mpp``, ``target_mpp`` (um/px)."""

    def write(self, path: Path, key: str) -> None:
        """Write the file atomically under the stage's `key`."""
        with new_h5(path) as file:
            file.attrs["ccl_key"] = key
            _write_coords(file, self.coords, self.attributes)

    @classmethod
    def read(cls, path: Path) -> Tiles:
        """Read a file that :meth:`write`, or TRIDENT, wrote."""
        with _open_h5(path, "tile") as file:
            return cls(file["coords"][:].astype(np.int64), dict(file["coords"].attrs))


def _write_coords(file: h5py.File, coords: NDArray[np.int64], attributes: Mapping[str, Any]) -> None:
    dataset = file.create_dataset("coords", data=coords.astype(np.int64), maxshape=(None, 2), fletcher32=True)
    dataset.attrs.update(attributes)


@dataclass(frozen=True)
class Features:
    """The patch embeddings of one slide: TRIDENT's feature layout (``embed/{encoder}/{slide}.h5``)."""

    features: NDArray[np.floating[Any]]
    """(N, D) float16 or float32, in the order of ``coords``."""
    coords: NDArray[np.int64] | None
    """(N, 2) as in :class:`Tiles`; None if a file of another tool has no coordinates."""
    encoder: str
    weights: str
    """``hub``, ``file:<sha256>``, ``random`` or ``imported``; results from ``random`` must be marked as such."""
    attributes: Mapping[str, Any]
    """The attributes of ``coords``, copied from the tiles."""

    def write(self, path: Path, key: str) -> None:
        """Write the file atomically under the stage's `key`."""
        with new_h5(path) as file:
            file.attrs["ccl_key"] = key
            rows = max(1, CHUNK_BYTES // max(1, self.features[:1].nbytes))
            chunks = (min(rows, max(1, len(self.features))), self.features.shape[1])
            dataset = file.create_dataset("features", data=self.features, chunks=chunks, fletcher32=True)
            dataset.attrs.update(name=path.stem, savetodir=str(path.parent), encoder=self.encoder, weights=self.weights)
            if self.coords is not None:
                _write_coords(file, self.coords, self.attributes)

    @classmethod
    def read(cls, path: Path, *, mpp: float | None = None) -> Features:
        """Read a file that :meth:`write`, TRIDENT, CLAM (HDF5 or ``.pt``) or STAMP wrote, or a ``.npy`` file.

        Parameters
        ----------
        mpp : float, optional
            um/px of the slide's level 0; without it, coordinates in um (STAMP's) are left out.

        Raises
        ------
        InputError
            The file is damaged, or its arrays have other shapes than (N, D) and (N, 2).
        """
        if is_array(existing(path)):
            features = read_array(path)
            check_patches(path, features, {})
            return cls(_single(_of_one_slide(features)), None, "unknown", "imported", {})
        with _open_h5(path, "embed") as file:
            features = _patches(path, file)
            if "coords" in file and _dataset(file, "coords").shape[-2:] != (features.shape[-2], 2):
                raise InputError(
                    "features and coordinates do not fit each other",
                    where=str(path),
                    found=f"features {features.shape}, coords {file['coords'].shape}",
                    expected="features (N, D) and coords (N, 2)",
                    todo="delete the file and make it again",
                )
            coords, attributes = stamp_coords(file, mpp) if "feats" in file else _read_coords(file)
            encoder, weights = _made_by(features)
            return cls(_single(_of_one_slide(features[:])), coords, encoder, weights, attributes)


@dataclass(frozen=True)
class FeaturesHead:
    """The facts about a file of features, read without the features."""

    count: int
    """Patches N."""
    dim: int
    """Width D."""
    encoder: str
    weights: str
    """As in :class:`Features`."""

    @classmethod
    def read(cls, path: Path) -> FeaturesHead:
        """Read the head of a file for :meth:`Features.read`; a ``.pt`` file is read completely."""
        if is_array(existing(path)):
            whole = Features.read(path)
            return cls(len(whole.features), whole.features.shape[1], whole.encoder, whole.weights)
        with _open_h5(path, "embed") as file:
            features = _patches(path, file)
            return cls(features.shape[-2], features.shape[-1], *_made_by(features))


def coords_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of the coordinates in a file of features, as :class:`Tiles` has them, if there are any."""
    if is_array(existing(path)):
        return {}
    with _open_h5(path, "embed") as file:
        return dict(file["coords"].attrs) if "coords" in file else {}


def _patches(path: Path, file: h5py.File) -> h5py.Dataset:
    """Return the patches' features in a file of ccl, TRIDENT, CLAM or STAMP, checked by shape and type."""
    features = _dataset(file, "feats" if "feats" in file else "features")
    check_patches(path, features, _named(features))
    return features


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Return an array of a file, which must not be a folder of arrays."""
    if not isinstance(file[name], h5py.Dataset):
        raise KeyError(f"{name} is no array")
    return file[name]


def _named(features: h5py.Dataset) -> dict[str, Any]:
    """Return the attributes about the encoder; in STAMP's files, they belong to the file."""
    return dict(features.parent.attrs if features.name == "/feats" else features.attrs)


def _made_by(features: h5py.Dataset) -> tuple[str, str]:
    """Return the encoder's name and its weights."""
    named = _named(features)
    encoder = named.get("extractor" if features.name == "/feats" else "encoder", "unknown")
    return str(encoder), str(named.get("weights", "imported"))


def _read_coords(file: h5py.File) -> tuple[NDArray[np.int64] | None, dict[str, Any]]:
    if "coords" not in file:
        return None, {}
    return _of_one_slide(to_pixels(file["coords"])), dict(file["coords"].attrs)


def _of_one_slide(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array (N, D) without the leading axis of a batch of one slide, which some tools write."""
    return array.reshape(array.shape[-2:])


def _single(features: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return float64 as float32; too large values become infinite, and later checks find them."""
    with np.errstate(over="ignore"):
        return features if features.dtype.itemsize <= np.dtype(np.float32).itemsize else features.astype(np.float32)


@dataclass(frozen=True)
class Clusters:
    """The K-means centres of every patient (``cluster/{encoder}/k{k}.h5``), or of one (``k{k}/{patient}.h5``)."""

    patients: tuple[str, ...]
    """P patients that have a bag, sorted."""
    centres: NDArray[np.float32]
    """(P, k, D)."""
    sizes: NDArray[np.int64]
    """(P, k) patches of each cluster."""
    labels: Mapping[str, NDArray[np.int64]]
    """(N,) for each slide: the cluster, 0 to k-1, of each patch, in the order of its features."""
    encoder: str
    weights: str
    left_out: Mapping[str, str]
    """Reason for each patient without centres."""

    @property
    def empty_rate(self) -> float:
        """Share of all patients' clusters, 0 to 1, that have no patch."""
        return float(np.mean(self.sizes == 0))

    def write(self, path: Path, key: str = "") -> None:
        """Write the file atomically; one patient's file under the stage's `key`."""
        with new_h5(path) as file:
            file.attrs.update(ccl_key=key, encoder=self.encoder, weights=self.weights)
            file["patients"] = list(self.patients)
            file["centres"] = self.centres.astype(np.float32)
            file["sizes"] = self.sizes.astype(np.int64)
            for group, items in (("labels", self.labels), ("left_out", self.left_out)):
                folder = file.create_group(group)
                for name, value in items.items():
                    folder[name] = value

    @classmethod
    def read(cls, path: Path) -> Clusters:
        """Read a file that :meth:`write` wrote."""
        with _open_h5(path, "cluster") as file:
            return cls(
                patients=tuple(_text(file["patients"][:])),
                centres=file["centres"][:],
                sizes=file["sizes"][:],
                labels={name: labels[:] for name, labels in file["labels"].items()},
                encoder=str(file.attrs["encoder"]),
                weights=str(file.attrs["weights"]),
                left_out={name: _text([reason[()]])[0] for name, reason in file["left_out"].items()},
            )


@dataclass(frozen=True)
class Family:
    """One gene family: its columns of the omics tables, unscaled."""

    name: str
    columns: tuple[str, ...]
    """Such as ``TP53_rnaseq``, sorted."""
    values: NDArray[np.float32]
    """(P, n) raw values; NaN where missing. Scaling belongs to training, which knows the training patients."""


@dataclass(frozen=True)
class Genomics:
    """The omics of a cohort by gene family (``genomics/genomics.h5``)."""

    patients: tuple[str, ...]
    families: tuple[Family, ...]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """The user's files by their content: name and sha256 of each."""

    def write(self, path: Path) -> None:
        """Write the file atomically."""
        with new_h5(path) as file:
            file.attrs["inputs"] = json.dumps(self.inputs)
            file["patients"] = list(self.patients)
            file["families"] = [family.name for family in self.families]
            for family in self.families:
                folder = file.create_group(f"values/{family.name}")
                folder["columns"] = list(family.columns)
                folder["values"] = family.values.astype(np.float32)

    @classmethod
    def read(cls, path: Path) -> Genomics:
        """Read a file that :meth:`write` wrote."""
        with _open_h5(path, "genomics") as file:
            families = tuple(
                Family(
                    name,
                    tuple(_text(file[f"values/{name}/columns"][:])),
                    file[f"values/{name}/values"][:],
                )
                for name in _text(file["families"][:])
            )
            return cls(tuple(_text(file["patients"][:])), families, json.loads(file.attrs.get("inputs", "{}")))


MANIFEST_COLUMNS = ("slide_id", "status", "path", "key", "count", "message")


@dataclass(frozen=True)
class ManifestRow:
    """The result of a slide stage for one slide."""

    slide_id: str
    status: str
    """``ok`` or ``excluded``."""
    path: Path
    """The slide's file; stored relative to the manifest's folder."""
    key: str
    count: int
    """Outlines, tiles or patches in the file."""
    message: str
    """Why the slide was excluded, and by which stage."""


def write_manifest(path: Path, rows: list[ManifestRow]) -> None:
    """Write the manifest of a shard (``{stage}/manifests/{shard}.tsv``), paths relative to its folder."""
    table = pd.DataFrame([vars(row) for row in rows], columns=list(MANIFEST_COLUMNS))
    table["path"] = [_relative(Path(item), path.parent) for item in table["path"]]
    write_table(path, table)


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read a manifest; `path` of each row becomes relative to the current folder."""
    text = ("slide_id", "status", "path", "key", "message")
    table = read_table(path, required=MANIFEST_COLUMNS, text=text).fillna({"message": "", "path": "", "key": ""})
    return [
        ManifestRow(
            str(row.slide_id),
            str(row.status),
            path.parent / str(row.path),
            str(row.key),
            int(str(row[4])),
            str(row.message),
        )
        for row in table.itertuples(index=False)
    ]


def newest_rows(manifests: Iterable[Path]) -> dict[str, tuple[ManifestRow, Path]]:
    """Return the row of each slide in the newest manifest that lists it, with that manifest.

    After a change of ``shards``, several manifests may list a slide.
    """
    by_age = sorted(manifests, key=lambda path: (path.stat().st_mtime_ns, path.name))
    return {row.slide_id: (row, path) for path in by_age for row in read_manifest(path)}
