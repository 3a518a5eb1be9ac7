"""The validate stage: predictions of a bundle and follow-up in, scores, shift and page out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ccl import __version__
from ccl.config.sections import ValidateSettings
from ccl.io.covariates import Clinical, coded_files
from ccl.io.files import write_json, write_table, write_text
from ccl.io.origin import record
from ccl.pages.numbers import plural
from ccl.predict.card import CARD, Card
from ccl.predict.ensemble import Bundle, load_bundle
from ccl.predict.model_card import write_model_card
from ccl.predict.patients import Patients, match_patients, read_new
from ccl.validate import VERSION
from ccl.validate.page import for_model_card, render_validation
from ccl.validate.patients import Scored, check_deaths, read_scored
from ccl.validate.scores import add_to_covariates, drop, score
from ccl.validate.shared import find_shared, refuse_shared
from ccl.validate.shift import (
    compare_covariates,
    compare_features,
    compare_genes,
    compare_slides,
    shift_table,
    summarise_genes,
)

FEW_DEATHS = 100
"""A validation with fewer deaths is imprecise (Collins, Ogundimu and Altman, Statistics in Medicine 2016)."""


def validate_bundle(
    *,
    prediction: Path,
    bundle: Path,
    patients: Path,
    cohort: str,
    name: str,
    synthetic: bool,
    about: str = "",
    settings: ValidateSettings,
    months: Sequence[float] = (),
    genomics: Path | None = None,
    clusters: Path | None = None,
    clinical: Path | None = None,
    vectors: Path | None = None,
    slides: Path | None = None,
    manifests: Sequence[Path] = (),
    tissue: Sequence[Path] = (),
) -> None:
    """Score the predictions of a bundle, and write ``evaluation.json``, its tables and ``validation.html`` beside them.

    The model card is written there too, with the results of this validation.

    Parameters
    ----------
    prediction : Path
        Folder that ``ccl predict`` wrote.
    bundle : Path
        The bundle that made the predictions.
    patients : Path
        ``patients.csv`` of the new cohort.
    cohort, name : str
        Names of the new cohort and of the bundle.
    synthetic : bool
        Whether the new patients are synthetic.
    about : str
        Whose patients these are, for readers.
    settings : ValidateSettings
        Treatment of patients of the training.
    months : sequence of float
        As in :func:`ccl.evaluate.stage.evaluate_runs`.
    genomics, clusters, vectors, slides, manifests
        What the predictions were made from, to show how it differs from the training.
    clinical : Path, optional
        Covariates of the new cohort, even if the model does not read them.
    tissue : sequence of Path
        Manifests of the tissue stage, if the colours of slides should be compared.

    Raises
    ------
    InputError
        A file is missing or damaged, the predictions are of another bundle, nobody can be scored or nobody died, or
        there are patients of the training.
    """
    loaded = load_bundle(bundle, torch.device("cpu"))
    card = loaded.card
    scored = read_scored(prediction, card, patients)
    covariates = Clinical.read(clinical) if clinical else None
    of_method = clinical if "clinical" in card.reads else None
    tables = read_new(
        card,
        genomics=genomics,
        clusters=clusters,
        slides=slides,
        manifests=manifests,
        clinical=of_method,
        vectors=vectors,
    )
    matched = match_patients(tables, card)
    scored, shared = _treat_shared(scored, matched, card, settings)
    check_deaths(scored.table, patients)
    facts, written = score(scored, months)
    added, of_covariates = add_to_covariates(scored, covariates, months)
    internal = card.training["internal"] if card.training else None
    names = scored.table["patient_id"].tolist()
    shift, genes = _shift(loaded, replace(matched, names=tuple(names)), covariates)
    shift["slides"] = compare_slides(card, slides, manifests, tissue, names)
    facts = {
        "cohort": cohort,
        "bundle": name,
        "about": about,
        **{key: getattr(card, key) for key in ("model", "method", "encoder", "weights")},
        "synthetic": synthetic or card.synthetic,
        "trained_on": {"cohort": card.cohort, "n_patients": card.n_patients, "n_events": card.n_events},
        "bundle_sha256": card.sha256,
        "reads": list(card.reads),
        "expression": scored.prediction["expression"],
        **facts,
        "added": added,
        "internal": internal,
        "drop": drop(internal and internal["concordance"], facts["concordance"]),
        "shift": shift,
        "left_out": dict(scored.left_out),
        "shared": None if shared is None else dict(shared),
        "versions": {"ccl": __version__, "bundle": card.versions["ccl"]},
    }
    facts["warnings"] = list(_warnings(facts, settings))
    written |= of_covariates | {"shift": shift_table(shift, genes)}
    page = render_validation(facts, written)
    for table_name, table in written.items():
        write_table(prediction / f"{table_name}.csv", table, checksum=True)
    write_text(prediction / "validation.html", page)
    write_model_card(prediction, card, for_model_card(facts))
    write_json(prediction / "evaluation.json", facts, checksum=True)
    record(
        "validate",
        VERSION,
        outputs=[prediction / "evaluation.json", *(prediction / f"{name}.csv" for name in written)],
        inputs={
            "predictions": [prediction / name for name in ("risk.csv", "left_out.csv", "predict.json")],
            "bundle": [bundle / CARD],
            "patients": patients,
            "genomics": genomics,
            "clusters": clusters,
            "vectors": vectors,
            "clinical": coded_files(clinical),
            "sheet": slides,
            "manifest": [*manifests, *tissue],
        },
        settings={**asdict(settings), "months": list(months)},
    )


def _treat_shared(
    scored: Scored, matched: Patients, card: Card, settings: ValidateSettings
) -> tuple[Scored, Mapping[str, str] | None]:
    """Return the patients to score, and those of the training with how they are known; None if nothing can be found."""
    names = scored.table["patient_id"].tolist()
    shared = find_shared(card, names, matched.tables.genes_of(names))
    if settings.shared_patients == "fail":
        refuse_shared(shared or {}, card)
    return (scored.without(shared or {}) if settings.shared_patients == "exclude" else scored), shared


def _shift(bundle: Bundle, patients: Patients, covariates: Clinical | None) -> tuple[dict[str, Any], Any]:
    """Return how the patients differ from the training, without their slides; and the row of each gene."""
    training, genes = bundle.card.training or {}, compare_genes(bundle, patients)
    return {
        "recorded": bundle.card.training is not None,
        "covariates": compare_covariates(training.get("covariates"), covariates, patients.names),
        "genes": summarise_genes(genes),
        "absent_columns": list(patients.absent),
        "features": compare_features(bundle, patients),
    }, genes


def _warnings(facts: Mapping[str, Any], settings: ValidateSettings) -> Iterator[str]:
    """Yield what a reader of the numbers must know, a sentence each."""
    if facts["n_events"] < FEW_DEATHS:
        yield f"{plural(facts['n_events'], 'death')}: with fewer than {FEW_DEATHS}, the numbers are imprecise."
    if late := [f"{at['months']:g}" for at in facts["months"] if not at["n_alive"]]:
        longest = facts["follow_up"]["longest_months"]
        yield f"Follow-up ends at {longest:.4g} months, so there are no numbers for {', '.join(late)} months."
    unknown = [f"{at['months']:g}" for at in facts["months"] if at["n_alive"] and at["brier"] is None]
    if unknown:
        yield f"Survival is not predicted for {', '.join(unknown)} months: the training was not followed that long."
    if facts["shared"] is None:
        yield "The bundle has no fingerprints of its training patients, so nobody knows whether some are among these."
    elif facts["shared"]:
        fate = (
            "left out" if settings.shared_patients == "exclude" else "scored all the same, so the scores are too good"
        )
        yield f"{plural(len(facts['shared']), 'patient')} of the training: {fate}."
    if facts["internal"] is None:
        yield "The bundle is of an earlier version: its results in training and its patients are not recorded."
