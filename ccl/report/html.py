"""The page: what the template shows, and rendering it."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ccl.config.sections import ReportSettings
from ccl.evaluate import PROTOCOLS
from ccl.methods import METHODS
from ccl.pages.provenance import git_commit, software
from ccl.report.choices import choices
from ccl.report.comparisons import ALL_PAIRS_OF
from ccl.report.components import components
from ccl.report.figures import figure_name, format_p
from ccl.report.patients import Explained
from ccl.report.tables import evaluations_of, headline, protocols_of
from ccl.report.thumbnails import gallery
from ccl.results.gather import Cohort, Evaluation
from ccl.results.latex import MISSING
from ccl.wsi.encoders import ENCODERS

MINUS = "−"  # noqa: RUF001 (the sign of a printed number, as wide as its plus)


def render(
    cohorts: Sequence[Cohort],
    tables: Mapping[str, pd.DataFrame],
    drawn: Mapping[str, Markup],
    *,
    config: Mapping[str, Any],
    settings: ReportSettings,
    explained: Sequence[Explained] = (),
    folder: Path,
) -> str:
    """Return the whole page.

    Parameters
    ----------
    cohorts : sequence of Cohort
        What :func:`ccl.results.gather.gather` found.
    tables : mapping
        What :func:`ccl.report.tables.make_tables` made of it.
    drawn : mapping
        Figures by name, as elements of the page.
    config : mapping
        The workflow's config.
    settings : ReportSettings
        Title of the page and length of its gallery.
    explained : sequence of Explained
        Single patients, as :func:`ccl.report.patients.read_explained` found them.
    folder : Path
        Where the page will lie; other pages are named from there.
    """
    evaluations = evaluations_of(cohorts)
    page = environment().get_template("report.html")
    return page.render(
        title=settings.title,
        cohorts=[_cohort(cohort, drawn) for cohort in cohorts],
        names=[cohort.name for cohort in cohorts],
        protocols=protocols_of(cohorts),
        methods=list(dict.fromkeys(_title(evaluation) for evaluation in evaluations)),
        headline=headline(cohorts),
        results=[
            (_title(one) + (f" on {one.cohort}" if len(cohorts) > 1 else ""), one.facts["protocols"]["last"])
            for one in evaluations
        ],
        c_index_figure=drawn["c_index"],
        without_c_index=_without_c_index(evaluations),
        synthetic=[cohort.name for cohort in cohorts if any(e.synthetic for e in cohort.evaluations)],
        random_weights=sorted({e.encoder for e in evaluations if e.random_weights}),
        protocol=_protocol(evaluations),
        differences=_differences(cohorts, tables["comparisons"]),
        alignment=_alignment(tables["alignment"], evaluations),
        excluded=tables["excluded_slides"].to_dict("records"),
        left_out=_left_out(tables["left_out_patients"]),
        explained=explained,
        thumbnails=gallery(cohorts, settings.thumbnails),
        slides=sum(len(cohort.slides) for cohort in cohorts),
        contact_sheets=_contact_sheets(cohorts, folder),
        inputs=tables["inputs"].to_dict("records"),
        software=software(evaluations),
        commit=git_commit(),
        citations=_citations(evaluations),
        config=yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True) if config else "",
        date=datetime.now(UTC),
    )


def environment(*packages: str) -> Environment:
    """Return what renders a page: the report's templates and filters, and the templates of other packages.

    A page runs one script of its own, ``page_script``, whose hash is all that its policy allows.
    """
    found = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in ("ccl.report", *packages)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(
        script=lambda name: Markup(_source(found, name)),
        script_hash=lambda name: f"sha256-{b64encode(sha256(_source(found, name).encode()).digest()).decode()}",
    )
    found.filters.update(
        c_index=lambda value: MISSING if value is None else f"{value:.3f}",
        distance=lambda value: MISSING if value is None else f"{value:.2f}",
        percent=lambda value: f"{100 * value:.1f} %",
        months=lambda value: MISSING if value is None else f"{value:.1f}",
        signed=lambda value: f"{value:+.3f}".replace("-", MINUS),
        p=format_p,
        count=lambda value: f"{value:,}".replace(",", "\u202f"),
        plural=lambda count, word: f"{count} {word}" + ("" if count == 1 else "s"),
    )
    return found


def _source(templates: Environment, name: str) -> str:
    assert templates.loader is not None
    return templates.loader.get_source(templates, name)[0]


def _plain(value: Any) -> Any:
    """Return the config as plain dicts and lists, whatever it was made of."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _alignment(table: pd.DataFrame, evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Return a row per evaluation that reads clusters, with its label and caveats; None where the table is empty."""
    rows: list[Any] = table.astype(object).where(table.notna(), None).to_dict("records")
    reading = [evaluation for evaluation in evaluations if evaluation.facts["k"] is not None]
    return [{**row, "label": e.label, "caveats": e.caveats} for row, e in zip(rows, reading, strict=True)]


