"""The LaTeX tables: one for each protocol, and one for each encoder if rows do not name their encoder."""

from __future__ import annotations

import pandas as pd

from ccl.pages.numbers import MISSING, format_p
from ccl.paper import Table
from ccl.paper.cells import Filled, Grid
from ccl.results.cells import Cell, Row
from ccl.results.latex import PUBLISHED, SOURCE, careful, judged, latex_table, mean_over, mean_std, over

NATIVE = " Native: trained with the optimiser, epochs and sampling of the method's authors."

COSTS = ["Parameters", "Training (ms)", "Prediction (ms)", "Peak memory (MiB)", "Device"]
"""Columns of Table III."""


def print_grids(made: Filled) -> str:
    """Return a table with rows down and cohorts across; published numbers are below the row to compare them with."""
    return "\n".join(_grid(made.table, grid, protocol) for grid in made.grids for protocol in grid.protocols)


def _grid(table: Table, grid: Grid, protocol: str) -> str:
    published = f"{PUBLISHED}, {protocol}" if protocol else PUBLISHED
    lines = []
    for row in grid.rows:
        cells = grid.line(row, protocol)
        lines.append([*_names(row, grid), *(_number(cell, table) for cell in cells)])
        if any(cell["published"] is not None for cell in cells):
            theirs = [mean_std(cell["published"], cell["published_std"]) for cell in cells]
            lines.append([published, *([] if grid.encoder else [""]), *theirs])
    means = {"over": over(grid.evaluations), "mean_over": mean_over(grid.evaluations), "encoder": grid.encoder}
    caption = [
        table.caption.format(**means),
        f" {judged(protocol)}" if protocol else "",
        NATIVE if any(row.remark == "native" for row in grid.rows) else "",
        SOURCE if any(line[0] == published for line in lines) else "",
        careful(grid.evaluations),
    ]
    headings = [""] if grid.encoder else ["Model", "Features"]
    label = "-".join(filter(None, [f"tab:table{table.number}", grid.encoder, protocol]))
    return latex_table(pd.DataFrame(lines, columns=[*headings, *grid.columns]), "".join(caption), label)


def _names(row: Row, grid: Grid) -> list[str]:
    name = f"{row.label} ({row.remark})" if row.remark else row.label
    return [name] if grid.encoder else [name, MISSING if row.encoder in ("none", "") else row.encoder]


def _number(cell: Cell, table: Table) -> str:
    if table.quantity == "log_rank_p":
        return MISSING if cell["value"] is None else format_p(cell["value"])
    return mean_std(cell["value"], cell["std"])


def print_costs(made: Filled) -> str:
    """Return Table III, one for each cohort."""
    (grid,) = made.grids
    written = []
    for cohort in dict.fromkeys(cell["cohort"] for cell in made.cells):
        cells = [cell for cell in made.cells if cell["cohort"] == cohort]
        lines = pd.DataFrame([_cost(cell, grid) for cell in cells], columns=["Model", "Features", *COSTS])
        warning = careful([one for one in made.evaluations if one.cohort == cohort])
        caption = made.table.caption.format(cohort=cohort) + warning
        written.append(latex_table(lines, caption, f"tab:table{made.table.number}-{cohort}"))
    return "\n".join(written)


def _cost(cell: Cell, grid: Grid) -> list[str]:
    return [
        *_names(cell["row"], grid),
        f"{cell['parameters']:,}",
        mean_std(cell["train_ms"], None, digits=1),
        mean_std(cell["predict_ms"], None, digits=2),
        f"{cell['peak_memory_mb']:.0f}",
        f"cpu, threads: {cell['threads']}" if cell["device"] == "cpu" else cell["device"],
    ]
