"""The files that stages pass to each other; docs/formats.md describes them in prose.

Each format is one frozen dataclass with a ``write`` and a ``read``.  HDF5 files carry the ``key`` of their inputs.
A stage compares it to tell a finished slide from a stale one.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.io.bounds import check_h5
from ccl.io.checksums import MEND
from ccl.io.errors import CclError, DamageError, InputError, machine_error
from ccl.io.files import existing, intact, read_rows, write_bytes, write_table
from ccl.io.foreign import check_patches, check_vector, is_array, read_array, stamp_coords, to_pixels

CHUNK_BYTES = 1 << 20
"""Features are stored in chunks of about this size, each with a checksum that is verified on reading."""


@contextmanager
def _open_h5(path: Path, kind: str, *, whole: bool = True) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; a damaged one raises an :class:`InputError` that says how to make it again.

    The checksum is compared first, because HDF5 itself can hang on a damaged file.  Without `whole` it is not, as
    reading the head of a large file should not cost as much as reading all of it.

    No file is ever locked: our files are written completely and then renamed, and some file systems have no locks.
    """
    (intact if whole else existing)(path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            check_h5(path, file)
            yield file
    except CclError:
        raise
    except Exception as error:  # h5py raises many classes of errors for damaged files
        if failure := machine_error(error, where=str(path)):
            raise failure from error
        raise DamageError(
            f"not a {kind} file, or a damaged one",
            where=str(path),
            found=" ".join(f"{type(error).__name__}: {error}".split())[:300],
            expected=f"an HDF5 file as docs/formats.md describes {kind}",
            todo=f"{MEND}; make an imported file again",
        ) from error


@contextmanager
def new_h5(path: Path, *, checksum: bool = False) -> Iterator[h5py.File]:
    """Yield an HDF5 file that is written to `path`, as by :func:`atomic_path`, if the block succeeds.

    It is built in memory first, because HDF5 crashes the process if the disk fills up under an open file.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    write_bytes(path, content.getbuffer(), checksum=checksum)


def holds_tiles(path: Path) -> bool:
    """Return whether a file is readable HDF5 with coordinates of patches and without features."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return "coords" in file and not {"features", "feats"} & set(file)
    except Exception:  # h5py raises many classes of errors for damaged files
        return False


def stored_key(path: Path) -> str | None:
    """Return the key of an HDF5 file, or None if there is no readable file with a key."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return str(file.attrs["ccl_key"])
    except Exception:  # h5py raises many classes of errors for damaged files
        return None


def stored_count(path: Path, dataset: str) -> tuple[str, int] | None:
    """Return the key of an HDF5 file and the length of a dataset, or None if there is no readable file with both."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return str(file.attrs["ccl_key"]), int(file[dataset].shape[0])
    except Exception:  # h5py raises many classes of errors for damaged files
        return None


def stored_inputs(path: Path) -> dict[str, Any]:
    """Return the user's files that an HDF5 file of a stage records, by what they are; none if it records none."""
    with _open_h5(path, "stage's") as file:
        return dict(json.loads(file.attrs.get("inputs", "{}")))


def _left_out(file: h5py.File) -> dict[str, str]:
    """Return the reason of each patient who was left out."""
    return {name: _text([reason[()]])[0] for name, reason in file["left_out"].items()}


def _text(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


SIZES = "patch_sizes_level0"
"""Name of the array of the patches' sides in a file with patches of several scales."""


@dataclass(frozen=True)
class Tiles:
    """Positions of the patches of one slide, in TRIDENT's coordinate layout (``tile/{slide}.h5``)."""

    coords: NDArray[np.int64]
    """(N, 2) level-0 pixel of each patch's top-left corner, (x, y), row by row."""
    attributes: Mapping[str, Any]
    """TRIDENT's attributes of ``coords`` (see docs/formats.md), and ``level0_mpp``, ``target_mpp`` (um/px)."""
    sizes: NDArray[np.float64] | None = None
    """(N,) side of each patch in level-0 pixels; None if all have that of the attributes, ``patch_size_level0``."""

    @property
    def sides(self) -> NDArray[np.float64]:
        """(N,) side of each patch in level-0 pixels."""
        return (
            np.full(len(self.coords), float(self.attributes["patch_size_level0"])) if self.sizes is None else self.sizes
        )

    def only(self, rows: NDArray[np.intp]) -> Tiles:
        """Return some of the patches."""
        return Tiles(self.coords[rows], self.attributes, None if self.sizes is None else self.sizes[rows])

    def write(self, path: Path, key: str) -> None:
        """Write the file atomically under the stage's `key`, with its checksum."""
        with new_h5(path, checksum=True) as file:
            self.fill(file, key)

    def fill(self, file: h5py.File, key: str) -> None:
        """Write the content of the file."""
        file.attrs["ccl_key"] = key
        _write_coords(file, self.coords, self.attributes, self.sizes)

    @classmethod
    def read(cls, path: Path, *, key: str | None = None) -> Tiles:
        """Read a file that :meth:`write`, or TRIDENT, wrote.

        Parameters
        ----------
        key : str, optional
            Key in the manifest that lists the file; a file with another key is refused.
        """
        with _open_h5(path, "tile") as file:
            check_key(path, str(file.attrs.get("ccl_key", "")), key)
            return cls(file["coords"][:].astype(np.int64), dict(file["coords"].attrs), _read_sizes(file))


def check_key(path: Path, found: str, listed: str | None) -> None:
    """Raise :class:`DamageError` if a file has another key than its manifest lists; None admits every key."""
    if listed is not None and found != listed:
        raise DamageError(
            "a file is not the one that its manifest lists",
            where=str(path),
            found=f"key {found[:12] or 'missing'}",
            expected=f"key {listed[:12]}",
            todo=MEND,
        )


def _write_coords(
    file: h5py.File, coords: NDArray[np.int64], attributes: Mapping[str, Any], sizes: NDArray[np.float64] | None
) -> None:
    dataset = file.create_dataset("coords", data=coords.astype(np.int64), maxshape=(None, 2), fletcher32=True)
    dataset.attrs.update(attributes)
    if sizes is not None:
        file.create_dataset(SIZES, data=sizes, fletcher32=True)


def _read_sizes(file: h5py.File) -> NDArray[np.float64] | None:
    return file[SIZES][:].astype(np.float64) if SIZES in file else None


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
    key: str = ""
    """The key under which the file was written; empty for another tool's file."""
    sizes: NDArray[np.float64] | None = None
    """(N,) as in :class:`Tiles`."""

    def write(self, path: Path, key: str) -> None:
        """Write the file atomically under the stage's `key`, with its checksum."""
        with new_h5(path, checksum=True) as file:
            self.fill(file, key, path)

    def fill(self, file: h5py.File, key: str, path: Path) -> None:
        """Write the content of the file, which will lie at `path`."""
        file.attrs["ccl_key"] = key
        rows = max(1, CHUNK_BYTES // max(1, self.features[:1].nbytes))
        chunks = (min(rows, max(1, len(self.features))), self.features.shape[1])
        dataset = file.create_dataset("features", data=self.features, chunks=chunks, fletcher32=True)
        dataset.attrs.update(name=path.stem, savetodir=str(path.parent), encoder=self.encoder, weights=self.weights)
        if self.coords is not None:
            _write_coords(file, self.coords, self.attributes, self.sizes)

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
            key = str(file.attrs.get("ccl_key", ""))
            sizes = _read_sizes(file)
            return cls(_single(_of_one_slide(features[:])), coords, encoder, weights, attributes, key, sizes)


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
        with _open_h5(path, "embed", whole=False) as file:
            features = _patches(path, file)
            return cls(features.shape[-2], features.shape[-1], *_made_by(features))


def coords_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of the coordinates in a file of features, as :class:`Tiles` has them, if there are any."""
    if is_array(existing(path)):
        return {}
    with _open_h5(path, "embed", whole=False) as file:
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
        with new_h5(path, checksum=True) as file:
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
                left_out=_left_out(file),
            )


@dataclass(frozen=True)
class Vectors:
    """A vector of each patient (``vectors/{name}/vectors.h5``)."""

    patients: tuple[str, ...]
    """P patients, sorted."""
    values: NDArray[np.float32]
    """(P, D), unscaled; NaN where a table has no value."""
    columns: tuple[str, ...]
    """The D columns of a table; empty for vectors of an encoder."""
    encoder: str
    """The name of the encoder in the files; ``table`` for a table."""
    weights: str
    """As in :class:`Features`."""
    slides: NDArray[np.int64]
    """(P,) slides that were joined."""
    left_out: Mapping[str, str]
    """Reason for each patient without a vector."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """A table by its content, name and sha256; a digest of all files of a folder."""

    def write(self, path: Path) -> None:
        """Write the file atomically."""
        with new_h5(path, checksum=True) as file:
            file.attrs.update(encoder=self.encoder, weights=self.weights, inputs=json.dumps(self.inputs))
            file["patients"] = list(self.patients)
            file["values"] = self.values.astype(np.float32)
            file.create_dataset("columns", data=list(self.columns), dtype=h5py.string_dtype())
            file["slides"] = self.slides.astype(np.int64)
            folder = file.create_group("left_out")
            for name, reason in self.left_out.items():
                folder[name] = reason

    @classmethod
    def read(cls, path: Path) -> Vectors:
        """Read a file that :meth:`write` wrote."""
        with _open_h5(path, "vectors") as file:
            return cls(
                patients=tuple(_text(file["patients"][:])),
                values=file["values"][:],
                columns=tuple(_text(file["columns"][:])),
                encoder=str(file.attrs["encoder"]),
                weights=str(file.attrs["weights"]),
                slides=file["slides"][:],
                left_out=_left_out(file),
                inputs=json.loads(file.attrs["inputs"]),
            )


@dataclass(frozen=True)
class SlideVector:
    """The vector of a slide or a patient, in a file of TRIDENT or STAMP (``slide_features_{encoder}/{slide}.h5``)."""

    values: NDArray[np.float32]
    """(D,)"""
    size: int | None
    """Patches of the slide, if the file has their coordinates."""
    encoder: str
    weights: str
    of_patient: bool
    """Whether the file says that the vector is a patient's."""

    @classmethod
    def read(cls, path: Path) -> SlideVector:
        """Read a file.

        Raises
        ------
        InputError
            The file is damaged, or holds features of patches.
        """
        if is_array(existing(path)):
            values = read_array(path)
            check_vector(path, values, {})
            return cls(_single(values.reshape(-1)), None, "unknown", "imported", of_patient=False)
        with _open_h5(path, "vectors") as file:
            values = _dataset(file, "feats" if "feats" in file else "features")
            told = _named(values)
            check_vector(path, values, told)
            size = len(_of_one_slide(file["coords"][:])) if "coords" in file else None
            encoder, weights = _made_by(values)
            of_patient = told.get("feat_type") == "patient"
            return cls(_single(values[:].reshape(-1)), size, str(told.get("encoder", encoder)), weights, of_patient)


COVERAGE = "coverage"
"""The name, without its ending, of the files beside ``genomics.h5`` that say how many genes the tables have."""


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
        with new_h5(path, checksum=True) as file:
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


@dataclass(frozen=True)
class OmicsTables:
    """The omics of a download (``source/omics.h5``)."""

    kinds: Mapping[str, tuple[Sequence[str], Sequence[str], NDArray[np.float32]]]
    """For each kind patients (P), genes (G) and values (G, P), NaN where missing."""

    def write(self, path: Path) -> None:
        """Write the file atomically; values are stored by gene, so that some genes are read without the others."""
        with new_h5(path, checksum=True) as file:
            for kind, (patients, genes, values) in self.kinds.items():
                folder = file.create_group(kind)
                folder["patients"] = list(patients)
                folder["genes"] = list(genes)
                rows = max(1, min(len(genes), CHUNK_BYTES // max(1, 4 * len(patients))))
                folder.create_dataset(
                    "values",
                    data=values,
                    chunks=(rows, len(patients)),
                    compression="lzf",
                    shuffle=True,
                    fletcher32=True,
                )

    @classmethod
    def read(cls, path: Path, wanted: Mapping[str, Collection[str]] | None = None) -> OmicsTables:
        """Read a file that :meth:`write` wrote, all genes or those that are `wanted` of the kinds that it names."""
        kinds = {}
        with _open_h5(path, "omics") as file:
            for kind, folder in file.items():
                if wanted is not None and kind not in wanted:
                    continue
                genes = _text(folder["genes"][:])
                own = set(genes if wanted is None else wanted[kind])
                rows = [row for row, gene in enumerate(genes) if gene in own]
                kinds[kind] = (_text(folder["patients"][:]), [genes[row] for row in rows], folder["values"][rows])
        return cls(kinds)

    @staticmethod
    def genes_in(path: Path) -> dict[str, list[str]]:
        """Return the genes of each kind in a file."""
        with _open_h5(path, "omics") as file:
            return {kind: _text(folder["genes"][:]) for kind, folder in file.items()}


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
    write_table(path, table, checksum=True)


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read a manifest; `path` of each row becomes relative to the current folder.

    Raises
    ------
    InputError
        The file is missing, is no table, differs from its checksum, or has a row that no stage writes.
    """
    header, rows = read_rows(path, required=MANIFEST_COLUMNS)
    return [_manifest_row(path, row.number, row.named(header)) for row in rows]


def _manifest_row(path: Path, number: int, cells: Mapping[str, str]) -> ManifestRow:
    count = cells.get("count", "")
    if "slide_id" not in cells or cells.get("status") not in ("ok", "excluded") or not re.fullmatch(r"\d{1,18}", count):
        raise DamageError(
            "a row of a manifest that no stage writes",
            where=f"{path}, row {number}",
            found=", ".join(f"{name} {cells.get(name, 'empty')}" for name in ("slide_id", "status", "count")),
            expected="a slide, `ok` or `excluded`, and a whole number",
            todo=MEND,
        )
    text = {name: cells.get(name, "") for name in ("path", "key", "message")}
    return ManifestRow(
        cells["slide_id"], cells["status"], path.parent / text["path"], text["key"], int(count), text["message"]
    )


def newest_rows(manifests: Iterable[Path]) -> dict[str, tuple[ManifestRow, Path]]:
    """Return the row of each slide in the newest manifest that lists it, with that manifest.

    After a change of ``shards``, several manifests may list a slide.
    """
    by_age = sorted(manifests, key=lambda path: (path.stat().st_mtime_ns, path.name))
    return {row.slide_id: (row, path) for path in by_age for row in read_manifest(path)}
