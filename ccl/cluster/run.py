"""The cluster stage: features of a cohort's slides in, k centres per patient out."""

from __future__ import annotations

import sys
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from ccl.cluster import ClusterSettings
from ccl.cohort.sheets import read_slide_sheet
from ccl.errors import InputError, StageError
from ccl.formats import Clusters, Features, ManifestRow, Slide, read_manifest
from ccl.progress import progress
from ccl.shards import OnBadSlide

MAKE_FEATURES_AGAIN = "run `snakemake --forcerun embed`, or put the imported file back"


@dataclass(frozen=True)
class _Centres:
    """The clusters of one patient's patches."""

    centres: NDArray[np.float32]
    """(k, D)"""
    sizes: NDArray[np.int64]
    """(k,)"""
    labels: Mapping[str, NDArray[np.int64]]
    """By slide."""
    encoder: str
    weights: tuple[str, ...]
    """Of each slide's features."""


def cluster_cohort(
    *,
    slides: Path,
    manifests: Sequence[Path],
    out: Path,
    settings: ClusterSettings,
    on_bad_slide: OnBadSlide,
    threads: int,
) -> None:
    """Cluster the patches of each patient, all slides together, and write the centres (``k{k}.h5``).

    K-means runs in as many processes as `threads`, one patient in one thread, seeded by the patient's name: a
    patient's centres depend on neither the other patients nor the number of threads.

    Parameters
    ----------
    slides : Path
        The sample sheet of slides.
    manifests : sequence of Path
        Manifests that together list the features of all these slides.

    Raises
    ------
    InputError
        The manifests do not list the slides, a file of features is missing or damaged, or the features of the
        cohort come from different encoders.
    StageError
        Some patients have too few patches, or features that are not finite; the message lists them.  With
        ``on_bad_slide="exclude"`` only where no patient is left, else these patients are left out, with the reason.
    """
    rows = _rows_by_patient(read_slide_sheet(slides), [row for path in manifests for row in read_manifest(path)])
    bags = {patient: good for patient, own in rows.items() if (good := [row for row in own if row.status == "ok"])}
    excluded = {
        patient: "all slides excluded: " + "; ".join(f"{row.slide_id}: {row.message}" for row in own)
        for patient, own in rows.items()
        if patient not in bags
    }
    _check_files(bags)
    found, bad = _cluster_all(bags, settings=settings, threads=threads)
    if not found or (bad and on_bad_slide == "fail"):
        raise StageError(
            f"cluster: {len(bad) + len(excluded)} of {len(rows)} patients have no centres",
            found="".join(f"\n    {patient}: {reason}" for patient, reason in (bad | excluded).items()),
            todo="mend or remove their slides, or set `on_bad_slide: exclude` to go on without these patients",
        )
    _combine(found, left_out=excluded | bad).write(out)


def _cluster_all(
    bags: Mapping[str, Sequence[ManifestRow]], *, settings: ClusterSettings, threads: int
) -> tuple[dict[str, _Centres], dict[str, str]]:
    """Return the centres of the patients that have some, and for the others the reason why not."""
    found: dict[str, _Centres] = {}
    bad: dict[str, str] = {}
    results = joblib.Parallel(n_jobs=threads, return_as="generator")(
        joblib.delayed(_cluster_patient)(patient, own, settings=settings) for patient, own in bags.items()
    )
    for patient, result in zip(progress(bags, "cluster", unit="patient"), results, strict=True):
        if isinstance(result, str):
            bad[patient] = result
        else:
            _check_same(result, patient, first=next(iter(found.values()), result))
            found[patient] = result
    return found, bad


def _rows_by_patient(slides: Sequence[Slide], rows: Sequence[ManifestRow]) -> dict[str, list[ManifestRow]]:
    """Return the manifest rows of each patient's slides; both sorted."""
    known = {row.slide_id: row for row in rows}
    stray = {slide.slide_id for slide in slides} ^ set(known)
    if stray:
        raise InputError(
            "the manifests and the cohort do not list the same slides",
            found=f"{sorted(stray)[0]} ({len(stray)} such slides) in one of the two only",
            expected="every slide of the sheet in one manifest, and no other",
            todo=MAKE_FEATURES_AGAIN,
        )
    patients: dict[str, list[ManifestRow]] = {}
    for slide in sorted(slides, key=lambda slide: (slide.patient_id, slide.slide_id)):
        patients.setdefault(slide.patient_id, []).append(known[slide.slide_id])
    return patients


