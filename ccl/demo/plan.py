"""The content of the synthetic cohort, from its settings alone; light, because Snakemake imports it to plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.config.keys import recorded
from ccl.config.sections import DemoSettings
from ccl.demo import VERSION
from ccl.demo.hospital import GLASS, HOSPITALS, Hospital
from ccl.io.errors import InputError
from ccl.io.files import read_json
from ccl.io.sheets import Slide

TABLES = ("patients.csv", "clinical.csv", "rna.csv", "cnv.csv", "snv.csv", "families.gmt", "slides.csv")

FINISHED, UNFINISHED = "demo.json", ".demo-unfinished.json"

PENS = {
    "blue": (1.7, 1.0, 0.25),
    "green": (1.8, 0.55, 1.2),
    "black": (1.9, 1.9, 1.8),
    "red": (0.25, 1.8, 1.5),
    "violet": (0.95, 1.9, 0.5),
    "yellow": (0.08, 0.2, 1.4),
}
"""Optical density of markers in red, green and blue."""

USED_PENS = ("blue", "green", "black")
"""The markers on the slides of a cohort, in turn."""


@dataclass(frozen=True)
class SlidePlan:
    """The properties of one slide."""

    slide_id: str
    patient: int
    """Position of the patient in the cohort."""
    mpp: float
    """um/px at level 0."""
    pen: str | None
    fold: bool
    scale_in_sheet: bool
    """Whether the scale is in the sample sheet, because the file has none."""
    glass: tuple[float, float, float] = GLASS
    """Colour of empty glass; it tints the whole slide."""
    stains: tuple[float, float] = (1.0, 1.0)
    """Factors of haematoxylin and eosin."""

    @property
    def path(self) -> str:
        """The slide's file, relative to the sample sheet."""
        return f"slides/{self.slide_id}{'.tif' if self.scale_in_sheet else '.svs'}"


def patient_names(settings: DemoSettings) -> list[str]:
    """Return the identifiers of the patients, sorted."""
    width = max(3, len(str(settings.patients)))
    prefix = HOSPITALS[settings.hospital].prefix
    return [f"{prefix}-{number:0{width}d}" for number in range(1, settings.patients + 1)]


def plan_slides(patients: Sequence[str], hospital: Hospital = HOSPITALS["first"]) -> list[SlidePlan]:
    """Assign special properties by position, so a small cohort already has each of them.

    One of 20 patients has a 40x slide, every fifth patient has two slides, every sixth slide has a pen mark, and every
    seventh a fold.  The fourth patient's file has no scale.  Another hospital has one scanner.
    """
    plans: list[SlidePlan] = []
    for patient, name in enumerate(patients):
        for letter in "AB" if patient % 5 == 0 else "A":
            number = len(plans)
            plans.append(
                SlidePlan(
                    slide_id=f"{name}-{letter}",
                    patient=patient,
                    mpp=0.25 if patient % 20 == 1 and not hospital.streams else hospital.mpp,
                    pen=USED_PENS[number // 6 % len(USED_PENS)] if number % 6 == 3 else None,
                    fold=number % 7 == 5,
                    scale_in_sheet=patient == 3,
                    glass=hospital.glass,
                    stains=hospital.stains,
                )
            )
    return plans


def _rows(plans: Sequence[SlidePlan], patients: Sequence[str]) -> list[tuple[str, str, str, float | None]]:
    """Return the rows of the sample sheet."""
    return [(p.slide_id, patients[p.patient], p.path, p.mpp if p.scale_in_sheet else None) for p in plans]


def slide_sheet(plans: Sequence[SlidePlan], patients: Sequence[str]) -> pd.DataFrame:
    """Return the sample sheet: ``slide_id``, ``patient_id``, ``path``, ``mpp`` (empty if the file has it)."""
    return pd.DataFrame(_rows(plans, patients), columns=["slide_id", "patient_id", "path", "mpp"])


def bag_sheet(patients: Sequence[str]) -> pd.DataFrame:
    """Return the sample sheet, one slide per patient; ``path`` and ``mpp`` are empty, as there are only features."""
    rows = [(f"{name}-A", name, None, None) for name in patients]
    return pd.DataFrame(rows, columns=["slide_id", "patient_id", "path", "mpp"])


def demo_slides(out: Path, settings: DemoSettings) -> list[Slide]:
    """Return the slides of a cohort with slides in `out`, as its sample sheet will list them."""
    patients = patient_names(settings)
    rows = _rows(plan_slides(patients, HOSPITALS[settings.hospital]), patients)
    return [Slide(slide, patient, out / path, mpp) for slide, patient, path, mpp in rows]


def demo_files(out: Path, settings: DemoSettings) -> list[Path]:
    """Return the tables of the cohort in `out`, and its slides or bags."""
    patients = patient_names(settings)
    if settings.bags:
        pictures = [f"features/{slide}.h5" for slide in bag_sheet(patients)["slide_id"]]
    else:
        pictures = [plan.path for plan in plan_slides(patients, HOSPITALS[settings.hospital])]
    return [out / name for name in (*TABLES, *pictures)]


def demo_record(settings: DemoSettings) -> dict[str, Any]:
    """Return the content of ``demo.json``."""
    return {"synthetic": True, "version": VERSION, "settings": recorded(settings)}


def is_made(out: Path, settings: DemoSettings) -> bool:
    """Return whether `out` holds the whole cohort.

    Raises
    ------
    InputError
        `out` holds something else than this cohort or a part of it.
    """
    record = demo_record(settings)
    held = _held(out)
    for name in (FINISHED, UNFINISHED):
        if name in held and read_json(out / name) == record:
            return name == FINISHED and all(path.exists() for path in demo_files(out, settings))
    if held:
        raise InputError(
            "the folder holds something else than this synthetic cohort",
            where=str(out),
            found=str(read_json(out / FINISHED)) if FINISHED in held else ", ".join(held[:5]),
            expected=f"an empty or new folder, or {record}",
            todo="choose another folder, or delete this one",
        )
    return False


def _held(out: Path) -> list[str]:
    """Return the names in a folder; folders without files do not count, because Snakemake makes them ahead."""
    if not out.is_dir():
        return [out.name] * out.exists()
    return sorted(path.name for path in out.iterdir() if not path.is_dir() or any(map(Path.is_file, path.rglob("*"))))
