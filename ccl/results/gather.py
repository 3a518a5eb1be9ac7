"""Collecting what the stages left under ``results/``: docs/formats.md says where it lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.components.figures import Components, read_components
from ccl.evaluate import INNER
from ccl.io.errors import InputError
from ccl.io.files import digest, read_json, read_table
from ccl.io.formats import Genomics, ManifestRow, read_manifest
from ccl.pages.style import caveats

PROTOCOLS_SHOWN = ("last", INNER, "best-on-test")
"""Protocols in the order of every table, those without a choice on test patients first."""

ENTRIES = ("cohort", "encoder", "model", "method", "weights", "synthetic", "k", "empty_clusters", "protocols")
"""Entries of ``evaluation.json`` without which it is no evaluation, or one that an older version made."""


@dataclass(frozen=True)
class Evaluation:
    """One method on one cohort: what ``evaluate`` and ``train`` wrote of it."""

    facts: Mapping[str, Any]
    """``evaluation.json``."""
    risks: pd.DataFrame
    curves: pd.DataFrame
    calibration: pd.DataFrame
    runs: tuple[Mapping[str, Any], ...]
    """``run.json`` of each fold."""
    history: pd.DataFrame
    """``history.csv`` of all folds, with a column ``fold``."""
    components: Components | None = None
    """Of a method that has them, if the stage ``components`` was run."""

    @property
    def cohort(self) -> str:
        """Name of the cohort."""
        return str(self.facts["cohort"])

    @property
    def encoder(self) -> str:
        """Name of the encoder; ``none`` for a method that reads no slides."""
        return str(self.facts["encoder"])

    @property
    def model(self) -> str:
        """Name that the config gives to the method with its options."""
        return str(self.facts["model"])

    @property
    def method(self) -> str:
        """Name of the method."""
        return str(self.facts["method"])

    @property
    def label(self) -> str:
        """Name of the model, and of the method where that is another."""
        return self.model if self.model == self.method else f"{self.model} ({self.method})"

    @property
    def seeds(self) -> list[int]:
        """The seeds that each fold was trained with."""
        return [int(row["seed"]) for row in self.facts["protocols"]["last"]["seeds"]]

    @property
    def protocols(self) -> list[str]:
        """The protocols that the evaluation has: ``inner`` only where training held patients out."""
        return [name for name in PROTOCOLS_SHOWN if name in self.facts["protocols"]]

    @property
    def name(self) -> str:
        """The evaluation's name, which its figures' files carry."""
        return f"{self.cohort}.{self.encoder}.{self.model}"

    @property
    def synthetic(self) -> bool:
        """Whether the patients are invented."""
        return bool(self.facts["synthetic"])

    @property
    def data(self) -> str:
        """What the patients are, as the tables say it."""
        return "synthetic" if self.synthetic else "real"

    @property
    def random_weights(self) -> bool:
        """Whether the encoder was never trained."""
        return bool(self.facts["weights"] == "random")

    @property
    def caveats(self) -> list[str]:
        """Labels that must stand beside every number and figure of the evaluation."""
        return caveats(self.facts)


@dataclass(frozen=True)
class SlideFile:
    """What became of one slide, and the pictures of it."""

    slide_id: str
    reason: str
    """Why the slide was excluded, and by which stage; empty for a slide in use."""
    patches: int | None
    """Patches of the slide; None where it never came so far."""
    outline: Path | None
    """Picture of the tissue's outline."""
    grid: Path | None
    """Picture of the grid of patches."""


@dataclass(frozen=True)
class InputFile:
    """A file that the user gave, or the features of all slides together, as the stage recorded it that read it."""

    what: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Cohort:
    """One cohort, its slides, and the methods judged on it."""

    name: str
    summary: Mapping[str, Any]
    """``summary.json``."""
    slides: tuple[SlideFile, ...]
    evaluations: tuple[Evaluation, ...]
    inputs: tuple[InputFile, ...]
    """What all of it rests on."""
    contact_sheet: Path | None
    """Page of the stage ``quality``, whether or not it was made already; None where no slide was cut."""


def gather(evaluations: Sequence[Path], components: Sequence[Path] = ()) -> list[Cohort]:
    """Read the cohorts of some ``evaluation.json`` files, in the order in which they are first named.

    ``components`` are the ``components.json`` of those that have any.

    Raises
    ------
    InputError
        No evaluation is named, or a file that the layout promises is missing or damaged.
    """
    if not evaluations:
        raise InputError(
            "there is nothing to report",
            expected="one evaluation.json or more that `ccl evaluate` wrote",
            todo="name the files",
        )
    decomposed = {found.name: found for found in (read_components(Path(path).parent) for path in components)}
    members: dict[Path, list[Evaluation]] = {}
    for path in evaluations:
        folder = Path(path).absolute().parents[3]
        found = _read_evaluation(Path(path).absolute(), folder)
        members.setdefault(folder, []).append(replace(found, components=decomposed.get(found.name)))
    return [_read_cohort(folder, tuple(found)) for folder, found in members.items()]


