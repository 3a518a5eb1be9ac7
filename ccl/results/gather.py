"""Reading what the stages wrote under ``results/``; docs/formats.md describes the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.added.words import Reads, reads_of
from ccl.evaluate import INNER
from ccl.io.covariates import CODING
from ccl.io.errors import InputError
from ccl.io.files import digest, read_json, read_table
from ccl.io.formats import Genomics, ManifestRow, Vectors, newest_rows
from ccl.methods import get_method
from ccl.results.added import Added, read_added
from ccl.results.components import Components, read_components
from ccl.results.coverage import Coverage, read_coverage
from ccl.results.described import Described, check_described
from ccl.train.learning import NOT_TRAINED, has_learnt
from ccl.wsi.encoders.published import Made, made_from

PROTOCOLS_SHOWN = ("last", INNER, "best-on-test")
"""Protocols in the order of every table; those without a choice on test patients come first."""

ENTRIES = ("cohort", "encoder", "model", "method", "weights", "synthetic", "k", "empty_clusters", "protocols")
"""Entries that every ``evaluation.json`` of this version has."""


@dataclass(frozen=True)
class Evaluation(Described):
    """What ``train`` and ``evaluate`` wrote for one model, encoder and cohort; the facts are ``evaluation.json``."""

    risks: pd.DataFrame
    curves: pd.DataFrame
    calibration: pd.DataFrame
    runs: tuple[Mapping[str, Any], ...]
    """``run.json`` of each fold."""
    history: pd.DataFrame
    """``history.csv`` of all folds, with a column ``fold``."""
    components: Components | None = None
    """The model's knowledge components; None if the stage ``components`` was not run for it."""
    added: Added | None = None
    """What the model adds to covariates; None if its cohort has none."""

    @property
    def name(self) -> str:
        """Name of the evaluation; the names of its figures start with it."""
        return ".".join(self.key)

    @property
    def reads(self) -> Reads:
        """Whether the model reads the covariates, and whether it reads anything else."""
        return reads_of(get_method(self.method, clinical="covariates" in self.runs[0]).reads)

    @property
    def learnt(self) -> bool:
        """Whether the model has learnt to order its training patients."""
        return has_learnt(self.history)

    @property
    def caveats(self) -> list[str]:
        """Warnings shown beside every number and figure."""
        return [*super().caveats, *([] if self.learnt else [NOT_TRAINED])]

    @property
    def track(self) -> str:
        """Whether the model was trained by the config's recipe (``unified``) or its authors' (``native``)."""
        return str(self.runs[0].get("track", "unified"))

    @property
    def seeds(self) -> list[int]:
        """Seeds that each fold was trained with."""
        return [int(row["seed"]) for row in self.facts["protocols"]["last"]["seeds"]]

    @property
    def protocols(self) -> list[str]:
        """Protocols of the evaluation; ``inner`` is among them if training held patients out."""
        return [name for name in PROTOCOLS_SHOWN if name in self.facts["protocols"]]

    @property
    def synthetic(self) -> bool:
        """Whether the patients are invented."""
        return bool(self.facts["synthetic"])

    @property
    def data(self) -> str:
        """Whether the patients are real, in the word of the tables."""
        return "synthetic" if self.synthetic else "real"

    @property
    def patches(self) -> str:
        """How its patches differ from those that the encoder is published for; empty if they do not."""
        return str(self.facts["patches"])

    @property
    def weights(self) -> str:
        """Source of the encoder's weights."""
        return str(self.facts["weights"])

    def folds_with_c_index(self, protocol: str = "last") -> int:
        """Return the number of folds in the mean C-index; the others have no comparable pair of test patients."""
        scores = self.facts["protocols"][protocol]["folds"]
        return len({score["fold"] for score in scores if score["c_index"] is not None})


