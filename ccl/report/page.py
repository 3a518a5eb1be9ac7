"""The page of the report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import yaml
from markupsafe import Markup

from ccl.cohort.words import notes
from ccl.config.sections import ReportSettings
from ccl.evaluate import PROTOCOLS
from ccl.io.files import records
from ccl.methods import METHODS
from ccl.pages.html import render
from ccl.pages.provenance import provenance
from ccl.report.added import describe
from ccl.report.characteristics import Characteristics
from ccl.report.comparisons import ALL_PAIRS_OF
from ccl.report.components import components
from ccl.report.external import Validation
from ccl.report.figures import figure_name
from ccl.report.latex import cell
from ccl.report.patients import Explained
from ccl.report.tables import SHOWN, headline, statistics
from ccl.results.choices import choices
from ccl.results.gather import Cohort, Evaluation, caveats_of, evaluations_of, protocols_of, warnings_of
from ccl.source import words
from ccl.train.learning import LEAST_C_INDEX
from ccl.wsi.encoders import ENCODERS


def render_report(
    cohorts: Sequence[Cohort],
    tables: Mapping[str, pd.DataFrame],
    drawn: Mapping[str, Markup],
    *,
    config: Mapping[str, Any],
    settings: ReportSettings,
    explained: Sequence[Explained] = (),
    characteristics: Sequence[Characteristics] = (),
    external: Sequence[Validation] = (),
    folder: Path,
) -> str:
    """Return the whole page.

    Parameters
    ----------
    cohorts : sequence of Cohort
        As :func:`ccl.results.gather.gather` reads them.
    tables : mapping
        The tables of :func:`ccl.report.tables.make_tables`.
    drawn : mapping
        Figures by name, as elements of the page.
    config : mapping
        The workflow's config.
    settings : ReportSettings
        Title of the page.
    explained : sequence of Explained
        Single patients, as :func:`ccl.report.patients.read_explained` reads them.
    characteristics : sequence of Characteristics
        Of cohorts, as :func:`ccl.report.characteristics.read_characteristics` reads them.
    external : sequence of Validation
        Bundles validated on other cohorts.
    folder : Path
        Folder of the page, from which other pages are linked.
    """
    evaluations = evaluations_of(cohorts)
    return render(
        "report.html",
        "ccl.report",
        title=settings.title,
        cohorts=[_cohort(cohort, drawn, folder) for cohort in cohorts],
        characteristics={one.cohort: one for one in characteristics},
        names=[cohort.name for cohort in cohorts],
        protocols=protocols_of(cohorts),
        methods=list(dict.fromkeys(evaluation.title for evaluation in evaluations)),
        headline=headline(cohorts),
        added=[describe(cohort, drawn) for cohort in cohorts],
        caveats_of=caveats_of,
        results=[
            (one.full_title if len(cohorts) > 1 else one.title, one.facts["protocols"]["last"]) for one in evaluations
        ],
        c_index_figure=drawn["c_index"],
        without_c_index=_without_c_index(evaluations),
        **warnings_of(evaluations),
        least_c_index=LEAST_C_INDEX,
        protocol=_protocol(evaluations),
        differences=_differences(cohorts, tables["comparisons"]),
        alignment=_alignment(tables["alignment"], evaluations),
        excluded=tables["excluded_slides"].to_dict("records"),
        left_out=_left_out(tables["left_out_patients"]),
        tested=_tested(cohorts, tables),
        explained=explained,
        external=[one.shown(folder) for one in external],
        inputs=tables["inputs"].to_dict("records"),
        citations=_citations(evaluations),
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True) if config else "",
        **provenance(run["versions"] for one in evaluations for run in one.runs),
    )


def _alignment(table: pd.DataFrame, evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Return a row for each evaluation that reads clusters, with its title and caveats."""
    rows = records(table)
    reading = [evaluation for evaluation in evaluations if evaluation.facts["k"] is not None]
    return [{**row, "title": e.title, "caveats": e.caveats} for row, e in zip(rows, reading, strict=True)]


def _cohort(cohort: Cohort, drawn: Mapping[str, Markup], folder: Path) -> dict[str, Any]:
    sheet = cohort.contact_sheet
    source = words.notes(cohort.source) if cohort.source else []
    return {
        "name": cohort.name,
        "summary": cohort.summary,
        "notes": [*source, *notes(cohort.summary), *cohort.summary.get("imbalance", ())],
        "synthetic": cohort.synthetic,
        "excluded": len(cohort.excluded),
        "coverage": cohort.coverage,
        "contact_sheet": quote(Path(os.path.relpath(sheet, folder)).as_posix()) if sheet else "",
        "methods": [_method(evaluation, drawn) for evaluation in cohort.evaluations],
    }


def _method(evaluation: Evaluation, drawn: Mapping[str, Markup]) -> dict[str, Any]:
    return {
        "title": evaluation.title,
        "method": evaluation.method,
        "encoder": evaluation.encoder,
        "caveats": evaluation.caveats,
        "protocols": evaluation.protocols,
        "choices": choices(evaluation.method, evaluation.runs[0]["hyper"]),
        "facts": evaluation.facts,
        "statistics": _statistics(evaluation),
        "run": evaluation.runs[0],
        "folds": _folds(evaluation),
        "seeds": _seeds(evaluation),
        "components": components(evaluation, drawn),
        "figures": {
            "learning_curve": drawn[figure_name(evaluation, "learning_curve")],
            "calibration": drawn.get(figure_name(evaluation, "calibration")),
            **{
                kind: {protocol: drawn[figure_name(evaluation, kind, protocol)] for protocol in PROTOCOLS}
                for kind in ("kaplan_meier", "t_test")
            },
        },
    }


