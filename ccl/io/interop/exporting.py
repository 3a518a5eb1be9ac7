"""Writing features and coordinates as TRIDENT, CLAM and STAMP write them.

Facts on the layouts: the tools' public sources; see docs/interop.md.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ccl.io.errors import CclError, InputError, StageError
from ccl.io.files import digest, write_bytes
from ccl.io.formats import Features, ManifestRow, Tiles, holds_tiles, new_h5, read_manifest, stored_key
from ccl.io.interop import VERSION
from ccl.io.interop.naming import slide_stem
from ccl.io.progress import progress
from ccl.io.sheets import Slide, read_slide_sheet

STAMP_VERSION = "2.1.0"
"""The first version with these attributes; STAMP refuses files of a newer version than itself."""

CLAM_ROWS = 32
"""Patches in a chunk of CLAM's feature files."""


@dataclass(frozen=True)
class Export:
    """One checked slide to write; an :class:`InputError` names what it lacks for a layout."""

    slide: Slide
    row: ManifestRow
    tiles: Tiles
    features: Features | None
    """None for a manifest of the stage ``tile``, which has only coordinates."""

    @property
    def name(self) -> str:
        """The slide's name in the tools: the stem of its file."""
        return _name(self.slide)

    def told(self, *names: str) -> list[Any]:
        """Return attributes of the coordinates; raise InputError if one is missing."""
        attributes = self.tiles.attributes
        if missing := [name for name in names if name not in attributes]:
            raise InputError(
                "the coordinates lack attributes for this layout",
                where=str(self.row.path),
                found=", ".join(sorted(attributes)) or "no attributes",
                expected=", ".join(missing),
                todo="export features that ccl made, or choose another layout",
            )
        return [attributes[name] for name in names]


def export_features(out: Path, *, layout: str, slides: Path, manifests: Sequence[Path]) -> None:
    """Write the slides of `manifests` into the folder `out` in another tool's layout.

    An existing file is replaced if ccl wrote it.  Otherwise it is kept, and the slide is an error.

    Parameters
    ----------
    layout : {"trident", "clam", "stamp"}
        Tool whose layout to write.
    slides : Path
        The sample sheet; the stem of its ``path`` is the slide's name in the tools.
    manifests : sequence of Path
        Manifests of ``embed`` or ``import``, or of ``tile`` for coordinates only.

    Raises
    ------
    InputError
        Two slides' files have the same name, or a manifest cannot be read.
    StageError
        Some slides cannot be written. The message lists them, and all others are written.
    """
    sheet = {slide.slide_id: slide for slide in read_slide_sheet(slides)}
    rows = [row for path in manifests for row in read_manifest(path)]
    _check_names([sheet[row.slide_id] for row in rows if row.status == "ok" and row.slide_id in sheet])
    bad: dict[str, str] = {}
    notes: Counter[str] = Counter()
    for row in progress([row for row in rows if row.status == "ok"], "export", unit="slide"):
        try:
            for part in _scales(_load(row, sheet), layout):
                notes.update(WRITERS[layout](out, part))
        except CclError as error:
            bad[row.slide_id] = error.line
    excluded = {row.slide_id: row.message for row in rows if row.status != "ok"}
    for slide_id, message in excluded.items():
        print(f"export: left out {slide_id}: {message}", file=sys.stderr)
    for note, count in notes.items():
        print(f"export: {note} ({count} slides)", file=sys.stderr)
    print(
        f"export: {len(rows) - len(bad) - len(excluded)} of {len(rows)} slides for {layout} in {out}", file=sys.stderr
    )
    if bad:
        raise StageError(
            f"export: {len(bad)} of {len(rows)} slides could not be written, all others were",
            found="".join(f"\n    {slide_id}: {reason}" for slide_id, reason in bad.items()),
            todo="fix the problem of each slide and export again",
        )


def _name(slide: Slide) -> str:
    return slide_stem(slide.path.name) or slide.slide_id


