"""The report's tables as LaTeX: the rows of the CSV files with rounded numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

import pandas as pd

from ccl.io.files import records
from ccl.pages.numbers import MISSING, format_p
from ccl.report.tables import SHOWN
from ccl.results.gather import Evaluation
from ccl.results.latex import JUDGED, careful, judged, latex_table, mean_over, over

NAMES = {"Cohort": "{cohort}", "Model": "{model}", "Features": "{encoder}"}
BY_PROTOCOL = {**NAMES, "Protocol": "{protocol}"}

TABLES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "added": (
        "What models add to clinical covariates, on the same test patients. C-index of the covariates alone, of the "
        "model alone and of both: mean over {over}, from Cox models fitted to other folds. Difference: both minus "
        "covariates, or model minus covariates if the model reads the covariates, with its 95 % bootstrap interval "
        "over patients. p: likelihood-ratio test for adding the risk to the covariates. Hazard ratio: per standard "
        "deviation of the risk. Uno's C and Brier score: of both.",
        {
            **BY_PROTOCOL,
            "Covariates": "{c_clinical:.3f}",
            "Model alone": "{c_model:.3f}",
            "Both": "{c_both:.3f}",
            "Difference": "{difference:+.3f}| [{lower:+.3f}, {upper:+.3f}]",
            "p": "{likelihood_ratio_p:p}",
            "Hazard ratio": "{hazard_ratio:.2f}| [{hazard_ratio_lower:.2f}, {hazard_ratio_upper:.2f}]",
            "Uno's C": "{uno_both:.3f}",
            "Brier": "{brier_both:.3f}",
        },
    ),
    "c_index": (
        "C-index on test patients: mean ± standard deviation over {mean_over}; pooled: one C-index of all test "
        "patients.",
        {**BY_PROTOCOL, "C-index": "{c_index:.3f}| ± {std:.3f}", "Pooled": "{pooled:.3f}"},
    ),
    "kaplan_meier": (
        "Survival of the patients above (high) and below the median of the risks pooled from the test patients of "
        "{over}: log-rank test, and Cox hazard ratio of high to low with its 95 % interval.",
        {
            **BY_PROTOCOL,
            "High": "{n_high}",
            "Low": "{n_low}",
            "Hazard ratio": "{hazard_ratio:.2f}| [{hazard_ratio_lower:.2f}, {hazard_ratio_upper:.2f}]",
            "p": "{log_rank_p:p}",
        },
    ),
    "t_test": (
        "Predicted risk of test patients of {over} who died by the split, compared with that of patients known to be "
        "alive beyond it (Welch's t-test).",
        {
            **BY_PROTOCOL,
            "Split (months)": "{split_months:.1f}",
            "Died": "{n_short}",
            "Alive": "{n_long}",
            "t": "{t:.2f}",
            "p": "{p:p}",
        },
    ),
    "statistics": (
        "All test patients of {over} together: C-index with its 95 % bootstrap interval over patients, Uno's C, "
        "integrated Brier score (lower is better) and that of one Kaplan-Meier curve for all.",
        {
            **BY_PROTOCOL,
            **{shown.column: shown.form for shown in SHOWN if shown.column},
        },
    ),
    "alignment": (
        "Share of clusters without a patch, and mean L2 distance between the cluster centres of two training patients "
        "in one place before and after alignment, mean over {over}.",
        {
            **NAMES,
            "Empty": "{empty_clusters:percent}",
            "Before": "{distance_before:.2f}",
            "After": "{distance_after:.2f}",
        },
    ),
    "comparisons": (
        "Difference in pooled C-index between two models, first minus second, on the same bootstrap resamples of the "
        "patients that both were tested on, with its 95 % interval; p corrected for the pairs of the cohort (Holm).",
        {
            "Cohort": "{cohort}",
            "First": "{first_model}| with {first_encoder}",
            "Second": "{second_model}| with {second_encoder}",
            "Patients": "{n_patients}",
            "Difference": "{difference:+.3f}| [{lower:+.3f}, {upper:+.3f}]",
            "p": "{p_holm:p}",
        },
    ),
}
"""Caption and columns of each table, by the name of its CSV file.

A column is a format of the table's rows in parts, separated by ``|``.  The cell is a dash if a value of the first part
is missing; another part is left out if a value of it is missing.
"""


class _CellFormatter(Formatter):
    """Formats with two more specifications: ``p`` for p-values and ``percent``."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "p":
            return format_p(value)
        return f"{100 * value:.1f} %" if format_spec == "percent" else str(super().format_field(value, format_spec))


def latex_tables(tables: Mapping[str, pd.DataFrame], evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """Return the tables for a paper by the names of their CSV files; a table without rows is left out.

    Parameters
    ----------
    tables : mapping
        What :func:`ccl.report.tables.make_tables` returns.
    evaluations : sequence of Evaluation
        What the tables are made of; captions name their folds, synthetic cohorts and random encoder weights.
    """
    means = {"over": over(evaluations), "mean_over": mean_over(evaluations)}
    written = {}
    for name, (caption, columns) in TABLES.items():
        rows = records(tables[name]) if name in tables else []
        if rows:
            cells = [[cell(form, row) for form in columns.values()] for row in rows]
            shown = {row.get("protocol") for row in rows}
            sentences = [caption.format(**means), *(judged(protocol) for protocol in JUDGED if protocol in shown)]
            whole = " ".join(sentences) + careful(evaluations)
            written[name] = latex_table(pd.DataFrame(cells, columns=list(columns)), whole, f"tab:{name}")
    return written


def cell(form: str, row: Mapping[str, Any]) -> str:
    """Return a cell: a format in parts, filled in from a row, as :data:`TABLES` has them."""
    text = ""
    for part in form.split("|"):
        keys = [key for _, key, _, _ in Formatter().parse(part) if key]
        if not any(row[key] in (None, "none") for key in keys):
            text += _CellFormatter().format(part, **row)
        elif not text:
            return MISSING
    return text
