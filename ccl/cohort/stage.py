"""The cohort stage: one clean set of tables out of whatever the user has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from lifelines import KaplanMeierFitter

from ccl.cohort.draw import draw_folds
from ccl.cohort.folds import check_events, read_folds
from ccl.cohort.patients import read_patients
from ccl.config.sections import CohortSettings
from ccl.io.errors import InputError
from ccl.io.files import identified, write_json, write_table
from ccl.io.sheets import SLIDE_COLUMNS, Slide, read_slide_sheet


def make_cohort(
    name: str,
    out: Path,
    *,
    settings: CohortSettings,
    patients: Path,
    slides: Path | None = None,
    folds: Sequence[Path] = (),
) -> None:
    """Check the user's tables and write ``patients.csv``, ``slides.csv``, ``folds.csv`` and ``summary.json``.

    Parameters
    ----------
    name : str
        The cohort's name, for the summary.
    out : Path
        Folder of the results.
    patients, slides : Path
        Tables as :func:`read_patients` and :func:`read_slide_sheet` take them.
    folds : sequence of Path
        One file per fold in order; drawn where empty.

    Raises
    ------
    InputError, ConfigError
        As the readers say; or a slide belongs to a patient without follow-up.
    """
    table = read_patients(patients, settings)
    sheet = read_slide_sheet(slides) if slides else []
    _check_owners(sheet, set(table["patient_id"]), slides)
    split = (
        read_folds(folds, list(table["patient_id"]))
        if folds
        else draw_folds(table, settings.n_folds, settings.fold_seed)
    )
    check_events(split, table, folds[0].parent if folds else patients)
    write_table(out / "patients.csv", table, checksum=True)
    write_table(out / "slides.csv", _relocated(sheet, out), checksum=True)
    write_table(out / "folds.csv", split, checksum=True)
    files = {"patients": [patients], "slides": [slides] if slides else [], "folds": folds}
    inputs = {what: identified(paths) for what, paths in files.items() if paths}
    write_json(
        out / "summary.json",
        {**_summary(name, table, sheet, split, settings.synthetic), "inputs": inputs},
        checksum=True,
    )


def _relocated(sheet: Sequence[Slide], folder: Path) -> pd.DataFrame:
    """Return a slide sheet for another folder, since its paths count from where it lies."""
    table = pd.DataFrame([vars(slide) for slide in sheet], columns=list(SLIDE_COLUMNS))
    return table.assign(
        path=[os.path.relpath(slide.path, folder) if slide.path.name else "" for slide in sheet],
        annotation=[os.path.relpath(slide.annotation, folder) if slide.annotation else "" for slide in sheet],
    )


def _check_owners(sheet: Sequence[Slide], patients: set[str], path: Path | None) -> None:
    for slide in sheet:
        if slide.patient_id not in patients:
            raise InputError(
                "a slide belongs to a patient without follow-up",
                where=f"{path}, slide {slide.slide_id}",
                found=f"patient {slide.patient_id}",
                expected="a patient of the patients table",
                todo="add the patient's follow-up, or take the slide out of the sheet",
            )


def _summary(
    name: str, patients: pd.DataFrame, sheet: Sequence[Slide], folds: pd.DataFrame, synthetic: bool
) -> dict[str, Any]:
    """Count what the report's first page shows; the median follow-up is the reverse Kaplan-Meier's."""
    reverse = KaplanMeierFitter().fit(patients["months"], event_observed=patients["censorship"] == 1)
    median = float(reverse.median_survival_time_)
    dead = set(patients.loc[patients["censorship"] == 0, "patient_id"])
    return {
        "cohort": name,
        "synthetic": synthetic,
        "patients": len(patients),
        "events": len(dead),
        "censored_share": float(patients["censorship"].mean()),
        "slides": len(sheet),
        "patients_without_slides": sorted(set(patients["patient_id"]) - {slide.patient_id for slide in sheet}),
        "median_follow_up_months": median if median < float("inf") else None,
        "months_max": float(patients["months"].max()),
        "folds": [
            {
                "fold": int(str(fold)),
                "train": int((rows["role"] == "train").sum()),
                "test": int((rows["role"] == "test").sum()),
                "train_events": len(dead & set(rows.loc[rows["role"] == "train", "patient_id"])),
                "test_events": len(dead & set(rows.loc[rows["role"] == "test", "patient_id"])),
            }
            for fold, rows in folds.groupby("fold")
        ],
    }