def _check_names(slides: Sequence[Slide]) -> None:
    counts = Counter(_name(slide) for slide in slides)
    same = [f"{slide.slide_id} ({slide.path})" for slide in slides if counts[_name(slide)] > 1]
    if same:
        raise InputError(
            "slides whose files have the same name, which the tools need to tell them apart",
            found=", ".join(same[:4]) + (", ..." if len(same) > 4 else ""),
            expected="a different name for each slide's file",
            todo="rename the files, or export from a sheet without `path`, by slide_id",
        )


def _load(row: ManifestRow, sheet: Mapping[str, Slide]) -> Export:
    if row.slide_id not in sheet:
        raise InputError("a slide that the sheet does not list", where=row.slide_id, todo="give the cohort's own sheet")
    slide = sheet[row.slide_id]
    if holds_tiles(row.path):
        return Export(slide, row, Tiles.read(row.path), None)
    features = Features.read(row.path, mpp=slide.mpp)
    if features.coords is None:
        raise InputError(
            "features without coordinates",
            where=str(row.path),
            expected="a file with the position of each patch; positions in um (STAMP) need `mpp` in the sheet",
            todo="import the same features from HDF5 files, and fill the sheet's `mpp` if they are STAMP's",
        )
    return Export(slide, row, Tiles(features.coords, features.attributes, features.sizes), features)


def _scales(export: Export, layout: str) -> list[Export]:
    """Return the patches of each scale of a slide; only TRIDENT has a folder for each.

    Raises
    ------
    InputError
        The slide has patches of several scales, for which the layout has no place.
    """
    tiles = export.tiles
    if tiles.sizes is None:
        return [export]
    if layout != "trident":
        raise InputError(
            "patches of several scales, for which the layout has no place",
            where=str(export.row.path),
            found=f"sides of {', '.join(f'{side:g}' for side in np.unique(tiles.sizes))} level-0 px",
            expected="patches of one scale",
            todo="export to trident, or embed with a tiling of one scale",
        )
    return [_of_scale(export, side) for side in dict.fromkeys(tiles.sizes.tolist())]


def _of_scale(export: Export, side: float) -> Export:
    """Return the patches with one `side` in level-0 pixels, with the attributes of their scale."""
    size, level0, mpp = export.told("patch_size", "level0_magnification", "level0_mpp")
    about = {name: value for name, value in export.tiles.attributes.items() if name != "also_mpp"}
    about |= {"patch_size_level0": side, "target_magnification": level0 * size / side, "target_mpp": side * mpp / size}
    own = np.flatnonzero(export.tiles.sides == side)
    tiles = replace(export.tiles.only(own), attributes=about, sizes=None)
    found = export.features
    features = found and replace(found, features=found.features[own], coords=tiles.coords, attributes=about, sizes=None)
    return replace(export, tiles=tiles, features=features)


def _refuse_foreign(*paths: Path) -> None:
    """Raise InputError rather than replace an HDF5 file that ccl did not make."""
    for path in paths:
        if path.exists() and stored_key(path) is None:
            raise InputError(
                "a file that ccl did not write is in the way",
                where=str(path),
                todo="export into a separate folder",
            )


def _weights_note(features: Features) -> list[str]:
    return ["the encoder's weights are random: these features mean nothing"] if features.weights == "random" else []


def write_trident(job: Path, export: Export) -> list[str]:
    """Write a TRIDENT job: the folder of the patches, and in it that of the encoder's features."""
    magnification, size, _ = export.told("target_magnification", "patch_size", "level0_magnification")
    folder = job / f"{magnification:g}x_{size:g}px_{export.tiles.attributes.get('overlap', 0):g}px_overlap"
    attributes = {**export.tiles.attributes, "name": export.name, "savetodir": str(folder)}
    patches = folder / "patches" / f"{export.name}_patches.h5"
    features, tiles = export.features, Tiles(export.tiles.coords, attributes)
    if features is None:
        _refuse_foreign(patches)
        with new_h5(patches) as file:
            tiles.fill(file, export.row.key)
        return []
    embedded = folder / f"features_{features.encoder}" / f"{export.name}.h5"
    _refuse_foreign(patches, embedded)
    with new_h5(patches) as file:
        tiles.fill(file, export.row.key)
    with new_h5(embedded) as file:
        replace(features, attributes=attributes).fill(file, export.row.key, embedded)
    return _weights_note(features)


