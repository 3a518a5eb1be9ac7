"""Tables for a paper: LaTeX that compiles whatever the cells, the headings and the caption hold."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from ccl.results.gather import Evaluation

PACKAGES = ("booktabs", "graphicx")
"""What a document must load for these tables."""

MISSING = "–"  # noqa: RUF001 (an en dash is what a printed table has in an empty cell)

PUBLISHED = "published"
"""What a row of the paper's own numbers is called."""

ONE_COLUMN = 4
"""Columns of a table that fits into one column of a page of two."""

PROTECTED = {"<": "$<$", ">": "$>$", "|": "$|$", "τ": r"$\tau$", "[": "{[}", "*": "{*}"}
"""What pandas leaves as it is: characters that LaTeX's text fonts lack, and those that mean something after a row."""


def latex_table(table: pd.DataFrame, caption: str, label: str = "") -> str:
    r"""Return a floating table with the rules of booktabs, no wider than the line.

    Parameters
    ----------
    table : pd.DataFrame
        Cells as they are to be read, all of them text; their order is kept, the index is left out.
    caption : str
        Plain text, as are cells and headings: what is special to LaTeX is escaped.
    label : str
        What ``\ref`` calls it, any special character replaced by a dash; none where empty.

    Returns
    -------
    str
        A ``table``, or where there are many columns a ``table*``, which in a page of two columns spans both.
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
    """Return plain text as LaTeX, by the rules that pandas has for cells."""
    cell = pd.DataFrame([text]).style.hide(axis="index").hide(axis="columns").format(_protect, escape="latex")
    return cell.to_string().strip()


def _protect(escaped: object) -> str:
    text = str(escaped)
    for character, latex in PROTECTED.items():
        text = text.replace(character, latex)
    return text


def _alignment(column: pd.Series[str]) -> str:
    """Return ``r`` for a column of plain numbers and blanks; else ``l``, by which means stand below each other."""
    return "r" if column.str.fullmatch(rf"[\d.,e<\s-]*|{MISSING}").all() else "l"


def mean_std(mean: float | None, std: float | None, digits: int = 4) -> str:
    """Return a cell: the mean, ± the standard deviation where there is one; a dash where there is no number."""
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
    """Return what a caption says of a protocol."""
    return f"Protocol {protocol} ({JUDGED[protocol]})."


def source(table: pd.DataFrame, name: str) -> str:
    """Return what a caption says of rows of this name, which hold the paper's own numbers; nothing without one."""
    return " Published: Zhou, Zhou and Chen, IEEE TMI 2024." if name in set(table.iloc[:, 0]) else ""


def over(evaluations: Sequence[Evaluation]) -> str:
    """Return the folds and seeds that means are over, such as ``5 folds, 2 seeds averaged within each``."""
    folds, seeds = (
        " or ".join(map(str, sorted(set(counts))))
        for counts in ((len(e.runs) for e in evaluations), (len(e.seeds) for e in evaluations))
    )
    return f"{folds} folds" + ("" if seeds == "1" else f", {seeds} seeds averaged within each")


def careful(evaluations: Sequence[Evaluation]) -> str:
    """Return what a caption says of cohorts that are invented and of encoders that never were trained; else nothing."""
    synthetic = ", ".join(dict.fromkeys(e.cohort for e in evaluations if e.synthetic))
    untrained = ", ".join(dict.fromkeys(e.encoder for e in evaluations if e.random_weights))
    warnings = [
        *([f"the patients of {synthetic} are synthetic"] if synthetic else []),
        *([f"the weights of {untrained} are random"] if untrained else []),
    ]
    return f" Careful: {', and '.join(warnings)}." if warnings else ""