def _cohort(cohort: Cohort, drawn: Mapping[str, Markup]) -> dict[str, Any]:
    return {
        "name": cohort.name,
        "summary": cohort.summary,
        "synthetic": any(evaluation.synthetic for evaluation in cohort.evaluations),
        "excluded": sum(bool(slide.reason) for slide in cohort.slides),
        "methods": [_method(evaluation, drawn) for evaluation in cohort.evaluations],
    }


def _method(evaluation: Evaluation, drawn: Mapping[str, Markup]) -> dict[str, Any]:
    return {
        "name": evaluation.name,
        "label": evaluation.label,
        "method": evaluation.method,
        "encoder": evaluation.encoder,
        "caveats": evaluation.caveats,
        "protocols": evaluation.protocols,
        "choices": choices(evaluation.method, evaluation.runs[0]["hyper"]),
        "facts": evaluation.facts,
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


def _folds(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row per fold, seeds averaged: its test patients, and C-index and epochs under each protocol."""
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
    """Return the mean over folds of each of several seeds under each protocol; nothing for a single seed."""
    rows: dict[int, dict[str, float | None]] = {}
    for protocol in evaluation.protocols:
        for row in evaluation.facts["protocols"][protocol]["seeds"]:
            rows.setdefault(row["seed"], {})[protocol] = row["mean"]
    return rows if len(rows) > 1 else {}


def _without_c_index(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Return the folds that no C-index can be computed for; it is the same ones under every protocol."""
    return [
        {"cohort": evaluation.cohort, "model": evaluation.model, **row}
        for evaluation in evaluations
        for row in _folds(evaluation)
        if row["last"]["c_index"] is None
    ]


def _protocol(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Return what the box on the protocol says: counts of folds, seeds and epochs, and whose times make intervals."""
    runs = [run for evaluation in evaluations for run in evaluation.runs]
    return {
        "folds": _range(len(evaluation.runs) for evaluation in evaluations),
        "seeds": _range(len(evaluation.seeds) for evaluation in evaluations),
        "epochs": _range(run["settings"]["epochs"] for run in runs),
        "inner": _range(f"{100 * run['settings']['inner']:g}" for run in runs if "n_inner" in run),
        "edges_from_all": any(run["settings"]["intervals_from"] == "cohort" for run in runs),
        "reads_slides": any(evaluation.encoder != "none" for evaluation in evaluations),
    }


def _range(numbers: Any) -> str:
    found = sorted(set(numbers))
    return " to ".join(str(number) for number in dict.fromkeys((found[0], found[-1]))) if found else ""


def _title(evaluation: Evaluation) -> str:
    return evaluation.label + ("" if evaluation.encoder == "none" else f" with {evaluation.encoder}")


def _differences(cohorts: Sequence[Cohort], table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each cohort with several models its pairs, named as elsewhere on the page."""
    found = []
    for cohort in cohorts:
        models = {(one.model, one.encoder): one for one in cohort.evaluations}
        rows: list[Any] = table[table["cohort"] == cohort.name].to_dict("records")
        sides = ("first", "second")
        pairs = [
            {
                **row,
                **{side: _title(models[row[f"{side}_model"], row[f"{side}_encoder"]]) for side in sides},
            }
            for row in rows
        ]
        caveats = list(dict.fromkeys(label for one in cohort.evaluations for label in one.caveats))
        reference = None if len(models) <= ALL_PAIRS_OF else _title(cohort.evaluations[0])
        if pairs:
            found.append({"name": cohort.name, "caveats": caveats, "pairs": pairs, "reference": reference})
    return found


def _contact_sheets(cohorts: Sequence[Cohort], folder: Path) -> list[tuple[str, str]]:
    """Return cohort and relative path of each page of all slides, whether or not it was made already."""
    return [
        (cohort.name, Path(os.path.relpath(cohort.contact_sheet, folder)).as_posix())
        for cohort in cohorts
        if cohort.contact_sheet
    ]


def _left_out(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row per patient and reason, with the methods that it holds for."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in table.to_dict("records"):
        key = (row["cohort"], row["patient_id"], row["reason"])
        rows.setdefault(key, {**dict(zip(("cohort", "patient_id", "reason"), key, strict=True)), "methods": []})[
            "methods"
        ].append(row["model"])
    return [{**row, "methods": ", ".join(dict.fromkeys(row["methods"]))} for row in rows.values()]


def _citations(evaluations: Sequence[Evaluation]) -> list[tuple[str, str]]:
    """Return what to cite for each method and encoder that the registries know."""
    known = {name: item.citation for name, item in (METHODS | ENCODERS).items()}
    used = dict.fromkeys([*(e.method for e in evaluations), *(e.encoder for e in evaluations)])
    return [(name, known[name]) for name in used if name in known]
