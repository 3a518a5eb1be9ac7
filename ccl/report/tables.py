"""The tables of the report: data frames that are written as CSV, and the first table of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from ccl.report.comparisons import comparisons
from ccl.results.cells import OVERALL_COLUMN, Row, fill, measure_c_index
from ccl.results.gather import Cohort, Evaluation, evaluations_of, protocols_of
from ccl.results.published import comparable, published, published_beside

NAMES = ["cohort", "encoder", "model", "method"]


def make_tables(cohorts: Sequence[Cohort]) -> dict[str, pd.DataFrame]:
    """Return every table of the report by the name of its file."""
    tables = {
        "c_index": c_index(cohorts),
        "c_index_folds": _per_protocol(cohorts, FOLD_COLUMNS, lambda found: found["folds"]),
        "kaplan_meier": _per_protocol(cohorts, LOG_RANK_COLUMNS, lambda found: [found["kaplan_meier"]]),
        "statistics": _per_protocol(cohorts, STATISTICS_COLUMNS, lambda found: [_statistics(found)]),
        "times": _per_protocol(cohorts, TIMES_COLUMNS, lambda found: found["months"]),
        "t_test": _per_protocol(cohorts, T_TEST_COLUMNS, lambda found: [found["t_test"]]),
        "alignment": alignment(cohorts),
        "comparisons": comparisons(cohorts),
        "cohorts": cohort_counts(cohorts),
        "excluded_slides": excluded_slides(cohorts),
        "left_out_patients": left_out_patients(cohorts),
        "inputs": inputs(cohorts),
    }
    compared = compare_published(cohorts)
    return tables | ({"published": compared} if len(compared) else {})


FOLD_COLUMNS = ["fold", "seed", "epoch", "c_index", "n_test", "n_events"]
LOG_RANK_COLUMNS = [
    "cut", "n_high", "n_low", "log_rank_statistic", "log_rank_p",
    "hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper",
]  # fmt: skip
STATISTICS_COLUMNS = [
    "pooled", "lower", "upper", "uno", "tau_months", "integrated_brier", "integrated_brier_kaplan_meier", "brier_skill",
    "from_months", "to_months",
]  # fmt: skip
TIMES_COLUMNS = ["months", "n_dead", "n_alive", "auc", "brier", "brier_kaplan_meier", "reason"]
T_TEST_COLUMNS = ["split_months", "split_from", "n_short", "n_long", "n_unknown", "t", "p"]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, with None for empty cells."""
    rows: list[Any] = table.astype(object).where(table.notna(), None).to_dict("records")
    return rows