def _read_evaluation(path: Path, folder: Path) -> Evaluation:
    facts = read_json(path, required=ENTRIES, todo="judge the model again with `ccl evaluate`")
    trained = folder / "train" / facts["encoder"] / facts["model"]
    folds = sorted({int(row["fold"]) for row in facts["protocols"]["last"]["folds"]})
    histories = [read_table(trained / f"fold{fold}" / "history.csv").assign(fold=fold) for fold in folds]
    return Evaluation(
        facts=facts,
        risks=read_table(path.parent / "risks.csv", text=("patient_id",)),
        curves=read_table(path.parent / "curves.csv"),
        calibration=read_table(path.parent / "calibration.csv"),
        runs=tuple(read_json(trained / f"fold{fold}" / "run.json") for fold in folds),
        history=pd.concat(histories),
    )


def _read_cohort(folder: Path, evaluations: tuple[Evaluation, ...]) -> Cohort:
    summary = read_json(folder / "cohort" / "summary.json")
    features = {encoder: _features(folder, encoder) for encoder in sorted({one.encoder for one in evaluations})}
    return Cohort(
        str(summary["cohort"]),
        summary,
        tuple(_read_slides(folder, features.values())),
        evaluations,
        tuple(_read_inputs(folder, summary, features)),
        folder / "quality" / "contact_sheet.html" if (folder / "tile" / "manifests").is_dir() else None,
    )


def _features(folder: Path, encoder: str) -> dict[str, ManifestRow]:
    """Return the row of each slide that an encoder embedded, or whose features were imported."""
    embedded = _newest_rows(sorted((folder / "embed" / encoder / "manifests").glob("*.tsv")))
    return embedded | _newest_rows(sorted((folder / "import" / encoder).glob("manifest.tsv")))


def _read_inputs(
    folder: Path, summary: Mapping[str, Any], features: Mapping[str, Mapping[str, ManifestRow]]
) -> list[InputFile]:
    """Return the user's files, and for the features of each encoder one digest of all their keys."""
    omics = folder / "genomics" / "genomics.h5"
    given = {**summary.get("inputs", {}), **(Genomics.read(omics).inputs if omics.is_file() else {})}
    files = [InputFile(what, row["file"], row["sha256"]) for what, rows in given.items() for row in rows]
    for encoder, slides in features.items():
        keys = sorted((slide, row.key) for slide, row in slides.items() if row.status == "ok")
        if keys:
            count = f"{len(keys)} slide" + ("" if len(keys) == 1 else "s")
            files.append(InputFile(f"features of {encoder}", count, digest(keys)))
    return files


def _read_slides(folder: Path, features: Iterable[Mapping[str, ManifestRow]]) -> list[SlideFile]:
    """Return the cohort's slides with their fate; none for a cohort without slides."""
    sheet = folder / "cohort" / "slides.csv"
    known = read_table(sheet, text=("slide_id",))["slide_id"].tolist() if sheet.is_file() else []
    stages = {stage: _newest_rows(sorted((folder / stage / "manifests").glob("*.tsv"))) for stage in ("tissue", "tile")}
    read = [*stages.values(), *features]
    slides = []
    for slide in known:
        rows = [stage[slide] for stage in read if slide in stage]
        tiles = stages["tile"].get(slide)
        slides.append(
            SlideFile(
                slide_id=slide,
                reason="; ".join(dict.fromkeys(row.message for row in rows if row.status == "excluded")),
                patches=tiles.count if tiles is not None and tiles.status == "ok" else None,
                outline=_picture(folder / "tissue" / f"{slide}.jpg"),
                grid=_picture(folder / "tile" / f"{slide}.jpg"),
            )
        )
    return slides


def _newest_rows(manifests: Sequence[Path]) -> dict[str, ManifestRow]:
    """Return the row of each slide; a manifest left from another number of shards gives way to a newer one."""
    by_age = sorted(manifests, key=lambda path: path.stat().st_mtime_ns)
    return {row.slide_id: row for path in by_age for row in read_manifest(path)}


def _picture(path: Path) -> Path | None:
    return path if path.is_file() else None
