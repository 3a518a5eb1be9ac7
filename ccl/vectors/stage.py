"""The vectors stage: writes one vector of each patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ccl.config.keys import recorded
from ccl.config.sections import VectorsSettings
from ccl.io.errors import ConfigError, InputError, StageError
from ccl.io.files import existing
from ccl.io.formats import Vectors
from ccl.io.origin import record
from ccl.io.progress import say
from ccl.io.sheets import OnBadSlide
from ccl.vectors import VERSION
from ccl.vectors.joining import join
from ccl.vectors.reading import Found, read_folder, read_means, read_rows
from ccl.vectors.registry import SLIDE_ENCODERS


def make_vectors(
    out: Path,
    *,
    name: str,
    settings: VectorsSettings,
    path: Path | None = None,
    mean_of: str | None = None,
    slides: Path | None = None,
    manifests: Sequence[Path] = (),
    on_bad_slide: OnBadSlide = "fail",
) -> None:
    """Write ``vectors.h5`` as docs/formats.md describes it.

    Parameters
    ----------
    out : Path
        The file.
    name : str
        Name of the vectors in the config; the width is checked if it is that of a known slide encoder.
    path : Path, optional
        Folder with a file per slide or patient, or a table.
    mean_of : str, optional
        Encoder whose patches, listed by `manifests`, are averaged; without `path`.
    slides : Path, optional
        Sample sheet of slides; a table that names the patients needs none.
    on_bad_slide : {"fail", "exclude"}
        Whether slides without a usable vector are an error.

    Raises
    ------
    ConfigError
        A folder or mean patches come without a slide sheet.
    InputError
        The files or the table cannot be used: see :mod:`ccl.vectors.reading` and :func:`ccl.vectors.joining.join`.
        Or vectors differ in width, or are not as wide as those of the encoder.
    StageError
        With ``on_bad_slide="fail"`` slides without a usable vector, listed with their reasons; else nobody has one.
    """
    found = _read(path, mean_of, slides, manifests, settings)
    if found.bad and (on_bad_slide == "fail" or not found.parts):
        raise StageError(
            f"vectors: {len(found.bad)} slides have no usable vector",
            where=str(path or mean_of),
            found="".join(f"\n    {slide}: {reason}" for slide, reason in sorted(found.bad.items())),
            todo="fix the files, or set `on_bad_slide: exclude` to go on without them",
        )
    if not found.parts:
        raise InputError("there are no vectors", where=str(path or mean_of), expected="a vector of a patient or more")
    _check_width(found, name)
    patients = sorted(found.parts)
    vectors = Vectors(
        patients=tuple(patients),
        values=np.stack([join(patient, found.parts[patient], settings) for patient in patients]),
        columns=found.columns,
        encoder=found.encoder,
        weights=found.weights,
        slides=np.array([len(found.parts[patient]) for patient in patients]),
        left_out=dict(sorted(found.left_out.items())),
        inputs=found.inputs,
    )
    vectors.write(out)
    record(
        "vectors",
        VERSION,
        outputs=[out],
        inputs={"vectors": _files(path), "sheet": slides, "manifest": list(manifests)},
        settings={**recorded(settings), "mean_of": mean_of},
    )
    several = int((vectors.slides > 1).sum())
    say(f"vectors: {len(patients)} patients, {vectors.values.shape[1]} values each; {several} have several slides")
    if found.left_out:
        say(f"vectors: {len(found.left_out)} patients have none")


def _files(path: Path | None) -> list[Path]:
    """Return the files that were given: a table, or those of a folder."""
    if path is None:
        return []
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _read(
    path: Path | None, mean_of: str | None, slides: Path | None, manifests: Sequence[Path], settings: VectorsSettings
) -> Found:
    if path is not None and not existing(path).is_dir():
        return read_rows(path, slides, settings)
    if slides is None:
        raise ConfigError(
            "it is not known whose slides these are",
            where=str(path or mean_of),
            expected="a slide sheet",
            todo="give the cohort `slides`",
        )
    if path is not None:
        return read_folder(path, slides)
    return read_means(slides, manifests, str(mean_of))


def _check_width(found: Found, name: str) -> None:
    """Raise InputError if vectors differ in width, or are not as wide as those of the encoder of this name."""
    widths = {part.name: len(part.values) for parts in found.parts.values() for part in parts}
    first, width = next(iter(widths.items()))
    other = next((slide for slide, own in widths.items() if own != width), None)
    if other is not None:
        raise InputError(
            "vectors differ in width",
            where=f"vectors {name}",
            found=f"{first} with {width} values, {other} with {widths[other]}",
            expected="vectors of one encoder",
            todo="make the vectors with one encoder",
        )
    known = SLIDE_ENCODERS.get(name)
    if known and width != known.dim:
        raise InputError(
            "vectors are not as wide as those of the encoder that they are named after",
            where=f"vectors {name}",
            found=f"{width} values",
            expected=f"{known.dim} values of {known.name}",
            todo="correct the folder, or give the vectors another name",
        )
