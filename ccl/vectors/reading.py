"""Reading the vectors of slides: from files of other tools, from a table, or as the mean of patches."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ccl.config.sections import VectorsSettings
from ccl.io.apart import Apart
from ccl.io.bags import kind_of, mixed_encoders, read_features, read_members
from ccl.io.errors import CclError, InputError
from ccl.io.files import digest, fingerprint, identified, read_table
from ccl.io.foreign import is_array
from ccl.io.formats import ManifestRow, SlideVector
from ccl.io.interop.naming import find_vector
from ccl.io.progress import progress, say
from ccl.io.repeats import counted_once
from ccl.io.sheets import Slide, check_ids, read_slide_sheet
from ccl.vectors.joining import Part
from ccl.vectors.registry import MEAN


@dataclass(frozen=True)
class Found:
    """The vectors that were read."""

    parts: Mapping[str, Sequence[Part]]
    """Of each patient who has any."""
    encoder: str
    weights: str
    columns: tuple[str, ...] = ()
    bad: Mapping[str, str] = field(default_factory=dict)
    """Reason for each slide without a usable vector."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Reason for each patient without a vector."""
    inputs: Mapping[str, Any] = field(default_factory=dict)


def read_folder(folder: Path, slides: Path) -> Found:
    """Read a file for each slide of a sheet, or for each patient if the files say so.

    Raises
    ------
    InputError
        The same content belongs to several patients, or files come from different encoders.
    """
    sheet = read_slide_sheet(slides)
    rows, read = [], {}
    owners: dict[Path, Slide] = {}
    with Apart() as apart:
        for slide in progress(sheet, "vectors", unit="slide"):
            try:
                path, vector = _read_slide(folder, slide, owners, apart)
                _check_finite(path, vector)
                read[slide.slide_id] = vector
                rows.append(ManifestRow(slide.slide_id, "ok", path, fingerprint(path), 1, ""))
            except CclError as error:
                rows.append(ManifestRow(slide.slide_id, "excluded", Path(), "", 0, error.line))
    bad = {row.slide_id: row.message for row in rows if row.status == "excluded"}
    whole = {name: hashlib.sha256(vector.values.tobytes()).hexdigest() for name, vector in read.items()}
    rows = _each_file_once(rows)
    good = [row for row in counted_once(sheet, rows, whole) if row.status == "ok"]
    patient_of = {slide.slide_id: slide.patient_id for slide in sheet}
    parts: dict[str, list[Part]] = defaultdict(list)
    for row in good:
        vector = read[row.slide_id]
        parts[patient_of[row.slide_id]].append(Part(row.slide_id, vector.values, vector.size))
    kinds = sorted({(vector.encoder, vector.weights) for vector in read.values()}) or [("unknown", "imported")]
    if len(kinds) > 1:
        width = len(next(iter(read.values())).values)
        raise mixed_encoders(str(folder), [kind_of(encoder, width, weights) for encoder, weights in kinds])
    without = {name: f"no usable vector of slide {slide}" for slide in bad if (name := patient_of[slide]) not in parts}
    of_all = [{"file": str(folder.name), "sha256": digest([(row.slide_id, row.key) for row in good])}]
    return Found(parts, *kinds[0], bad=bad, left_out=without, inputs={"vectors": of_all})


def _read_slide(folder: Path, slide: Slide, owners: dict[Path, Slide], apart: Apart) -> tuple[Path, SlideVector]:
    """Return the file of a slide, or of its patient, with its vector; enter the slide as its owner."""
    path = find_vector(folder, slide)
    if path is None:
        raise InputError(
            "no file with the vector of the slide or its patient",
            where=str(folder),
            found=f"slide {slide.slide_id}",
            expected=f"{slide.slide_id} or {slide.patient_id}, with .h5, .hdf5, .pt or .npy",
            todo="correct the folder, the `slide_id`, or the sheet's `path`, whose stem is tried too",
        )
    vector: SlideVector = SlideVector.read(path) if is_array(path) else apart.read(SlideVector.read, path)
    other = owners.setdefault(path, slide)
    shared = other.patient_id == slide.patient_id and (vector.of_patient or path.stem == slide.patient_id)
    if other.slide_id != slide.slide_id and not shared:
        raise InputError(
            "the file of another slide",
            where=str(path),
            found=f"it is already that of {other.slide_id}",
            expected="a file for each slide, or for each patient",
            todo="correct the sheet's `path`, or name the files by `slide_id`",
        )
    return path, vector


def _check_finite(path: Path, vector: SlideVector) -> None:
    if not np.isfinite(vector.values).all():
        raise InputError(
            "a vector with values that are not finite",
            where=str(path),
            found=f"{int((~np.isfinite(vector.values)).sum())} of {len(vector.values)} values",
            expected="finite numbers",
            todo="make the file again",
        )