@dataclass(frozen=True)
class InputFile:
    """A file that the user gave, or the features of all slides together, as a stage recorded it."""

    what: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Cohort:
    """One cohort and the methods evaluated on it."""

    name: str
    summary: Mapping[str, Any]
    """``summary.json``."""
    excluded: Mapping[str, str]
    """Why each excluded slide was excluded, and by which stage."""
    evaluations: tuple[Evaluation, ...]
    inputs: tuple[InputFile, ...]
    """The files that all results of the cohort were made from."""
    died: frozenset[str]
    """Patients with an observed death, tested or not."""
    contact_sheet: Path | None
    """Page of the stage ``quality``, even if it does not exist yet; None if no slide was cut into patches."""
    source: Mapping[str, Any] | None
    """``summary.json`` of the source stage; None if the cohort is not from a public download."""
    coverage: Coverage | None = None
    """The genes of its families in the omics tables; None without omics, and in results of earlier versions."""

    @property
    def synthetic(self) -> bool:
        """Whether the patients are invented."""
        return any(evaluation.synthetic for evaluation in self.evaluations)


def gather(evaluations: Sequence[Path], components: Sequence[Path] = (), added: Sequence[Path] = ()) -> list[Cohort]:
    """Read evaluations and their cohorts, in the order in which they are first named.

    Parameters
    ----------
    evaluations : sequence of Path
        Files ``evaluation.json``.
    components : sequence of Path
        Files ``components.json`` of those evaluations that have one.
    added : sequence of Path
        Files ``added.json`` of those evaluations that have one.

    Raises
    ------
    InputError
        There is no evaluation, two evaluations have the same name, or a file is missing or damaged.
    """
    if not evaluations:
        raise InputError(
            "there is nothing to report",
            expected="one evaluation.json or more that `ccl evaluate` wrote",
            todo="name the files",
        )
    decomposed = {found.key: found for found in (read_components(Path(path).parent) for path in components)}
    beside = {found.key: found for found in (read_added(Path(path).parent) for path in added)}
    members: dict[Path, list[Evaluation]] = {}
    made: dict[tuple[Path, str], dict[str, str]] = {}
    for path in evaluations:
        folder = Path(path).absolute().parents[3]
        found = _read_evaluation(Path(path).absolute(), folder)
        place = (folder, found.encoder)
        if place not in made:
            made[place] = _made(*place)
        facts = {**found.facts, **made[place]}
        whole = replace(found, facts=facts, components=decomposed.get(found.key), added=beside.get(found.key))
        members.setdefault(folder, []).append(whole)
    _check_names([one for found in members.values() for one in found])
    return [_read_cohort(folder, tuple(found)) for folder, found in members.items()]


def _check_names(evaluations: Sequence[Evaluation]) -> None:
    """Raise InputError if two evaluations have the same name, and so their figures the same files."""
    keys: dict[str, tuple[str, str, str]] = {}
    for one in evaluations:
        if one.name in keys:
            raise InputError(
                "two evaluations have the same name",
                found=f"{one.name}, of {'/'.join(keys[one.name])} and {'/'.join(one.key)}",
                expected="each evaluation once, with names that differ when joined by dots",
                todo="name each evaluation once, or rename a model without a dot",
            )
        keys[one.name] = one.key


def evaluations_of(cohorts: Sequence[Cohort]) -> list[Evaluation]:
    """Return all evaluations, cohort by cohort."""
    return [evaluation for cohort in cohorts for evaluation in cohort.evaluations]


def warnings_of(evaluations: Iterable[Evaluation]) -> dict[str, list[str]]:
    """Return what pages and captions warn of: ``synthetic`` cohorts, ``random_weights``, models that are ``idle``.

    An idle model has not learnt to order its training patients.
    """
    every = list(evaluations)
    return {
        "synthetic": list(dict.fromkeys(one.cohort for one in every if one.synthetic)),
        "random_weights": list(dict.fromkeys(one.encoder for one in every if one.weights == "random")),
        "idle": [one.full_title for one in every if not one.learnt],
    }


def caveats_of(evaluations: Iterable[Evaluation]) -> list[str]:
    """Return the caveats of any of the evaluations, each once."""
    return list(dict.fromkeys(caveat for evaluation in evaluations for caveat in evaluation.caveats))


def protocols_of(cohorts: Sequence[Cohort]) -> list[str]:
    """Return the protocols that any evaluation has, in the order of every table."""
    found = {name for evaluation in evaluations_of(cohorts) for name in evaluation.protocols}
    return [name for name in PROTOCOLS_SHOWN if name in found]


