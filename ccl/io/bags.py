"""The files of features that make up each patient's bag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ccl.io.errors import DamageError, InputError
from ccl.io.formats import Features, ManifestRow, check_key, read_manifest
from ccl.io.interop.importing import import_key
from ccl.io.sheets import Slide, read_slide_sheet

MAKE_FEATURES_AGAIN = "run `snakemake --forcerun embed`, or put the imported file back"


@dataclass(frozen=True)
class Members:
    """A cohort's patients by slide availability."""

    bags: Mapping[str, Sequence[ManifestRow]]
    """The usable slides of each patient who has at least one; patients and slides are sorted."""
    excluded: Mapping[str, str]
    """Reasons for each patient whose slides were all excluded."""


def read_members(slides: Path, manifests: Sequence[Path]) -> Members:
    """Return the patients of a sample sheet with the slides that the manifests list for them.

    Raises
    ------
    InputError
        The manifests do not list the sheet's slides, or a listed file is missing.
    """
    rows = _rows_by_patient(read_slide_sheet(slides), [row for path in manifests for row in read_manifest(path)])
    bags = {patient: good for patient, own in rows.items() if (good := [row for row in own if row.status == "ok"])}
    missing = [row for own in bags.values() for row in own if not row.path.exists()]
    if missing:
        raise InputError(
            "features that the manifest lists are missing",
            where=str(missing[0].path),
            found=f"{len(missing)} files missing, of slides such as {missing[0].slide_id}",
            todo=MAKE_FEATURES_AGAIN,
        )
    excluded = {
        patient: "all slides excluded: " + "; ".join(f"{row.slide_id}: {row.message}" for row in own)
        for patient, own in rows.items()
        if patient not in bags
    }
    return Members(bags, excluded)


def _rows_by_patient(slides: Sequence[Slide], rows: Sequence[ManifestRow]) -> dict[str, list[ManifestRow]]:
    """Return the manifest rows of each patient's slides; patients and slides are sorted."""
    known = {row.slide_id: row for row in rows}
    stray = {slide.slide_id for slide in slides} ^ set(known)
    if stray:
        raise InputError(
            "the manifests and the cohort do not list the same slides",
            found=f"{sorted(stray)[0]} ({len(stray)} such slides) in only one of the two",
            expected="every slide of the sheet in one manifest, and no other",
            todo=MAKE_FEATURES_AGAIN,
        )
    patients: dict[str, list[ManifestRow]] = {}
    for slide in sorted(slides, key=lambda slide: (slide.patient_id, slide.slide_id)):
        patients.setdefault(slide.patient_id, []).append(known[slide.slide_id])
    return patients


def read_features(row: ManifestRow) -> Features:
    """Read one slide's features; an :class:`InputError` names the slide and says how to make its file again."""
    try:
        features = Features.read(row.path)
        # An imported file is listed by a digest of its content.
        if features.key != row.key and import_key(row.path) != row.key:
            check_key(row.path, features.key, row.key)
        return features
    except InputError as error:
        raise type(error)(
            f"{error.problem} (slide {row.slide_id})",
            where=error.where,
            found=error.found,
            expected=error.expected,
            todo=error.todo if isinstance(error, DamageError) else MAKE_FEATURES_AGAIN,
        ) from error


def kind_of(encoder: str, dim: int, weights: str) -> str:
    """Return in words what all features of a cohort must have in common."""
    return f"{encoder} ({dim}-d, weights {weights})"


def mixed_encoders(where: str, kinds: Iterable[str]) -> InputError:
    """Return the error for features of several `kinds` (:func:`kind_of`) in one cohort."""
    return InputError(
        "the features of a cohort come from different encoders, or from different weights",
        where=where,
        found=" beside ".join(kinds),
        expected="one encoder, one dimension, the same weights",
        todo=MAKE_FEATURES_AGAIN,
    )