def _each_file_once(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """Return the rows, with each file once: that of a patient serves all slides of the patient."""
    seen: set[Path] = set()
    kept = []
    for row in rows:
        if row.status == "ok" and row.path in seen:
            continue
        seen.add(row.path)
        kept.append(row)
    return kept


def read_rows(table: Path, slides: Path | None, settings: VectorsSettings) -> Found:
    """Read a table with a row for each slide or patient.

    Raises
    ------
    InputError
        The patient of a row is not known, a slide or patient is there twice, a column is missing or holds no numbers,
        or a value is empty (unless ``missing: mean``) or infinite.
    """
    text = (settings.patient_column, settings.slide_column)
    values = read_table(table, text=text)
    patients = _patients_of(table, values, slides, settings)
    names = values.get(settings.slide_column, patients)
    check_ids(table, zip(range(2, len(names) + 2), patients, strict=True), "patient")
    twice = names[names.duplicated()]
    if len(twice):
        raise InputError(
            "a slide or patient is in the table twice",
            where=f"{table}, row {int(twice.index[0]) + 2}",
            found=str(twice.iloc[0]),
            expected="each slide once, or without a column of slides each patient once",
            todo="remove the row, or name the column of slides in `slide_column`",
        )
    columns = _columns_of(table, values, settings)
    numbers = _numbers_of(table, values[columns], names, settings)
    parts: dict[str, list[Part]] = defaultdict(list)
    for patient, name, row in zip(patients, names, numbers.to_numpy(np.float32), strict=True):
        parts[patient].append(Part(str(name), row, None))
    return Found(parts, "table", "imported", tuple(columns), inputs={"vectors": identified([table])})


def _patients_of(table: Path, values: pd.DataFrame, slides: Path | None, settings: VectorsSettings) -> pd.Series:
    """Return the patient of each row."""
    if settings.patient_column in values:
        return values[settings.patient_column]
    if slides is None or settings.slide_column not in values:
        raise InputError(
            "the patients of a table of vectors are not known",
            where=f"{table}, header",
            found=", ".join(map(str, values.columns[:6])),
            expected=f"the column {settings.patient_column}; or {settings.slide_column}, and a slide sheet",
            todo="name the column in the cohort's `vectors`: `patient_column`",
        )
    owners = {slide.slide_id: slide.patient_id for slide in read_slide_sheet(slides)}
    unknown = values.loc[~values[settings.slide_column].isin(owners.keys()), settings.slide_column]
    if len(unknown):
        say(f"vectors: {len(unknown)} rows are of slides that the sheet does not have, such as {unknown.iloc[0]}")
        values.drop(index=unknown.index, inplace=True)
    return values[settings.slide_column].map(owners)


def _columns_of(table: Path, values: pd.DataFrame, settings: VectorsSettings) -> list[str]:
    """Return the columns of the vector: those named, or all of numbers."""
    numeric = [str(name) for name in values.select_dtypes("number").columns]
    wrong = [name for name in settings.columns if name not in numeric]
    if wrong:
        raise InputError(
            "a column of the vector is missing, or does not hold numbers",
            where=str(table),
            found=", ".join(wrong),
            expected=", ".join(numeric[:10]),
            todo="correct the names in the cohort's `vectors`: `columns`",
        )
    names = (settings.patient_column, settings.slide_column)
    chosen = list(settings.columns) or [name for name in numeric if name not in names]
    others = [str(name) for name in values.columns if name not in (*chosen, *names)]
    if not chosen:
        raise InputError("a table of vectors has no column of numbers", where=str(table), found=", ".join(others))
    if others:
        say(f"vectors: {len(others)} columns are not part of the vector: {', '.join(others[:8])}")
    return chosen


def _numbers_of(table: Path, values: pd.DataFrame, names: pd.Series, settings: VectorsSettings) -> pd.DataFrame:
    """Return the values, checked: finite, or empty if empty cells are allowed."""
    numbers = values.to_numpy(np.float64)
    wrong = np.isinf(numbers) if settings.missing == "mean" else ~np.isfinite(numbers)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        value = numbers[row, column]
        raise InputError(
            "a value of a vector is empty or not finite",
            where=f"{table}, {names.iloc[row]}, column {values.columns[column]}",
            found="nothing" if np.isnan(value) else str(value),
            expected="a finite number",
            todo="correct the table; `vectors: missing: mean` takes the training mean for empty cells",
        )
    empty = np.isnan(numbers)
    if empty.any():
        say(f"vectors: {int(empty.any(axis=1).sum())} of {len(values)} rows have empty cells, which training fills")
    return values


def read_means(slides: Path, manifests: Sequence[Path], encoder: str) -> Found:
    """Return the mean patch of each slide.

    Raises
    ------
    InputError
        A file of features is missing or damaged, or the features come from several encoders or weights.
    """
    members = read_members(slides, manifests)
    rows = [(patient, row) for patient, own in members.bags.items() for row in own]
    parts: dict[str, list[Part]] = defaultdict(list)
    bad, kinds = {}, set()
    for patient, row in progress(rows, "vectors", unit="slide"):
        read = read_features(row)
        mean = read.features.mean(axis=0, dtype=np.float64).astype(np.float32)
        kinds.add((read.encoder, len(mean), read.weights))
        if np.isfinite(mean).all():
            parts[patient].append(Part(row.slide_id, mean, len(read.features)))
        else:
            bad[row.slide_id] = f"{row.path}: features that are not finite"
    if len(kinds) > 1:
        raise mixed_encoders(encoder, [kind_of(*kind) for kind in sorted(kinds)])
    without = {patient: "features that are not finite" for patient in members.bags if patient not in parts}
    keys = digest([(row.slide_id, row.key) for _, row in rows])
    inputs = {"vectors": [{"file": f"features of {encoder}", "sha256": keys}]}
    weights = next(iter(kinds))[2] if kinds else "none"
    left_out = {**members.excluded, **without}
    return Found(parts, f"{MEAN}{encoder}", weights, bad=bad, left_out=left_out, inputs=inputs)
