"""The tables of the report: data frames that are written as CSV, and the first table of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ccl.evaluate.patterns import COMPLETE
from ccl.report.added import ADDED, added_rows
from ccl.report.comparisons import comparisons
from ccl.results.cells import OVERALL_COLUMN, Row, fill, measure_c_index
from ccl.results.gather import Cohort, Evaluation, evaluations_of, protocols_of
from ccl.results.published import comparable, published, published_beside

NAMES = ["cohort", "encoder", "model", "method"]
FOLDS = ["fold", "seed", "epoch", "c_index", "n_test", "n_events"]
LOG_RANK = [
    "cut", "n_high", "n_low", "log_rank_statistic", "log_rank_p",
    "hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper",
]  # fmt: skip
STATISTICS = [
    "pooled", "lower", "upper", "uno", "tau_months", "integrated_brier", "integrated_brier_kaplan_meier", "brier_skill",
    "from_months", "to_months",
]  # fmt: skip


class Shown(NamedTuple):
    """A statistic as a reader sees it; a format in parts, as :func:`ccl.report.latex.cell` takes them."""

    column: str
    """Heading in the LaTeX table of statistics; empty for one that has a table of its own."""
    row: str
    """Heading on the page, a format too."""
    form: str


SHOWN = (
    Shown("C-index", "C-index, 95 % interval", "{pooled:.3f}| [{lower:.3f}, {upper:.3f}]"),
    Shown("Uno's C", "Uno’s C|, to {tau_months:.1f} months", "{uno:.3f}"),  # noqa: RUF001 (as printed)
    Shown(
        "",
        "Hazard ratio, high to low risk",
        "{hazard_ratio:.2f}| [{hazard_ratio_lower:.2f}, {hazard_ratio_upper:.2f}]",
    ),
    Shown("Brier", "Integrated Brier score", "{integrated_brier:.3f}"),
    Shown("Kaplan-Meier", "Brier score of one curve for all", "{integrated_brier_kaplan_meier:.3f}"),
)
"""The statistics of all test patients together, of the columns in :data:`STATISTICS` and :data:`LOG_RANK`."""

TESTED = ["n_patients", "n_events", "left_out", "left_out_events", "incomplete"]
PATTERNS = ["pattern", "n_patients", "n_events", "pairs", "c_index", "lower", "upper", "reason"]
TIMES = ["months", "n_dead", "n_alive", "auc", "brier", "brier_kaplan_meier", "reason"]
T_TEST = ["split_months", "split_from", "n_short", "n_long", "n_unknown", "t", "p"]
ORIGIN = ["data", "weights"]
ALIGNMENT = ["empty_clusters", "distance_before", "distance_after", "published_before", "published_after", *ORIGIN]
PUBLISHED = ["protocol", "c_index", "std", "published_method", "published_c_index", "published_std"]


def make_tables(cohorts: Sequence[Cohort]) -> dict[str, pd.DataFrame]:
    """Return every table of the report by the name of its file."""
    evaluations = evaluations_of(cohorts)

    def per_evaluation(columns: list[str], rows: Callable[[Evaluation], Iterable[Mapping[str, Any]]]) -> pd.DataFrame:
        found = [{name: str(one.facts[name]) for name in NAMES} | dict(row) for one in evaluations for row in rows(one)]
        return pd.DataFrame(found, columns=[*NAMES, *columns])

    def per_protocol(columns: list[str], rows: Callable[[Any], Iterable[Mapping[str, Any]]]) -> pd.DataFrame:
        return per_evaluation(
            ["protocol", *columns],
            lambda one: [
                {"protocol": name, **row} for name, found in one.facts["protocols"].items() for row in rows(found)
            ],
        )

    # Several seeds of any model have two columns more: their number and the spread over them.
    seeds = ["seeds", "std_over_seeds"] if any(len(one.seeds) > 1 for one in evaluations) else []
    patches = ["patches"] if any(one.patches for one in evaluations) else []
    c_index = ["protocol", "c_index", "std", *seeds, "pooled", "folds", "folds_without", "learnt", *ORIGIN, *patches]
    excluded = [(cohort.name, slide, reason) for cohort in cohorts for slide, reason in cohort.excluded.items()]
    files = [{"cohort": cohort.name, **vars(file)} for cohort in cohorts for file in cohort.inputs]
    tables = {
        "c_index": per_evaluation(c_index, _c_indices),
        "c_index_folds": per_protocol(FOLDS, lambda found: found["folds"]),
        "kaplan_meier": per_protocol(LOG_RANK, lambda found: [found["kaplan_meier"]]),
        "statistics": per_protocol(STATISTICS, lambda found: [statistics(found)]),
        "times": per_protocol(TIMES, lambda found: found["months"]),
        "t_test": per_protocol(T_TEST, lambda found: [found["t_test"]]),
        "alignment": per_evaluation(ALIGNMENT, _alignment),
        "comparisons": comparisons(cohorts),
        "cohorts": pd.DataFrame([row for cohort in cohorts for row in _folds(cohort)]),
        "excluded_slides": pd.DataFrame(excluded, columns=["cohort", "slide_id", "reason"]),
        "left_out_patients": per_evaluation(
            ["patient_id", "reason"],
            lambda one: [{"patient_id": name, "reason": why} for name, why in one.facts["left_out"].items()],
        ),
        "inputs": pd.DataFrame(files, columns=["cohort", "what", "file", "sha256"]),
    }
    some = {
        "published": per_evaluation(PUBLISHED, _compare_published),
        "added": per_evaluation(ADDED, added_rows),
        "tested": pd.DataFrame([row for cohort in cohorts for row in _tested(cohort)], columns=[*NAMES, *TESTED]),
        "patterns": per_protocol(PATTERNS, lambda found: found.get("patterns", [])),
    }
    return tables | {name: table for name, table in some.items() if len(table)}


def _c_indices(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the mean C-index under each protocol."""
    return [
        {
            "protocol": protocol,
            "c_index": found["mean"],
            **{name: found[name] for name in ("std", "std_over_seeds", "pooled")},
            "seeds": len(found["seeds"]),
            "folds": evaluation.folds_with_c_index(protocol),
            "folds_without": len(evaluation.runs) - evaluation.folds_with_c_index(protocol),
            "learnt": "yes" if evaluation.learnt else "no",
            **_origin(evaluation),
            "patches": evaluation.patches,
        }
        for protocol, found in evaluation.facts["protocols"].items()
    ]