def _read_evaluation(path: Path, folder: Path) -> Evaluation:
    facts = read_json(path, required=ENTRIES, todo="run `ccl evaluate` again")
    check_described(path, facts)
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
    download = folder / "source" / "summary.json"
    source = read_json(download) if download.is_file() else None
    return Cohort(
        str(summary["cohort"]),
        summary,
        _read_excluded(folder, features),
        evaluations,
        tuple(_read_inputs(folder, {**summary.get("inputs", {}), **(source or {}).get("inputs", {})}, features)),
        _read_deaths(folder / "cohort" / "patients.csv"),
        folder / "quality" / "contact_sheet.html" if (folder / "tile").is_dir() else None,
        source,
        read_coverage(folder / "genomics"),
    )


def _read_deaths(path: Path) -> frozenset[str]:
    patients = read_table(path, required=("patient_id", "censorship"), text=("patient_id",))
    return frozenset(patients.loc[patients["censorship"] == 0, "patient_id"])


def _features(folder: Path, encoder: str) -> dict[str, ManifestRow]:
    """Return the manifest row of each slide with features, embedded or imported."""
    return _rows(path for stage in ("embed", "import") for path in (folder / stage / encoder).glob("manifest.tsv"))


def _made(folder: Path, encoder: str) -> dict[str, str]:
    """Return by which encoder and from which patches a cohort's features were made; all slides have the same."""
    used = [row.path for row in _features(folder, encoder).values() if row.status == "ok" and row.path.exists()]
    found = made_from(used[0]) if used else Made()
    return {"features_encoder": found.encoder, "made_from": found.patches, "patches": found.departure}


def _read_inputs(
    folder: Path, tables: Mapping[str, Any], features: Mapping[str, Mapping[str, ManifestRow]]
) -> list[InputFile]:
    """Return the user's files (`tables`, and more), and for each encoder one digest of the keys of all features."""
    omics, coding = folder / "genomics" / "genomics.h5", folder / "clinical" / CODING
    given = {**tables, **(Genomics.read(omics).inputs if omics.is_file() else {})}
    if coding.is_file():
        given["clinical"] = read_json(coding, required=("inputs",))["inputs"]["table"]
    files = [InputFile(what, row["file"], row["sha256"]) for what, rows in given.items() for row in rows]
    for path in (folder / "vectors" / encoder / "vectors.h5" for encoder in features):
        if path.is_file():
            rows = Vectors.read(path).inputs["vectors"]
            files += [InputFile(f"vectors {path.parent.name}", row["file"], row["sha256"]) for row in rows]
    for encoder, slides in features.items():
        keys = sorted((slide, row.key) for slide, row in slides.items() if row.status == "ok")
        if keys:
            count = f"{len(keys)} slide" + ("" if len(keys) == 1 else "s")
            files.append(InputFile(f"features of {encoder}", count, digest(keys)))
    return files


def _read_excluded(folder: Path, features: Mapping[str, Mapping[str, ManifestRow]]) -> dict[str, str]:
    """Return the reason of each slide of the cohort that was excluded, by all of its encoders or by those named."""
    sheet = folder / "cohort" / "slides.csv"
    known = read_table(sheet, text=("slide_id",))["slide_id"].tolist() if sheet.is_file() else []
    stages = {name: _rows((folder / name / "manifests").glob("[!.]*.tsv")) for name in ("tissue", "tile")}
    reasons: dict[str, str] = {}
    for slide in known:
        # Before a slide is embedded, the earlier stages know; afterwards, what they say may be of other patches.
        own = {name: rows[slide] for name, rows in features.items() if slide in rows}
        found = own or {name: rows[slide] for name, rows in stages.items() if slide in rows}
        bad = {name: row.message for name, row in found.items() if row.status == "excluded"}
        is_part = len(bad) < len(own)
        words = [f"{message} (for {name})" if is_part else message for name, message in bad.items()]
        if words:
            reasons[slide] = "; ".join(dict.fromkeys(words))
    return reasons


def _rows(manifests: Iterable[Path]) -> dict[str, ManifestRow]:
    """Return the newest row of each slide."""
    return {slide: row for slide, (row, _) in newest_rows(manifests).items()}
