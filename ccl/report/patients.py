"""Single patients on the page: results of the explain stage, small enough for a report."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ccl.io.errors import InputError
from ccl.io.files import read_json, read_table
from ccl.pages import svg
from ccl.pages.style import inline
from ccl.results.described import Described

DRAWINGS = ("survival", "ways", "families", "genes")
"""Figures of the stage that the page shows, if the method has them."""

MAPS = 3
"""Slides of a patient that are shown; the patient's folder has all of them."""

MAP_WIDTH_PX = 1100
MAP_BYTES = 150_000
"""Largest width and size of a map; it is shrunk and compressed to meet both."""

QUALITIES = (80, 65, 50, 35)
"""Qualities of WebP that are tried in turn; if the last is too large, the picture is shrunk."""

ENTRIES = (
    "patient", "cohort", "encoder", "model", "method", "weights", "synthetic", "risk", "rank", "n_patients", "months",
    "censorship", "slides", "figures",
)  # fmt: skip
"""Entries that every ``explanation.json`` of this version has."""


@dataclass(frozen=True)
class Picture:
    """A picture inside the page."""

    source: str
    """A ``data:`` address."""
    width: int
    height: int


@dataclass(frozen=True)
class Map:
    """Attention over one slide."""

    slide_id: str
    notes: tuple[str, ...]
    """What could not be shown, and why."""
    picture: Picture | None
    alt: str
    """Alt text of the picture."""


@dataclass(frozen=True)
class Patient:
    """One patient and the explanation of the prediction."""

    facts: Mapping[str, Any]
    """``explanation.json``."""
    months: float
    """The last time that survival is predicted for."""
    survival: float
    """Predicted at `months`."""
    drawings: Mapping[str, Markup]
    """The figures of :data:`DRAWINGS` that exist, as elements of the page."""
    maps: tuple[Map, ...]
    more_slides: int
    """Slides beyond those of `maps`."""
    page: str
    """Relative address of ``explanation.html``."""


@dataclass(frozen=True)
class Explained(Described):
    """The patients of one cohort that were explained with one model; the highest risk comes first."""

    patients: tuple[Patient, ...]


def read_explained(folders: Sequence[Path], *, out: Path) -> list[Explained]:
    """Read the folders of the explain stage, one for each cohort and model.

    Parameters
    ----------
    folders : sequence of Path
        ``{cohort}/explain/{encoder}/{model}``, each with a folder for each patient.
    out : Path
        Folder of the report, from which the patients' own pages are linked.

    Raises
    ------
    InputError
        A folder holds no patient, or a file in it is missing, damaged or of an older version.
    """
    return [_read_model(Path(folder), number, out) for number, folder in enumerate(folders, start=1)]


def _read_model(folder: Path, number: int, out: Path) -> Explained:
    found = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not found:
        raise InputError(
            "there is no explained patient",
            where=str(folder),
            found="no folder of a patient" if folder.is_dir() else "no such folder",
            expected="what `ccl explain` writes: a folder for each patient",
            todo="run `snakemake explain`, or leave the folder out",
        )
    todo = "explain the model again with `ccl explain`"
    told = [read_json(path / "explanation.json", required=ENTRIES, todo=todo) for path in found]
    ranked = sorted(zip(told, found, strict=True), key=lambda pair: int(pair[0]["rank"]))
    patients = tuple(
        _read_patient(path, own, f"explained-{number}-{place}", out)
        for place, (own, path) in enumerate(ranked, start=1)
    )
    return Explained(ranked[0][0], patients)


def _read_patient(folder: Path, facts: Mapping[str, Any], name: str, out: Path) -> Patient:
    curve = read_table(folder / "survival.csv", required=("months", "survival")).iloc[-1]
    alts: Mapping[str, str] = facts["figures"]
    figures = folder / "figures"
    page = os.path.relpath(folder / "explanation.html", out)
    slides: Mapping[str, Any] = facts["slides"]
    return Patient(
        facts,
        float(curve["months"]),
        float(curve["survival"]),
        {
            drawing: inline(_read_svg(figures / f"{drawing}.svg"), f"{name}-{drawing}", alts[drawing])
            for drawing in DRAWINGS
            if drawing in alts
        },
        tuple(_read_map(figures, slide, tuple(slides[slide]["notes"]), alts) for slide in list(slides)[:MAPS]),
        max(0, len(slides) - MAPS),
        quote(Path(page).as_posix()),
    )


def _read_svg(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if "viewBox=" not in text or "\ufffd" in text:
        raise _damaged(path, "not a figure" if path.is_file() else "no such file")
    if fault := svg.faults(text):
        raise _damaged(path, fault)
    return text


def _read_map(figures: Path, slide: str, notes: tuple[str, ...], alts: Mapping[str, str]) -> Map:
    name = f"map.{slide}"
    if name not in alts:
        return Map(slide, notes, None, "")
    path = figures / f"{name}.png"
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise _damaged(path, "not a picture" if path.is_file() else "no such file")
    return Map(slide, notes, compress(np.asarray(image, np.uint8)), alts[name])


def _damaged(path: Path, found: str) -> InputError:
    return InputError(
        "a figure of an explanation cannot be shown",
        where=str(path),
        found=found,
        expected="what `ccl explain` wrote",
        todo="explain the model again with `ccl explain`",
    )


def compress(image: NDArray[np.uint8]) -> Picture:
    """Return a picture (H, W, 3; BGR) as WebP of at most :data:`MAP_BYTES`, its width at most :data:`MAP_WIDTH_PX`."""
    width = min(MAP_WIDTH_PX, image.shape[1])
    while True:
        size = (width, max(1, round(image.shape[0] * width / image.shape[1])))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        for quality in QUALITIES:
            _, data = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, quality])
            if len(data) <= MAP_BYTES:
                return Picture("data:image/webp;base64," + base64.b64encode(data.tobytes()).decode(), *size)
        width = width * 3 // 4
