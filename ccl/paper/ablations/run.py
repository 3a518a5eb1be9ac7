"""The ablations stage: evaluations of points in; one table out, or the page with all five and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from ccl.io.files import write_table, write_text
from ccl.pages.style import house_style, inline, save
from ccl.paper.ablations import DISTANCES, TABLES, models_of, rows_of
from ccl.paper.ablations.figures import differences
from ccl.paper.ablations.latex import c_index_latex, distance_latex
from ccl.paper.ablations.page import render
from ccl.paper.ablations.tables import Cell, Distance, Results, c_indices, distances
from ccl.results.gather import gather
from ccl.results.published import OVERALL_COLUMN


def write_ablation(*, out: Path, table: int, evaluations: Sequence[Path], base: Mapping[str, Any]) -> None:
    """Write ``table{4,5,6,7,8}.csv`` and ``.tex``, one of the five.

    Parameters
    ----------
    out : Path
        Folder of the results.
    table : int
        Number of the table, 4 to 8.
    evaluations : sequence of Path
        The ``evaluation.json`` of the default model and of every point of the table, on each cohort and encoder.
    base : mapping
        The default model's entry in the config's ``models`` section, with its clusters ``k``.

    Raises
    ------
    InputError
        The evaluation of a point is missing, or a file that the layout promises is missing or damaged.
    """
    results = Results(gather(evaluations), models_of(base, table))
    cells: Sequence[Cell] | Sequence[Distance]
    if table == DISTANCES:
        cells = distances(results)
        latex = distance_latex(cells, results)
    else:
        cells = _compared(table, results, base)
        latex = c_index_latex(table, cells, results)
    write_table(out / f"table{table}.csv", pd.DataFrame([asdict(cell) for cell in cells]))
    write_text(out / f"table{table}.tex", latex)


def write_ablations(*, out: Path, evaluations: Sequence[Path], base: Mapping[str, Any], without: Sequence[str]) -> None:
    """Write ``ablations.html`` and ``figures/*.{svg,png}``.

    Parameters
    ----------
    out : Path
        Folder of the results.
    evaluations : sequence of Path
        The ``evaluation.json`` of the default model and of every point, on each cohort and encoder.
    base : mapping
        The default model's entry in the config's ``models`` section, with its clusters ``k``.
    without : sequence of str
        Cohorts that CCL cannot be trained on, which the page names.

    Raises
    ------
    InputError
        The evaluation of a point is missing, or a file that the layout promises is missing or damaged.
    """
    results = Results(gather(evaluations), models_of(base))
    compared = {table: _compared(table, results, base) for table in TABLES if table != DISTANCES}
    tables: dict[int, Sequence[Cell] | Sequence[Distance]] = {**compared, DISTANCES: distances(results)}
    drawn = _draw(compared, results, out / "figures")
    write_text(out / "ablations.html", render(tables, results, drawn, base=base, without=without))


def _compared(table: int, results: Results, base: Mapping[str, Any]) -> list[Cell]:
    return c_indices([row for row in rows_of(base) if row.table == table], results)


def _draw(compared: Mapping[int, Sequence[Cell]], results: Results, folder: Path) -> dict[str, Markup]:
    """Draw and save a figure for each encoder and cohort, the mean over cohorts first."""
    drawn = {}
    with house_style():
        for encoder in results.encoders:
            first = [OVERALL_COLUMN] if results.has_overall(encoder) else []
            for column in [*first, *results.places[encoder]]:
                mine = [
                    (TABLES[table].title, [cell for cell in cells if (cell.encoder, cell.cohort) == (encoder, column)])
                    for table, cells in compared.items()
                ]
                name = f"differences.{column}.{encoder}"
                words = f"Differences to the default on {column} with {encoder}, as the tables of this page list them."
                svg = save(differences(mine, f"{column}, {encoder}"), folder, name)
                drawn[name] = inline(svg, name, words)
    return drawn