def _statistics(evaluation: Evaluation) -> list[tuple[str, list[str]]]:
    """Return the statistics of all test patients together: heading, and a cell for each protocol."""
    found = {name: evaluation.facts["protocols"][name] for name in evaluation.protocols}
    rows = {name: statistics(facts) | facts["kaplan_meier"] for name, facts in found.items()}
    return [(cell(shown.row, rows["last"]), [cell(shown.form, row) for row in rows.values()]) for shown in SHOWN]


def _folds(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row for each fold, seeds averaged: its test patients, and C-index and epochs under each protocol."""
    rows: dict[int, dict[str, Any]] = {}
    for protocol in evaluation.protocols:
        for score in evaluation.facts["protocols"][protocol]["folds"]:
            row = rows.setdefault(score["fold"], {key: score[key] for key in ("fold", "n_test", "n_events")})
            row.setdefault(protocol, []).append(score)
    for row in rows.values():
        for protocol in evaluation.protocols:
            scores = row[protocol]
            numbers = [score["c_index"] for score in scores if score["c_index"] is not None]
            row[protocol] = {
                "c_index": sum(numbers) / len(numbers) if numbers else None,
                "epochs": ", ".join(str(score["epoch"]) for score in scores),
            }
    return list(rows.values())


def _seeds(evaluation: Evaluation) -> dict[int, dict[str, float | None]]:
    """Return the mean over folds of each seed under each protocol; nothing for a single seed."""
    rows: dict[int, dict[str, float | None]] = {}
    for protocol in evaluation.protocols:
        for row in evaluation.facts["protocols"][protocol]["seeds"]:
            rows.setdefault(row["seed"], {})[protocol] = row["mean"]
    return rows if len(rows) > 1 else {}


def _without_c_index(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Return the folds that have no C-index, which are the same under every protocol."""
    return [
        {"cohort": evaluation.cohort, "model": evaluation.model, **row}
        for evaluation in evaluations
        for row in _folds(evaluation)
        if row["last"]["c_index"] is None
    ]


def _protocol(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Return what the box on the protocol shows: counts of folds, seeds and epochs, and the source of intervals."""
    runs = [run for evaluation in evaluations for run in evaluation.runs]
    return {
        "folds": _range(len(evaluation.runs) for evaluation in evaluations),
        "seeds": _range(len(evaluation.seeds) for evaluation in evaluations),
        "epochs": _range(run["settings"]["epochs"] for run in runs),
        "inner": _range(f"{100 * run['settings']['inner']:g}" for run in runs if "n_inner" in run),
        "edges_from_all": any(run["settings"]["intervals_from"] == "cohort" for run in runs),
        "reads_slides": any(evaluation.encoder != "none" for evaluation in evaluations),
    }


def _range(numbers: Iterable[Any]) -> str:
    found = sorted(set(numbers))
    return " to ".join(str(number) for number in dict.fromkeys((found[0], found[-1]))) if found else ""


def _differences(cohorts: Sequence[Cohort], table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the pairs of each cohort with several models, with the models' titles."""
    found = []
    for cohort in cohorts:
        titles = {(one.model, one.encoder): one.title for one in cohort.evaluations}
        rows = records(table[table["cohort"] == cohort.name])
        pairs = [
            row | {side: titles[row[f"{side}_model"], row[f"{side}_encoder"]] for side in ("first", "second")}
            for row in rows
        ]
        reference = None if len(titles) <= ALL_PAIRS_OF else cohort.evaluations[0].title
        if pairs:
            caveats = caveats_of(cohort.evaluations)
            found.append({"name": cohort.name, "caveats": caveats, "pairs": pairs, "reference": reference})
    return found


def _tested(cohorts: Sequence[Cohort], tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Return whom the models of each cohort are tested on, if any leaves patients out or keeps incomplete ones."""
    found = []
    for cohort in cohorts if "tested" in tables else ():
        rows = records(tables["tested"][tables["tested"]["cohort"] == cohort.name])
        models = [row | {"title": one.title} for row, one in zip(rows, cohort.evaluations, strict=bool(rows))]
        if models:
            differ = len({(row["n_patients"], row["n_events"]) for row in models}) > 1
            found.append({"name": cohort.name, "models": models, "differ": differ})
    return found


def _left_out(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row for each patient and reason, with the models that it holds for."""
    keys = ["cohort", "patient_id", "reason"]
    rows = table.groupby(keys, sort=False)["model"].agg(lambda models: ", ".join(dict.fromkeys(models)))
    listed: list[Any] = rows.rename("methods").reset_index().to_dict("records")
    return listed


def _citations(evaluations: Sequence[Evaluation]) -> list[tuple[str, str]]:
    """Return the citation of each method and encoder that the registries know."""
    known = {name: item.citation for name, item in (METHODS | ENCODERS).items()}
    encoders = [name for e in evaluations for name in (e.encoder, e.facts["features_encoder"])]
    used = dict.fromkeys([*(e.method for e in evaluations), *encoders])
    return [(name, known[name]) for name in used if name in known]
