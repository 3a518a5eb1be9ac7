"""The report's tables as LaTeX: the rows of the CSV files with rounded numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from ccl.pages.numbers import MISSING, format_p
from ccl.report.tables import records
from ccl.results.gather import Evaluation
from ccl.results.latex import JUDGED, careful, judged, latex_table, mean_over, mean_std, over

Row = Mapping[str, Any]


def latex_tables(tables: Mapping[str, pd.DataFrame], evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """Return the tables for a paper by the names of their CSV files; a table without rows is left out.

    Parameters
    ----------
    tables : mapping
        What :func:`ccl.report.tables.make_tables` returns.
    evaluations : sequence of Evaluation
        What the tables are made of; captions name their folds, synthetic cohorts and random encoder weights.
    """
    written = {}
    for name, (caption, columns) in CONTENT.items():
        rows = records(tables[name])
        if rows:
            cells = [[write(row) for write in columns.values()] for row in rows]
            said = [judged(protocol) for protocol in JUDGED if protocol in set(_protocols(rows))]
            means = {"over": over(evaluations), "mean_over": mean_over(evaluations)}
            whole = " ".join([caption.format(**means), *said]) + careful(evaluations)
            written[name] = latex_table(pd.DataFrame(cells, columns=list(columns)), whole, f"tab:{name}")
    return written


def _protocols(rows: Sequence[Row]) -> list[str]:
    return [row["protocol"] for row in rows if "protocol" in row]


def _text(key: str) -> Callable[[Row], str]:
    return lambda row: MISSING if row[key] in (None, "none") else str(row[key])


def _number(key: str, digits: int = 3) -> Callable[[Row], str]:
    return lambda row: mean_std(row[key], None, digits)


def _interval(key: str, lower: str, upper: str, form: str = ".3f") -> Callable[[Row], str]:
    def write(row: Row) -> str:
        if row[key] is None:
            return MISSING
        limits = "" if row[lower] is None else f" [{row[lower]:{form}}, {row[upper]:{form}}]"
        return f"{row[key]:{form}}{limits}"

    return write


def _p(key: str) -> Callable[[Row], str]:
    return lambda row: MISSING if row[key] is None else format_p(row[key])


def _pair(side: str) -> Callable[[Row], str]:
    def write(row: Row) -> str:
        model, encoder = row[f"{side}_model"], row[f"{side}_encoder"]
        return f"{model}" if encoder == "none" else f"{model} with {encoder}"

    return write


NAMED = {"Cohort": _text("cohort"), "Model": _text("model"), "Features": _text("encoder")}
BY_PROTOCOL = {**NAMED, "Protocol": _text("protocol")}
POOLED = _interval("pooled", "lower", "upper")

CONTENT: dict[str, tuple[str, dict[str, Callable[[Row], str]]]] = {
    "c_index": (
        "C-index on test patients: mean ± standard deviation over {mean_over}; pooled: one C-index of all test "
        "patients.",
        {
            **BY_PROTOCOL,
            "C-index": lambda row: mean_std(row["c_index"], row["std"], 3),
            "Pooled": _number("pooled"),
        },
    ),
    "kaplan_meier": (
        "Survival of the patients above (high) and below the median of the risks pooled from the test patients of "
        "{over}: log-rank test, and Cox hazard ratio of high to low with its 95 % interval.",
        {
            **BY_PROTOCOL,
            "High": _text("n_high"),
            "Low": _text("n_low"),
            "Hazard ratio": _interval("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper", ".2f"),
            "p": _p("log_rank_p"),
        },
    ),
    "t_test": (
        "Predicted risk of test patients of {over} who died by the split, compared with that of patients known to be "
        "alive beyond it (Welch's t-test).",
        {
            **BY_PROTOCOL,
            "Split (months)": _number("split_months", 1),
            "Died": _text("n_short"),
            "Alive": _text("n_long"),
            "t": _number("t", 2),
            "p": _p("p"),
        },
    ),
    "statistics": (
        "All test patients of {over} together: C-index with its 95 % bootstrap interval over patients, Uno's C, "
        "integrated Brier score (lower is better) and that of one Kaplan-Meier curve for all.",
        {
            **BY_PROTOCOL,
            "C-index": POOLED,
            "Uno's C": _number("uno"),
            "Brier": _number("integrated_brier"),
            "Kaplan-Meier": _number("integrated_brier_kaplan_meier"),
        },
    ),
    "alignment": (
        "Share of clusters without a patch, and mean L2 distance between the cluster centres of two training patients "
        "in one place before and after alignment, mean over {over}.",
        {
            **NAMED,
            "Empty": lambda row: f"{100 * row['empty_clusters']:.1f} %",
            "Before": _number("distance_before", 2),
            "After": _number("distance_after", 2),
        },
    ),
    "comparisons": (
        "Difference in pooled C-index between two models, first minus second, on the same bootstrap resamples of the "
        "patients that both were tested on, with its 95 % interval; p corrected for the pairs of the cohort (Holm).",
        {
            "Cohort": _text("cohort"),
            "First": _pair("first"),
            "Second": _pair("second"),
            "Patients": _text("n_patients"),
            "Difference": _interval("difference", "lower", "upper", "+.3f"),
            "p": _p("p_holm"),
        },
    ),
}
"""Caption and columns of each table, by the name of its CSV file."""
