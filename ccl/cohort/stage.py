"""The cohort stage: one clean set of tables out of whatever the user has."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ccl.cohort import VERSION
from ccl.cohort.draw import draw_folds, draw_held_out
from ccl.cohort.endpoint import read_endpoint
from ccl.cohort.folds import check_events, in_no_fold, read_folds, refuse_in_no_fold
from ccl.cohort.held_out import read_held_out
from ccl.cohort.patients import FollowUp, read_patients, start_later
from ccl.cohort.sites import read_sites
from ccl.cohort.summary import summarise
from ccl.cohort.words import fold_lines, notes
from ccl.config.cohort_sections import CohortSettings
from ccl.config.keys import recorded
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import identified, write_json, write_table
from ccl.io.origin import record
from ccl.io.sheets import SLIDE_COLUMNS, Slide, read_slide_sheet

HELD_OUT = "held_out.csv"
"""The held-out patients with their follow-up, in the layout of ``patients.csv``; only if there are any."""


def make_cohort(
    name: str,
    out: Path,
    *,
    settings: CohortSettings,
    patients: Path,
    endpoint_table: Path | None = None,
    slides: Path | None = None,
    folds: Sequence[Path] = (),
    held_out: Path | None = None,
) -> None:
    """Check the user's tables and write ``patients.csv``, ``slides.csv``, ``folds.csv`` and ``summary.json``.

    If patients are held out, they are in ``held_out.csv`` and in none of the other files.

    Parameters
    ----------
    name : str
        The cohort's name, for the summary.
    out : Path
        Folder of the results.
    patients, slides : Path
        Tables as :func:`read_patients` and :func:`read_slide_sheet` take them.
    endpoint_table : Path, optional
        Table of the endpoint, if it is not `patients`.
    folds : sequence of Path
        Files of folds in order; drawn where empty, unless the cohort is external, which has none.
    held_out : Path, optional
        List of patients or sites that are in no fold.

    Raises
    ------
    InputError, ConfigError
        As the readers say; or a slide belongs to a patient without follow-up.
    """
    follow_up = _follow_up(patients, endpoint_table, settings, drawn=not (folds or settings.external))
    sheet = read_slide_sheet(slides) if slides else []
    without = {patient for patients in follow_up.left_out.values() for patient in patients}
    _check_owners(sheet, {*follow_up.table["patient_id"], *without}, slides)
    kept_out = _held_out(held_out, follow_up.table, without, settings, drawn=not (folds or settings.external))
    validation = follow_up.table[follow_up.table["patient_id"].isin(kept_out)]
    follow_up = follow_up.take(~follow_up.table["patient_id"].isin(kept_out))
    if settings.external:
        split = pd.DataFrame(columns=["fold", "patient_id", "role"])
    elif folds:
        split, follow_up = _given_folds(folds, follow_up, [*without, *kept_out])
    else:
        split = draw_folds(follow_up.table, settings)
    check_events(split, follow_up.table, folds[0].parent if folds else patients)
    own = set(follow_up.table["patient_id"])
    sheet = [slide for slide in sheet if slide.patient_id in own]
    summary = summarise(name, follow_up, validation, sheet, split, settings)
    for line in (*notes(summary), *fold_lines(summary), *(f"warning: {line}" for line in summary["imbalance"])):
        print(line, file=sys.stderr)
    write_table(out / "patients.csv", follow_up.table, checksum=True)
    write_table(out / "slides.csv", _relocated(sheet, out), checksum=True)
    write_table(out / "folds.csv", split, checksum=True)
    (out / HELD_OUT).unlink(missing_ok=True)
    if len(validation):
        write_table(out / HELD_OUT, validation, checksum=True)
    files = {
        "patients": [patients],
        "endpoint_table": [endpoint_table] if endpoint_table else [],
        "slides": [slides] if slides else [],
        "folds": folds,
        "held_out": [held_out] if held_out else [],
    }
    inputs = {what: identified(paths) for what, paths in files.items() if paths}
    write_json(out / "summary.json", {**summary, "inputs": inputs}, checksum=True)
    made = ["summary.json", "patients.csv", "slides.csv", "folds.csv", *([HELD_OUT] if len(validation) else [])]
    record("cohort", VERSION, outputs=[out / name for name in made], inputs=files, settings=recorded(settings))


def _follow_up(patients: Path, endpoint_table: Path | None, settings: CohortSettings, *, drawn: bool) -> FollowUp:
    """Return the follow-up, with the site of each patient if the settings say where it is."""
    if settings.endpoint:
        follow_up = read_endpoint(patients, endpoint_table, settings)
    else:
        follow_up = FollowUp(read_patients(patients, settings), {})
    if settings.landmark_months:
        follow_up = start_later(follow_up, settings.landmark_months)
    if settings.site:
        sites = read_sites(patients, settings.patient_column, settings.site, follow_up.table["patient_id"].tolist())
        return follow_up.take(slice(None), site=sites)
    if drawn and settings.by == "site":
        raise ConfigError(
            "folds by site need the sites",
            where="config, cohort: by",
            found="site, but the cohort does not say where its sites are",
            expected="`site` in the entry of the cohort: a column of the table of patients, or tcga-barcode",
            todo="add it, or draw patients",
        )
    return follow_up


def _held_out(
    path: Path | None, patients: pd.DataFrame, without: set[str], settings: CohortSettings, *, drawn: bool
) -> list[str]:
    """Return the patients that no fold sees: those that the user lists, or a share if folds are drawn."""
    if path:
        return read_held_out(path, settings, patients, without)
    return draw_held_out(patients, settings) if drawn and settings.held_out_share else []


def _given_folds(files: Sequence[Path], follow_up: FollowUp, left_out: Sequence[str]) -> tuple[pd.DataFrame, FollowUp]:
    """Return the given folds and the patients in them.

    A public table of endpoints has more patients than the folds, so with an endpoint patients in no fold are left out.
    """
    patients = follow_up.table["patient_id"].tolist()
    folds = read_folds(files, patients, set(left_out))
    nowhere = in_no_fold(folds, patients)
    if follow_up.endpoint is None:
        refuse_in_no_fold(nowhere, files[0].parent)
    return folds, follow_up.without({"in no fold": nowhere})


def _relocated(sheet: Sequence[Slide], folder: Path) -> pd.DataFrame:
    """Return a slide sheet for another folder, since its paths count from where it lies."""
    table = pd.DataFrame([vars(slide) for slide in sheet], columns=list(SLIDE_COLUMNS))
    return table.assign(
        path=[os.path.relpath(slide.path, folder) if slide.path.name else "" for slide in sheet],
        annotation=[os.path.relpath(slide.annotation, folder) if slide.annotation else "" for slide in sheet],
    )


def _check_owners(sheet: Sequence[Slide], patients: set[str], path: Path | None) -> None:
    owners = {slide.patient_id for slide in sheet}
    if owners and not owners & patients:
        raise InputError(
            "the slides and the table of patients have no patient in common",
            where=f"{path}, column patient_id",
            found=", ".join(sorted(owners)[:3]),
            expected=f"names as in the table of patients, such as {', '.join(sorted(patients)[:3])}",
            todo="name the patients alike in both",
        )
    for slide in sheet:
        if slide.patient_id not in patients:
            raise InputError(
                "a slide belongs to a patient without follow-up",
                where=f"{path}, slide {slide.slide_id}",
                found=f"patient {slide.patient_id}",
                expected="a patient of the patients table",
                todo="add the patient's follow-up, or take the slide out of the sheet",
            )