def _origin(evaluation: Evaluation) -> dict[str, str]:
    """Return the source of an evaluation's data."""
    return {"data": evaluation.data, "weights": evaluation.weights}


def statistics(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statistics of the pooled out-of-fold risks of one protocol."""
    interval, uno, brier = found["pooled_interval"], found["uno"], found["integrated_brier"]
    return {
        "pooled": found["pooled"],
        **{name: interval[name] for name in ("lower", "upper")},
        "uno": uno["c_index"],
        "tau_months": uno["tau_months"],
        "integrated_brier": brier["score"],
        "integrated_brier_kaplan_meier": brier["kaplan_meier"],
        "brier_skill": brier["skill"],
        **{name: brier[name] for name in ("from_months", "to_months")},
    }


def _alignment(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the share of empty clusters and the distances between cluster centres of Table V.

    There is no row if the method reads no clusters; without alignment there are no distances.
    """
    if evaluation.facts["k"] is None:
        return []
    compares = evaluation.method == "ccl" and comparable(evaluation)
    row = {"empty_clusters": evaluation.facts["empty_clusters"], **_origin(evaluation)}
    for when in ("before", "after"):
        theirs = published(5, when, evaluation.encoder, evaluation.cohort) if compares else None
        row[f"distance_{when}"] = evaluation.facts[f"distance_{when}_alignment"]
        row[f"published_{when}"] = theirs.mean if theirs else None
    return [row]


def _folds(cohort: Cohort) -> list[dict[str, Any]]:
    """Return patients, events, slides and follow-up of each fold."""
    whole = cohort.summary
    counts = {name: whole[name] for name in ("patients", "events", "censored_share", "slides")}
    counts["patients_without_slides"] = len(whole["patients_without_slides"])
    counts |= {name: whole[name] for name in ("median_follow_up_months", "months_max")}
    return [{"cohort": cohort.name, **counts, **fold} for fold in whole["folds"]]


def _tested(cohort: Cohort) -> list[dict[str, Any]]:
    """Return whom each model of a cohort is tested on, and whom it leaves out; nothing if all have the same patients.

    ``incomplete`` are those of the tested who lack slides or omics tables.
    """
    rows = [_whom(cohort, evaluation) for evaluation in cohort.evaluations]
    return rows if any(row["left_out"] or row["incomplete"] for row in rows) else []


def _whom(cohort: Cohort, evaluation: Evaluation) -> dict[str, Any]:
    facts = evaluation.facts
    patterns = facts["protocols"]["last"].get("patterns", [])
    return {
        **{name: str(facts[name]) for name in NAMES},
        **{name: facts[name] for name in ("n_patients", "n_events")},
        "left_out": len(facts["left_out"]),
        "left_out_events": len(cohort.died & set(facts["left_out"])),
        "incomplete": sum(row["n_patients"] for row in patterns if row["pattern"] != COMPLETE),
    }


def _compare_published(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the published C-index, if there is one to compare with."""
    theirs, found = published_beside(evaluation), evaluation.facts["protocols"]["best-on-test"]
    own = {"protocol": "best-on-test", "c_index": found["mean"], "std": found["std"]}
    if theirs is None:
        return []
    return [{**own, "published_method": theirs.name, "published_c_index": theirs.mean, "published_std": theirs.std}]


def headline(cohorts: Sequence[Cohort]) -> list[dict[str, Any]]:
    """Return the rows of the page's first table: models down, cohorts and protocols across.

    Models of one method and encoder are together, and below them the published numbers that compare with any of them.

    Returns
    -------
    list of dict
        ``row``, ``places`` (for each cohort, and the mean over several cohorts, its cells by protocol) and
        ``published`` (the publication's name of the method in a row of published numbers, else empty).
    """
    evaluations, protocols = evaluations_of(cohorts), protocols_of(cohorts)
    rows = dict.fromkeys(Row(e.model, e.model, e.encoder, paper=(1, e.method)) for e in evaluations)
    columns = [cohort.name for cohort in cohorts] + [OVERALL_COLUMN] * (len(cohorts) > 1)
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        cells = fill([row], columns, evaluations, measure_c_index, protocols, compares=comparable)
        places = [cells[place :: len(columns)] for place in range(len(columns))]
        groups.setdefault((row.paper[1], row.encoder), []).append({"row": row, "places": places, "published": ""})
    return [line for own in groups.values() for line in (*own, *_published_line(own))]


def _published_line(own: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the row below the models of one method: in each place the first published number, if there is any."""
    row = own[0]["row"]
    places = [
        [next((cell for cell in cells if cell["published"] is not None), cells[0]) for cells in zip(*same, strict=True)]
        for same in zip(*(line["places"] for line in own), strict=True)
    ]
    beside = [cell["cohort"] for cells in places for cell in cells if cell["published"] is not None]
    theirs = row.published(beside[0]) if beside else None
    return [{"row": row, "places": places, "published": theirs.name}] if theirs else []
