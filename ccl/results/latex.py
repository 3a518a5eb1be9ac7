"""LaTeX tables for a paper, and their captions; they compile with any characters in their texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from ccl.pages.numbers import MISSING
from ccl.results.gather import Evaluation, warnings_of

PACKAGES = ("booktabs", "graphicx")
"""Packages that a document with these tables must load."""

PUBLISHED = "published"
"""Label of a row of the paper's own numbers."""

ONE_COLUMN = 4
"""Largest number of columns of a table that fits into one column of a two-column page."""

PROTECTED = {"<": "$<$", ">": "$>$", "|": "$|$", "τ": r"$\tau$", "[": "{[}", "*": "{*}"}
"""Characters that pandas does not escape: LaTeX's text fonts lack them, or they mean something after a row."""


def latex_table(table: pd.DataFrame, caption: str, label: str = "") -> str:
    r"""Return a floating table with booktabs rules, no wider than the line.

    Parameters
    ----------
    table : pd.DataFrame
        Cells as text, in the order to print; the index is left out.
    caption : str
        Plain text, like cells and headings; special characters are escaped.
    label : str
        Label for ``\ref``, special characters replaced by dashes; none if empty.

    Returns
    -------
    str
        A ``table``; if there are many columns a ``table*``, which spans both columns of a page.
    """
    cells = table.style.hide(axis="index").format(_protect, escape="latex")
    text = cells.format_index(_protect, escape="latex", axis="columns").to_latex(
        caption=_escape(caption),
        label=re.sub(r"[^\w:.-]", "-", label, flags=re.ASCII) or None,
        position="htbp",
        position_float="centering",
        environment="table" if table.shape[1] <= ONE_COLUMN else "table*",
        column_format="".join(["l", *(_alignment(table.iloc[:, place]) for place in range(1, table.shape[1]))]),
        hrules=True,
    )
    # The standard classes leave no space below a caption.  Only a table that is too wide is made smaller.
    fitted = r"\smallskip\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%" + "\n\\begin{tabular}"
    return text.replace(r"\begin{tabular}", fitted, 1).replace(r"\end{tabular}", "\\end{tabular}}", 1)


def _escape(text: str) -> str:
    """Return plain text as LaTeX, escaped as pandas escapes cells."""
    cell = pd.DataFrame([text]).style.hide(axis="index").hide(axis="columns").format(_protect, escape="latex")
    return cell.to_string().strip()


def _protect(escaped: object) -> str:
    text = str(escaped)
    for character, latex in PROTECTED.items():
        text = text.replace(character, latex)
    return text


def _alignment(column: pd.Series[str]) -> str:
    """Return ``r`` for a column of plain numbers and blanks; else ``l``, which aligns means with a deviation."""
    return "r" if column.str.fullmatch(rf"[\d.,e<\s-]*|{MISSING}").all() else "l"


def mean_std(mean: float | None, std: float | None, digits: int = 4) -> str:
    """Return a mean with its standard deviation, if there is one; a dash for None."""
    if mean is None:
        return MISSING
    return f"{mean:.{digits}f}" + ("" if std is None else f" ± {std:.{digits}f}")


JUDGED = {
    "last": "judged after the last epoch",
    "inner": "judged after the epoch that scored best on patients held out of training",
    "best-on-test": "judged after the epoch that scored best on the test patients: too good by construction",
}
"""How each protocol chooses the epoch."""


def judged(protocol: str) -> str:
    """Return a caption's sentence on a protocol."""
    return f"Protocol {protocol} ({JUDGED[protocol]})."


SOURCE = " Published: Zhou, Zhou and Chen, IEEE TMI 2024."
"""What a caption says if some rows are published numbers."""


def over(evaluations: Sequence[Evaluation]) -> str:
    """Return the folds and seeds that results are pooled from, such as ``5 folds, 2 seeds averaged within each``."""
    return _over([len(evaluation.runs) for evaluation in evaluations], evaluations)


def mean_over(evaluations: Sequence[Evaluation]) -> str:
    """Return the folds and seeds that mean C-indices are taken over; a fold without a C-index does not count."""
    folds = [evaluation.folds_with_c_index() for evaluation in evaluations]
    return _over([count for count in folds if count] or [0], evaluations)


def _over(folds: Sequence[int], evaluations: Sequence[Evaluation]) -> str:
    counts, seeds = (
        " or ".join(map(str, sorted(set(numbers)))) for numbers in (folds, (len(e.seeds) for e in evaluations))
    )
    words = f"{counts} fold" if counts == "1" else f"{counts} folds"
    return words + ("" if seeds == "1" else f", {seeds} seeds averaged within each")


def careful(evaluations: Sequence[Evaluation]) -> str:
    """Return a caption's warning about synthetic cohorts, random encoder weights and idle models, if there are any."""
    found = warnings_of(evaluations)
    sentences = {
        "synthetic": "the patients of {} are synthetic",
        "random_weights": "the weights of {} are random",
        "idle": "not trained, as it does not order its own training patients: {}",
    }
    warnings = [text.format(", ".join(found[kind])) for kind, text in sentences.items() if found[kind]]
    return f" Careful: {', and '.join(warnings)}." if warnings else ""
