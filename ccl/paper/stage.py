"""The stages ``table1``, ``ablations`` and ``figures``: evaluations in; tables, their pages and figures out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from ccl.evaluate import PROTOCOLS
from ccl.io.errors import InputError
from ccl.io.files import write_table, write_text
from ccl.io.origin import record
from ccl.pages.style import house_style, inline, save
from ccl.paper import ablations, figures, table1
from ccl.paper.ablations import DISTANCES, TABLES
from ccl.paper.cells import Filled, ablate, compare_models
from ccl.paper.drawings import draw_cohorts, draw_components_of, draw_differences
from ccl.paper.figures import JUDGED, check_names, names_of
from ccl.paper.latex import print_costs, print_grids
from ccl.paper.page import render_ablations, render_comparison
from ccl.results.cells import OVERALL_COLUMN
from ccl.results.components import read_components
from ccl.results.gather import evaluations_of, gather


def write_table1(*, out: Path, evaluations: Sequence[Path], blanks: Mapping[tuple[str, str], str]) -> None:
    """Write ``table{1,2,3}.{csv,tex}`` and the page ``table1.html``.

    Parameters
    ----------
    out : Path
        Folder of the results.
    evaluations : sequence of Path
        The ``evaluation.json`` of each model on each cohort and encoder.
    blanks : mapping
        For (model, cohort), the reason why a model was not trained on a cohort.

    Raises
    ------
    InputError
        There is no evaluation, or a file is missing or damaged.
    """
    tables = compare_models(gather(evaluations), blanks)
    printed = zip(tables, (print_grids, print_grids, print_costs), strict=True)
    written = [path for made, to_latex in printed for path in _write(out, made, to_latex)]
    write_text(out / "table1.html", render_comparison(tables))
    _record("table1", table1.VERSION, [out / "table1.html", *written], evaluations)


def write_ablations(
    *,
    out: Path,
    evaluations: Sequence[Path],
    base: Mapping[str, Any],
    table: int | None = None,
    without: Sequence[str] = (),
) -> None:
    """Write ``table{4,5,6,7,8}.csv`` and ``.tex``, or the page ``ablations.html`` with ``figures/*.{svg,png}``.

    Parameters
    ----------
    out : Path
        Folder of the results.
    evaluations : sequence of Path
        The ``evaluation.json`` of the default model and of every point needed, on each cohort and encoder.
    base : mapping
        The default model's entry in the config's ``models`` section, with its clusters ``k``.
    table : int, optional
        The one table to write; without it, the page.
    without : sequence of str
        Cohorts that CCL cannot be trained on, which the page names.

    Raises
    ------
    InputError
        The evaluation of a point is missing, or a file is missing or damaged.
    """
    cohorts = gather(evaluations)
    if table:
        written = _write(out, ablate(TABLES[table], cohorts, base), print_grids)
        _record("ablations", ablations.VERSION, written, evaluations, {"base": dict(base)})
        return
    tables = [ablate(each, cohorts, base) for each in TABLES.values()]
    drawn = _draw_differences([made for made in tables if made.table.number != DISTANCES], out / "figures")
    write_text(out / "ablations.html", render_ablations(tables, drawn, base=base, without=without))
    pictures = [path for name in drawn for path in _pictures(out / "figures", name)]
    _record("ablations", ablations.VERSION, [out / "ablations.html", *pictures], evaluations, {"base": dict(base)})


def _pictures(folder: Path, name: str) -> list[Path]:
    """Return the files that :func:`ccl.pages.style.save` writes."""
    return [folder / f"{name}.{suffix}" for suffix in ("svg", "png")]


def _record(
    stage: str,
    version: int,
    outputs: Sequence[Path],
    evaluations: Sequence[Path],
    settings: Mapping[str, Any] | None = None,
) -> None:
    record(stage, version, outputs=outputs, inputs={"evaluation": evaluations}, settings=settings)


def _write(out: Path, made: Filled, to_latex: Callable[[Filled], str]) -> list[Path]:
    """Write a table as CSV and LaTeX, and return both files."""
    rows = [cell | {made.table.quantity: cell["value"]} for cell in made.cells]
    files = [out / f"table{made.table.number}.{suffix}" for suffix in ("csv", "tex")]
    write_table(files[0], pd.DataFrame(rows, columns=list(made.table.columns)))
    write_text(files[1], to_latex(made))
    return files


def _draw_differences(tables: Sequence[Filled], folder: Path) -> dict[str, Markup]:
    """Draw and save a figure for each encoder and cohort, the mean over cohorts first."""
    drawn = {}
    places = [(grid.encoder, column) for grid in tables[0].grids for column in _mean_first(grid.columns)]
    with house_style():
        for encoder, column in places:
            mine = [
                (made.table.title, [c for c in made.cells if (c["encoder"], c["cohort"]) == (encoder, column)])
                for made in tables
            ]
            name = f"differences.{column}.{encoder}"
            alt = f"Differences to the default on {column} with {encoder}, as listed in the tables of this page."
            drawn[name] = inline(save(draw_differences(mine, f"{column}, {encoder}"), folder, name), name, alt)
    return drawn


def _mean_first(columns: Sequence[str]) -> list[str]:
    return sorted(columns, key=lambda column: column != OVERALL_COLUMN)


def draw_figures(*, figure: str, sources: Sequence[Path], out: Path) -> None:
    """Write ``figure{N}.{encoder}.{model}[.best-on-test].{svg,png}`` of each model and protocol.

    Parameters
    ----------
    figure : {"6", "7", "8"}
        Number of the figure in the paper.
    sources : sequence of Path
        ``evaluation.json`` of each model and cohort; for Figure 8, ``components.json``.
    out : Path
        Folder of the figures.

    Raises
    ------
    InputError
        No file is named, two figures would have the same file name, or a file is missing or damaged.
    """
    if not sources:
        raise InputError(
            "there is nothing to draw",
            expected="files evaluation.json, or for Figure 8 components.json, one or more",
            todo="name the files",
        )
    kind = JUDGED.get(figure)
    found = evaluations_of(gather(sources)) if kind else [read_components(Path(source).parent) for source in sources]
    models: dict[tuple[str, str], list[Any]] = {}
    for item in found:
        models.setdefault((item.encoder, item.model), []).append(item)
    check_names(models)
    with house_style():
        drawn = {
            name: draw_cohorts(kind, items, protocol) if kind else draw_components_of(items)
            for model, items in models.items()
            for protocol, name in list(zip(PROTOCOLS, names_of(*model), strict=True))[: None if kind else 1]
        }
        for name, picture in drawn.items():
            save(picture, out, f"figure{figure}.{name}")
            _record("figures", figures.VERSION, _pictures(out, f"figure{figure}.{name}"), sources)