def c_index(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the mean C-indices: a row for each cohort, model and protocol, with the source of its data.

    If any model was trained with several seeds, there are two more columns: their number and the spread over them.
    """
    evaluations = evaluations_of(cohorts)
    several = any(len(evaluation.seeds) > 1 for evaluation in evaluations)
    rows = []
    for evaluation in evaluations:
        for protocol, found in evaluation.facts["protocols"].items():
            folds, scored = {row["fold"] for row in found["folds"]}, evaluation.folds_with_c_index(protocol)
            rows.append(
                {
                    **_names(evaluation),
                    "protocol": protocol,
                    "c_index": found["mean"],
                    "std": found["std"],
                    **({"seeds": len(found["seeds"]), "std_over_seeds": found["std_over_seeds"]} if several else {}),
                    "pooled": found["pooled"],
                    "folds": scored,
                    "folds_without": len(folds) - scored,
                    **_origin(evaluation),
                }
            )
    return pd.DataFrame(rows)


def _names(evaluation: Evaluation) -> dict[str, str]:
    return {name: str(evaluation.facts[name]) for name in NAMES}


def _statistics(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statistics of the pooled out-of-fold risks of one protocol, in one row."""
    interval, uno, brier = found["pooled_interval"], found["uno"], found["integrated_brier"]
    return {
        "pooled": found["pooled"],
        "lower": interval["lower"],
        "upper": interval["upper"],
        "uno": uno["c_index"],
        "tau_months": uno["tau_months"],
        "integrated_brier": brier["score"],
        "integrated_brier_kaplan_meier": brier["kaplan_meier"],
        "brier_skill": brier["skill"],
        "from_months": brier["from_months"],
        "to_months": brier["to_months"],
    }


def _per_protocol(
    cohorts: Sequence[Cohort], columns: list[str], rows_of: Callable[[Any], list[dict[str, Any]]]
) -> pd.DataFrame:
    rows = [
        {**_names(evaluation), "protocol": protocol, **row}
        for evaluation in evaluations_of(cohorts)
        for protocol, found in evaluation.facts["protocols"].items()
        for row in rows_of(found)
    ]
    return pd.DataFrame(rows, columns=[*NAMES, "protocol", *columns])


WHEN = ("before", "after")
ALIGNMENT_COLUMNS = [
    "empty_clusters", "distance_before", "distance_after", "published_before", "published_after", "data", "weights",
]  # fmt: skip


def alignment(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the share of empty clusters, and distances between cluster centres before and after alignment (Table V).

    There is a row for each evaluation that reads clusters; without alignment it has no distances.
    """
    rows = []
    for evaluation in evaluations_of(cohorts):
        if evaluation.facts["k"] is not None:
            compares = evaluation.method == "ccl" and comparable(evaluation)
            theirs = {when: published(5, when, evaluation.encoder, evaluation.cohort) for when in WHEN}
            shown = {when: number.mean if number and compares else None for when, number in theirs.items()}
            rows.append(
                {
                    **_names(evaluation),
                    "empty_clusters": evaluation.facts["empty_clusters"],
                    **{f"distance_{when}": evaluation.facts[f"distance_{when}_alignment"] for when in WHEN},
                    **{f"published_{when}": shown[when] for when in WHEN},
                    **_origin(evaluation),
                }
            )
    return pd.DataFrame(rows, columns=[*NAMES, *ALIGNMENT_COLUMNS])


def _origin(evaluation: Evaluation) -> dict[str, str]:
    """Return the source of an evaluation's data."""
    return {"data": evaluation.data, "weights": evaluation.weights}


def cohort_counts(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return patients, events, slides and follow-up of each cohort and fold."""
    rows = [
        {
            "cohort": cohort.name,
            "patients": cohort.summary["patients"],
            "events": cohort.summary["events"],
            "censored_share": cohort.summary["censored_share"],
            "slides": cohort.summary["slides"],
            "patients_without_slides": len(cohort.summary["patients_without_slides"]),
            "median_follow_up_months": cohort.summary["median_follow_up_months"],
            "months_max": cohort.summary["months_max"],
            **fold,
        }
        for cohort in cohorts
        for fold in cohort.summary["folds"]
    ]
    return pd.DataFrame(rows)


def excluded_slides(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the excluded slides with their reasons."""
    rows = [(cohort.name, slide, reason) for cohort in cohorts for slide, reason in cohort.excluded.items()]
    return pd.DataFrame(rows, columns=["cohort", "slide_id", "reason"])


def left_out_patients(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the patients that a model could not use."""
    rows = [
        {**_names(evaluation), "patient_id": patient, "reason": reason}
        for evaluation in evaluations_of(cohorts)
        for patient, reason in evaluation.facts["left_out"].items()
    ]
    return pd.DataFrame(rows, columns=[*NAMES, "patient_id", "reason"])


def inputs(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the input files of each cohort, with their SHA-256."""
    rows = [{"cohort": cohort.name, **vars(file)} for cohort in cohorts for file in cohort.inputs]
    return pd.DataFrame(rows, columns=["cohort", "what", "file", "sha256"])


def compare_published(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the published C-index of every evaluation that has one to compare with."""
    rows = []
    for evaluation in evaluations_of(cohorts):
        cell = published_beside(evaluation)
        if cell is not None:
            found = evaluation.facts["protocols"]["best-on-test"]
            rows.append(
                {
                    **_names(evaluation),
                    "protocol": "best-on-test",
                    "c_index": found["mean"],
                    "std": found["std"],
                    "published_method": cell.name,
                    "published_c_index": cell.mean,
                    "published_std": cell.std,
                }
            )
    return pd.DataFrame(rows)


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
