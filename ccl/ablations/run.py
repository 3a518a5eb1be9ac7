"""The ablations stage: evaluations of all points in, five tables, their page and its figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from ccl.ablations import rows_of
from ccl.ablations.figures import differences
from ccl.ablations.page import TITLES, render
from ccl.ablations.tables import Cell, Distance, Results, c_indices, distances
from ccl.files import write_table, write_text
from ccl.report.gather import gather
from ccl.report.published import OVERALL_COLUMN
from ccl.report.style import house_style, inline, save


def write_ablations(*, out: Path, evaluations: Sequence[Path], base: Mapping[str, Any], without: Sequence[str]) -> None:
    """Write ``table_{iv,v,vi,vii,viii}.csv``, ``ablations.html`` and ``figures/*.{svg,png}``.

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
    rows = rows_of(base)
    results = Results(gather(evaluations), [row.model for row in rows])
    compared = {
        table: c_indices([row for row in rows if row.table == table], results)
        for table in dict.fromkeys(row.table for row in rows)
    }
    tables: dict[str, Sequence[Cell] | Sequence[Distance]] = {**compared, "v": distances(results)}
    drawn = _draw(compared, results, out / "figures")
    for name, cells in tables.items():
        write_table(out / f"table_{name}.csv", pd.DataFrame([asdict(cell) for cell in cells]))
    write_text(out / "ablations.html", render(tables, results, drawn, base=base, without=without))


def _draw(compared: Mapping[str, Sequence[Cell]], results: Results, folder: Path) -> dict[str, Markup]:
    """Draw and save a figure for each encoder and cohort, the mean over cohorts first."""
    drawn = {}
    with house_style():
        for encoder in results.encoders:
            first = [OVERALL_COLUMN] if results.has_overall(encoder) else []
            for column in [*first, *results.places[encoder]]:
                mine = [
                    (TITLES[name][0], [cell for cell in cells if (cell.encoder, cell.cohort) == (encoder, column)])
                    for name, cells in compared.items()
                ]
                name = f"differences.{column}.{encoder}"
                words = f"Differences to the default on {column} with {encoder}, as the tables of this page list them."
                svg = save(differences(mine, f"{column}, {encoder}"), folder, name)
                drawn[name] = inline(svg, name, words)
    return drawn
