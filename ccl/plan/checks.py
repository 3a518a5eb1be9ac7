"""Checks while planning, before any slide is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ccl.config.check import mistakes
from ccl.io.errors import ConfigError
from ccl.methods import hyper_mistakes
from ccl.plan.cohorts import Cohort
from ccl.results import OTHER_FOLDERS
from ccl.wsi.encoders import check_source

if TYPE_CHECKING:
    from ccl.plan.plan import Plan


def check_cohort_names(plan: Plan, files: Sequence[str | Path] = ()) -> None:
    """Raise ConfigError for a cohort whose folder of results is also that of something else."""
    if taken := [name for name in plan.cohorts if name.lower() in OTHER_FOLDERS]:
        raise mistakes(
            [f"cohorts: {name}: not a usable name; the results have a folder of it" for name in taken], files
        )


def check_sources(plan: Plan, files: Sequence[str | Path] = ()) -> None:
    """Raise one ConfigError for all files and folders of the config that do not exist.

    Slides and feature files are not checked here; the stages report missing ones, slide by slide.

    Raises
    ------
    ConfigError
        A file does not exist, a path has braces, or an encoder or its source of weights is unknown.
    """
    missing = [
        f"{place}: there is no {path}"
        for cohort in plan.cohorts.values()
        for place, path in _sources(cohort)
        if not Path(path).exists() and not cohort.will_be_made(path)
    ]
    if missing:
        raise mistakes(missing, files)
    braced = [
        f"{place}: {path} has braces, which Snakemake takes for a wildcard; rename it"
        for cohort in plan.cohorts.values()
        for place, path in (*_sources(cohort), *_slides(cohort))
        if {"{", "}"} & set(path)
    ]
    if braced:
        raise mistakes(braced, files)
    if any(cohort.entry.reads_slides for cohort in plan.cohorts.values()):
        for name, entry in plan.config.embed.encoders.items():
            check_source(plan.config.encoder(name), entry.weights)


def check_vectors(plan: Plan, files: Sequence[str | Path] = ()) -> None:
    """Raise one ConfigError for all vectors that need a slide sheet or features that their cohort does not have."""
    found = []
    for cohort in plan.cohorts.values():
        for name, source in cohort.vectors.items():
            place, path = f"cohorts: {cohort.name}: vectors: {name}", cohort.vector_path(name)
            if not cohort.entry.slides and (path is None or Path(path).is_dir()):
                found.append(f"{place}: needs `slides`, which says whose slide each file is")
            elif source.mean_of and source.mean_of not in cohort.encoders:
                found.append(f"{place}: mean_of: found {source.mean_of}; expected {', '.join(cohort.encoders)}")
    if found:
        raise mistakes(found, files)


def _sources(cohort: Cohort) -> Iterator[tuple[str, str]]:
    """Yield the config's keys that name files of a cohort, each with the path."""
    place, entry = f"cohorts: {cohort.name}", cohort.entry
    for key in ("patients", "endpoint_table", "slides", "folds", "held_out"):
        if (path := getattr(entry, key)) and not (key == "folds" and "*" in path):
            yield f"{place}: {key}", cohort.config.path(path)
    if entry.download:
        yield f"{place}: download: manifest", cohort.config.path(entry.download.manifest)
        if entry.download.token:
            yield f"{place}: download: token", cohort.config.path(entry.download.token)
    for path in cohort.gmt:
        yield f"{place}: gmt", path
    if entry.gmt and cohort.config.genomics.aliases:
        yield "genomics: aliases", cohort.config.path(cohort.config.genomics.aliases)
    if source := entry.from_:
        yield f"{place}: from: {source.layout}", cohort.config.path(source.folder)
        if source.genes:
            yield f"{place}: from: genes", cohort.config.path(source.genes)
    for kind, paths in cohort.omics.items() if entry.omics else ():
        for path in paths:
            yield f"{place}: omics: {kind}", path
    for path in cohort.clinical_table if entry.clinical and entry.clinical.table else []:
        yield f"{place}: clinical: table", path
    for key in ("features", "predict_with"):
        for name, path in (getattr(entry, key) or {}).items():
            if isinstance(path, str):
                yield f"{place}: {key}: {name}", cohort.config.path(path)
    for name in cohort.vectors:
        if path := cohort.vector_path(name):
            yield f"{place}: vectors: {name}: path", path
    if entry.reads_slides:
        for encoder in cohort.encoders:
            if path := cohort.config.weights_file(encoder):
                yield f"embed: encoders: {encoder}: weights", path
        tilings = {"tile": cohort.config.tile, **{f"tilings: {n}": t for n, t in cohort.config.tilings.items()}}
        for section, tiling in tilings.items():
            if tiling.artefact_weights:
                yield f"{section}: artefact_weights", cohort.config.path(tiling.artefact_weights)
        if cohort.config.stain_target:
            yield "embed: stain_target", cohort.config.stain_target


def _slides(cohort: Cohort) -> Iterator[tuple[str, str]]:
    """Yield the slides and annotations of a cohort, each with the path."""
    for slide in cohort.slides if cohort.entry.reads_slides else []:
        for path in filter(None, (slide.path, slide.annotation)):
            yield f"cohorts: {cohort.name}: slides: {slide.slide_id}", str(path)


def missing_slides(plan: Plan) -> list[str]:
    """Return a sentence for each cohort with slides that do not exist; the run names each of them with its reason."""
    return [
        f"cohort {cohort.name}: {len(slides)} of {len(cohort.slides)} slides do not exist, such as {slides[0].path}"
        for cohort in plan.cohorts.values()
        if (slides := cohort.missing_slides)
    ]


def check_models(plan: Plan, files: Sequence[str | Path] = ()) -> None:
    """Raise ConfigError for hyper-parameters that a method does not have, and models that a cohort cannot train.

    Raises
    ------
    ConfigError
        A hyper-parameter or a method is unknown, or a cohort lacks what a model reads and ``missing_modality`` is
        ``fail``.
    """
    found = [
        mistake
        for model in (plan.models[name] for name in plan.config.models)
        for mistake in hyper_mistakes(model.method_name, model.overrides, model=model.name)
    ]
    found += [
        f"models: {model.name}: track: found native; {model.method_name} has no native track"
        for model in (plan.models[name] for name in plan.config.models)
        if model.track == "native" and model.method.native is None
    ]
    if found:
        raise mistakes(found, files)
    for blank in plan.blanks if plan.config.missing_modality == "fail" else ():
        raise ConfigError(
            "a method needs data that a cohort does not have",
            where=f"config, models: {blank.model} and cohorts: {blank.cohort}",
            found=blank.reason,
            expected=f"what {blank.model} reads",
            todo=f"give {blank.cohort} the data, run the method with a separate config, or set"
            " `missing_modality: blank` to go on without this pair",
        )
