"""The cluster stage: computes k centres per patient from the features of a cohort's slides."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from ccl.cluster import VERSION
from ccl.cluster.bag import Bag
from ccl.cluster.kmeans import kmeans
from ccl.config.keys import recorded
from ccl.config.sections import ClusterSettings
from ccl.io.bags import kind_of, mixed_encoders, read_features, read_members
from ccl.io.errors import InputError, StageError
from ccl.io.files import digest
from ccl.io.formats import Clusters, ManifestRow, stored_key
from ccl.io.origin import record
from ccl.io.progress import progress
from ccl.io.sheets import OnBadSlide


def cluster_cohort(
    *,
    slides: Path,
    manifests: Sequence[Path],
    out: Path,
    settings: ClusterSettings,
    on_bad_slide: OnBadSlide,
    threads: int,
    overwrite: bool = False,
) -> None:
    """Cluster the patches of each patient, all slides together, and write the centres (``k{k}.h5``).

    K-means runs in as many processes as `threads`, with one thread per patient.  The patient's name is the seed, so the
    centres depend neither on other patients nor on the number of threads.  Each patient has a separate file
    (``k{k}/{patient}.h5``) with a key of all inputs, and is not clustered again while the key is the same.

    Each process needs memory for the stored features of one patient and for :func:`ccl.cluster.kmeans.kmeans`.

    Parameters
    ----------
    slides : Path
        The sample sheet of slides.
    manifests : sequence of Path
        Manifests that together list the features of all these slides.
    overwrite : bool
        Cluster every patient again, even if the stored key matches.

    Raises
    ------
    InputError
        The manifests do not list the slides, a file of features is missing or damaged, or the features of the
        cohort come from different encoders or weights.
    StageError
        Some patients have too few patches, or features that are not finite; the message lists them.  With
        ``on_bad_slide="exclude"`` only where no patient is left, else these patients are left out, with the reason.
        Whatever is raised, the other patients' files are done.
    """
    members = read_members(slides, manifests)
    bags, folder = members.bags, out.with_suffix("")
    found, bad = _cluster_all(bags, folder, settings=settings, threads=threads, overwrite=overwrite)
    left_out = {**bad, **members.excluded}
    if not found or (bad and on_bad_slide == "fail"):
        raise StageError(
            f"cluster: {len(left_out)} of {len(bags) + len(members.excluded)} patients have no centres, all others do",
            found="".join(f"\n    {patient}: {reason}" for patient, reason in left_out.items()),
            todo="fix or remove their slides, or set `on_bad_slide: exclude` to go on without these patients",
        )
    combined = _combine(found, left_out=left_out)
    combined.write(out)
    record(
        "cluster",
        VERSION,
        outputs=[out],
        inputs={"manifest": manifests, "sheet": slides},
        settings=recorded(settings),
    )
    if combined.left_out:
        print(f"cluster: {len(combined.left_out)} patients left out", file=sys.stderr)
    print(f"cluster: {combined.empty_rate:.2%} of the clusters are empty", file=sys.stderr)


def _cluster_all(
    bags: Mapping[str, Sequence[ManifestRow]], folder: Path, *, settings: ClusterSettings, threads: int, overwrite: bool
) -> tuple[list[Clusters], dict[str, str]]:
    """Return the clusters of the patients that have centres, sorted, and the reason for each of the others."""
    keys = {patient: _key(patient, own, settings) for patient, own in bags.items()}
    files = {patient: folder / f"{patient}.h5" for patient in bags}
    stored = {patient: None if overwrite else _stored(files[patient], keys[patient]) for patient in bags}
    missing = [patient for patient in bags if stored[patient] is None]
    made = joblib.Parallel(n_jobs=threads, return_as="generator")(
        joblib.delayed(_make)(patient, bags[patient], files[patient], keys[patient], settings) for patient in missing
    )
    results = {**stored, **dict(zip(progress(missing, "cluster", unit="patient"), made, strict=True))}
    for result in results.values():
        if isinstance(result, InputError):
            raise result
    found = [result for result in results.values() if isinstance(result, Clusters)]
    for result in found:
        _check_same(result, first=found[0])
    return found, {patient: result for patient, result in results.items() if isinstance(result, str)}


def _key(patient: str, rows: Sequence[ManifestRow], settings: ClusterSettings) -> str:
    """Return the digest of all that a patient's clusters depend on."""
    return digest("cluster", VERSION, recorded(settings), patient, [(row.slide_id, row.key) for row in rows])


def _stored(path: Path, key: str) -> Clusters | None:
    """Return the clusters of a patient's finished file, or None if there is none with this key."""
    if stored_key(path) != key:
        return None
    try:
        return Clusters.read(path)
    except InputError:
        return None


def _make(
    patient: str, rows: Sequence[ManifestRow], path: Path, key: str, settings: ClusterSettings
) -> Clusters | InputError | str:
    """Write and return a patient's clusters, or return the error, so one patient does not stop the others."""
    try:
        result = _cluster_patient(patient, rows, settings)
    except InputError as error:
        return error
    if isinstance(result, Clusters):
        result.write(path, key)
    return result


def _check_same(result: Clusters, *, first: Clusters) -> None:
    """Raise :class:`InputError` if the features of two patients come from different encoders or weights."""
    kinds = [kind_of(each.encoder, each.centres.shape[2], each.weights) for each in (result, first)]
    if kinds[0] != kinds[1]:
        raise mixed_encoders(f"patient {result.patients[0]}", kinds)


def _cluster_patient(patient: str, rows: Sequence[ManifestRow], settings: ClusterSettings) -> Clusters | str:
    """Return the clusters of a patient's patches, or the reason why there are none."""
    slides = {row.slide_id: read_features(row) for row in rows}
    kinds = sorted({(slide.encoder, slide.features.shape[1], slide.weights) for slide in slides.values()})
    if len(kinds) > 1:
        raise mixed_encoders(f"patient {patient}", [kind_of(*kind) for kind in kinds])
    encoder, _, weights = kinds[0]
    broken = [name for name, slide in slides.items() if not np.isfinite(slide.features).all()]
    if broken:
        return f"features that are not finite, of slide {', '.join(broken)}"
    ends = np.cumsum([len(slide.features) for slide in slides.values()])
    if ends[-1] < settings.k:
        return f"{ends[-1]} patches, fewer than the {settings.k} clusters wanted"
    with threadpool_limits(1):
        bag = Bag([slide.features for slide in slides.values()], normalise=settings.normalise)
        if settings.empty == "reseed" and (different := bag.different(settings.k)) < settings.k:
            return f"{different} different patches, fewer than the {settings.k} clusters wanted"
        seed = zlib.crc32(patient.encode())
        best = kmeans(bag, settings.k, restarts=settings.restarts, seed=seed, empty=settings.empty)
    return Clusters(
        patients=(patient,),
        centres=best.centres[None],
        sizes=best.sizes[None],
        labels=dict(zip(slides, np.split(best.labels, ends[:-1]), strict=True)),
        encoder=encoder,
        weights=weights,
        left_out={},
    )


def _combine(found: Sequence[Clusters], *, left_out: Mapping[str, str]) -> Clusters:
    """Return the clusters of a cohort."""
    return Clusters(
        patients=tuple(chain.from_iterable(result.patients for result in found)),
        centres=np.concatenate([result.centres for result in found]),
        sizes=np.concatenate([result.sizes for result in found]),
        labels={slide: labels for result in found for slide, labels in result.labels.items()},
        encoder=found[0].encoder,
        weights=found[0].weights,
        left_out=dict(sorted(left_out.items())),
    )
