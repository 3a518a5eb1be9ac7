"""The cells of tables: a number for each row, cohort and protocol, with the published number that compares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean
from typing import Any

from ccl.results.gather import Evaluation
from ccl.results.published import OVERALL, Published, are_the_five, published

OVERALL_COLUMN = "Overall"
"""The column of means over cohorts."""

Cell = dict[str, Any]
"""One cell of a printed table, which is one row of the table's file.

``model``, ``encoder``, ``cohort`` and ``protocol`` name the cell; the protocol is empty if the value depends on none.
``value`` has the population standard deviation ``std`` over ``folds``; if there is no value, ``reason`` says why.
``published`` is set only for the protocol that the paper used, and never for synthetic patients or random encoder
weights.  ``row`` and ``evaluations`` are the sources of the cell.  Some tables have more entries.
"""

Measure = Callable[[Evaluation, str], Cell]
"""Returns ``value``, ``std``, ``folds`` and ``reason`` of an evaluation under a protocol."""


@dataclass(frozen=True)
class Row:
    """A row of a table: a model with the features of one encoder."""

    label: str
    model: str
    encoder: str
    """``none`` for a model that reads no slides; empty for a model that was run on no cohort."""
    remark: str = ""
    """What a printed table adds to the label, such as ``native`` or ``default``."""
    paper: tuple[int, str] = (0, "")
    """Table and row of the paper to compare with: arguments of :func:`ccl.results.published.published`."""

    def published(self, cohort: str) -> Published | None:
        """Return the paper's number of this row for a cohort."""
        return published(*self.paper, self.encoder, cohort)


def measure_c_index(evaluation: Evaluation, protocol: str) -> Cell:
    """Return the mean C-index over folds."""
    found = evaluation.facts["protocols"].get(protocol)
    if found is None:
        return {"reason": f"it has no protocol {protocol}"}
    reason = "no comparable pair of test patients" if found["mean"] is None else ""
    folds = evaluation.folds_with_c_index(protocol)
    return {"value": found["mean"], "std": found["std"], "folds": folds, "reason": reason}


def fill(
    rows: Sequence[Row],
    columns: Sequence[str],
    evaluations: Iterable[Evaluation],
    measure: Measure,
    protocols: Sequence[str],
    *,
    compares: Callable[[Evaluation], bool],
    reasons: Mapping[tuple[str, str], str] | None = None,
) -> list[Cell]:
    """Return the cells of a table row by row, and within a row by protocol and column.

    Parameters
    ----------
    columns : sequence of str
        Cohorts, and :data:`OVERALL_COLUMN` for the mean over them.
    protocols : sequence of str
        Names of protocols. Published numbers are shown for ``best-on-test`` or an empty name.
    compares : callable
        Whether an evaluation may be compared with published numbers.
    reasons : mapping, optional
        Why a model (first) has no evaluation on a cohort (second).
    """
    found = {one.key: one for one in evaluations}
    cells = []
    for row, protocol in product(rows, protocols):
        mine = []
        for cohort in (column for column in columns if column != OVERALL_COLUMN):
            cell = name_cell(row, cohort, protocol, found.get((cohort, row.encoder, row.model)))
            if not cell["evaluations"]:
                default = f"the cohort has no features of {row.encoder}"
                mine.append(cell | {"reason": (reasons or {}).get((row.model, cohort), default)})
                continue
            (one,) = cell["evaluations"]
            theirs = row.published(cohort) if protocol in ("best-on-test", "") and compares(one) else None
            beside = {"published": theirs.mean, "published_std": theirs.std} if theirs else {}
            mine.append(cell | measure(one, protocol) | beside)
        cells += [*mine, mean_cell(mine)] if OVERALL_COLUMN in columns else mine
    return cells


def name_cell(row: Row, cohort: str, protocol: str, evaluation: Evaluation | None) -> Cell:
    """Return a cell without a number: where it belongs, and the source of its data."""
    return {
        **dict.fromkeys(("value", "std", "published", "published_std")),
        **{"row": row, "point": row.label, "model": row.model, "encoder": row.encoder},
        **{"cohort": cohort, "protocol": protocol, "evaluations": [evaluation] if evaluation else []},
        "method": evaluation.method if evaluation else "",
        "track": evaluation.track if evaluation else "",
        "data": evaluation.data if evaluation else "",
        "weights": evaluation.weights if evaluation else "",
        "seeds": len(evaluation.seeds) if evaluation else 0,
        "folds": 0,
        "reason": "",
    }


def mean_cell(cells: Sequence[Cell]) -> Cell:
    """Return the mean over cohorts of one row and protocol; a blank if a cohort has no number."""
    values = [cell["value"] for cell in cells if cell["value"] is not None]
    whole = len(values) == len(cells)
    compares = are_the_five(cell["cohort"] for cell in cells) and all(cell["published"] is not None for cell in cells)
    theirs = cells[0]["row"].published(OVERALL) if compares else None
    run = [cell for cell in cells if cell["evaluations"]] or cells
    return run[0] | {
        "cohort": OVERALL_COLUMN,
        "evaluations": [one for cell in cells for one in cell["evaluations"]],
        "value": fmean(values) if whole else None,
        "std": None,
        "folds": sum(cell["folds"] for cell in cells),
        "data": " and ".join(sorted({cell["data"] for cell in run})),
        "weights": ", ".join(dict.fromkeys(cell["weights"] for cell in run)),
        "reason": "" if whole else "not every cohort has a number",
        "published": theirs.mean if theirs else None,
        "published_std": None,
    }