def _check_files(bags: Mapping[str, Sequence[ManifestRow]]) -> None:
    missing = [row for own in bags.values() for row in own if not row.path.exists()]
    if missing:
        raise InputError(
            "features that the manifest lists are not there",
            where=str(missing[0].path),
            found=f"{len(missing)} files missing, of slides such as {missing[0].slide_id}",
            todo=MAKE_FEATURES_AGAIN,
        )


def _check_same(result: _Centres, patient: str, *, first: _Centres) -> None:
    """Raise :class:`InputError` if two patients' features are not of one encoder."""
    if (result.encoder, result.centres.shape[1]) != (first.encoder, first.centres.shape[1]):
        raise _mixed(
            f"patient {patient}",
            f"{result.encoder} ({result.centres.shape[1]}-d) beside {first.encoder} ({first.centres.shape[1]}-d)",
        )


def _mixed(where: str, found: str) -> InputError:
    return InputError(
        "the features of a cohort come from different encoders",
        where=where,
        found=found,
        expected="one encoder, one dimension",
        todo=MAKE_FEATURES_AGAIN,
    )


def _cluster_patient(patient: str, rows: Sequence[ManifestRow], *, settings: ClusterSettings) -> _Centres | str:
    """Return the clusters of a patient's patches, or the reason why there are none."""
    slides = {row.slide_id: _read(row) for row in rows}
    kinds = sorted({(slide.encoder, slide.features.shape[1]) for slide in slides.values()})
    if len(kinds) > 1:
        raise _mixed(f"patient {patient}", " beside ".join(f"{encoder} ({dim}-d)" for encoder, dim in kinds))
    broken = [name for name, slide in slides.items() if not np.isfinite(slide.features).all()]
    if broken:
        return f"features that are not finite, of slide {', '.join(broken)}"
    bag = np.concatenate([slide.features for slide in slides.values()]).astype(np.float32)
    if len(bag) < settings.k:
        return f"{len(bag)} patches, fewer than the {settings.k} clusters wanted"
    kmeans = KMeans(settings.k, n_init=settings.restarts, random_state=zlib.crc32(patient.encode()))
    with threadpool_limits(1), warnings.catch_warnings():
        # Patches that repeat leave clusters empty; that is an error here, below.
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = kmeans.fit_predict(bag).astype(np.int64)
    sizes = np.bincount(labels, minlength=settings.k)
    if not sizes.all():
        return f"{np.count_nonzero(sizes)} different patches, fewer than the {settings.k} clusters wanted"
    ends = np.cumsum([len(slide.features) for slide in slides.values()])[:-1]
    return _Centres(
        kmeans.cluster_centers_.astype(np.float32),
        sizes,
        dict(zip(slides, np.split(labels, ends), strict=True)),
        kinds[0][0],
        tuple(slide.weights for slide in slides.values()),
    )


def _read(row: ManifestRow) -> Features:
    try:
        return Features.read(row.path)
    except InputError as error:
        raise InputError(
            f"{error.problem} (slide {row.slide_id})",
            where=error.where,
            found=error.found,
            expected=error.expected,
            todo=MAKE_FEATURES_AGAIN,
        ) from error


def _combine(found: Mapping[str, _Centres], *, left_out: Mapping[str, str]) -> Clusters:
    weights = sorted({weights for result in found.values() for weights in result.weights})
    if left_out:
        print(f"cluster: {len(left_out)} patients left out", file=sys.stderr)
    return Clusters(
        patients=tuple(sorted(found)),
        centres=np.stack([found[patient].centres for patient in sorted(found)]),
        sizes=np.stack([found[patient].sizes for patient in sorted(found)]),
        labels={slide: labels for result in found.values() for slide, labels in result.labels.items()},
        encoder=next(iter(found.values())).encoder,
        weights="random" if "random" in weights else ", ".join(weights),
        left_out=dict(sorted(left_out.items())),
    )