def write_clam(out: Path, export: Export) -> list[str]:
    """Write CLAM's ``patches``, ``h5_files`` and ``pt_files``.

    CLAM reads patches of ``patch_size`` pixels of ``patch_level``.  Level 0 works for every pyramid.  A size that is
    not a whole number there is rounded, because it is not one on a coarser level either.
    """
    size_px, width, height = export.told("patch_size_level0", "level0_width", "level0_height")
    patches, embedded = (out / folder / f"{export.name}.h5" for folder in ("patches", "h5_files"))
    tensor = out / "pt_files" / f"{export.name}.pt"
    _refuse_foreign(patches, embedded)
    if export.features is not None and not embedded.exists():
        _refuse_foreign(tensor)  # a file of an earlier export would have an HDF5 file beside it
    shape = (int(width), int(height))
    told = {"patch_size": round(size_px), "patch_level": 0, "downsample": (1.0, 1.0), "level_dim": shape}
    told |= {"downsampled_level_dim": shape, "name": export.name, "save_path": str(patches.parent)}
    with new_h5(patches) as file:
        file.attrs["ccl_key"] = export.row.key
        file.create_dataset("coords", data=export.tiles.coords, maxshape=(None, 2)).attrs.update(told)
    notes = []
    if size_px != round(size_px):
        notes.append(f"CLAM holds whole pixels: patch_size {round(size_px)} in `patches` for {size_px:.3f} at level 0")
    features = export.features
    if features is None:
        return notes
    single = np.ascontiguousarray(features.features, dtype=np.float32)
    with new_h5(embedded) as file:
        file.attrs["ccl_key"] = export.row.key
        _rows(file, "features", single).attrs.update(encoder=features.encoder, weights=features.weights)
        _rows(file, "coords", export.tiles.coords.astype(np.int32))
    _write_tensor(tensor, single)
    return [*notes, *_weights_note(features)]


def _rows(file: h5py.File, name: str, array: NDArray[Any]) -> h5py.Dataset:
    chunks = (min(CLAM_ROWS, len(array)), array.shape[1])
    return file.create_dataset(name, data=array, chunks=chunks, maxshape=(None, array.shape[1]))


def _write_tensor(path: Path, array: NDArray[np.float32]) -> None:
    import torch  # slow to load, and only CLAM needs it

    content = io.BytesIO()  # torch raises no error of the system if the disk is full
    torch.save(torch.from_numpy(array), content)
    write_bytes(path, content.getbuffer())


def write_stamp(out: Path, export: Export) -> list[str]:
    """Write STAMP's ``{extractor}-{hash8}/{slide}.h5``: float16 features, coordinates in um.

    The scale is that of the sheet, or else the one used when the slide was read.
    """
    features = export.features
    if features is None:
        raise InputError("STAMP has no files with only coordinates", todo="export the manifests of `embed`")
    mpp = export.slide.mpp or export.told("level0_mpp")[0]
    size, size_px = export.told("patch_size_level0", "patch_size")
    with np.errstate(over="ignore"):
        half = features.features.astype(np.float16)
    if not np.isfinite(half).all():
        raise InputError(
            "features that float16, which STAMP stores, cannot hold",
            where=str(export.row.path),
            found=f"values up to {np.abs(features.features).max():g}",
            expected="at most 65504",
            todo="choose another layout",
        )
    code_hash = digest("export", VERSION, features.encoder, features.weights)[:8]
    path = out / f"{features.encoder}-{code_hash}" / f"{export.name}.h5"
    _refuse_foreign(path)
    with new_h5(path) as file:
        file["coords"] = (export.tiles.coords * mpp).astype(np.float32)
        file["feats"] = half
        file.attrs.update(ccl_key=export.row.key, stamp_version=STAMP_VERSION, extractor=features.encoder, unit="um")
        file.attrs.update(tile_size_um=float(size * mpp), tile_size_px=int(size_px), code_hash=code_hash)
        file.attrs.update(feat_type="tile", weights=features.weights)
    return _weights_note(features)


WRITERS: Mapping[str, Callable[[Path, Export], list[str]]] = {
    "trident": write_trident,
    "clam": write_clam,
    "stamp": write_stamp,
}
