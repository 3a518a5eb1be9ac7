"""The page: the five tables as the paper lays them out, points down and cohorts across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import yaml
from markupsafe import Markup

from ccl.pages.provenance import git_commit, software
from ccl.paper.ablations import DEFAULT, TABLES
from ccl.paper.ablations.tables import Cell, Distance, Results, caveats
from ccl.report.html import environment
from ccl.results.published import OVERALL_COLUMN


def render(
    tables: Mapping[int, Sequence[Cell] | Sequence[Distance]],
    results: Results,
    drawn: Mapping[str, Markup],
    *,
    base: Mapping[str, Any],
    without: Sequence[str],
) -> str:
    """Return the whole page.

    Parameters
    ----------
    tables : mapping
        Cells of each table by its number.
    results : Results
        What the tables were made from.
    drawn : mapping
        Figures by name, as elements of the page.
    base : mapping
        The default model's entry in the config, with its clusters ``k``.
    without : sequence of str
        Cohorts that CCL cannot be trained on.
    """
    evaluations = results.evaluations
    cells = [cell for found in tables.values() for cell in found]
    counted = [cell for cell in cells if isinstance(cell, Cell) and cell.protocol == "last" and cell.lower is not None]
    return environment("ccl.paper.ablations").get_template("ablations.html").render(
        title="Ablations of CCL",
        tables=[
            {"number": number, "title": table.title, "text": table.text, "groups": _groups(tables[number], results)}
            for number, table in TABLES.items()
        ],
        figures=drawn,
        intervals=len(counted),
        cohorts=results.cohorts,
        without=without,
        published=any(cell.published is not None for cell in cells),
        synthetic=list(dict.fromkeys(e.cohort for e in evaluations if e.synthetic)),
        random_weights=sorted({e.encoder for e in evaluations if e.random_weights}),
        folds=" or ".join(map(str, sorted({len(e.runs) for e in evaluations}))),
        seeds=" or ".join(map(str, sorted({len(run["seeds"]) for e in evaluations for run in e.runs}))),
        weights=list(dict.fromkeys((e.encoder, e.cohort, str(e.facts["weights"])) for e in evaluations)),
        base=yaml.safe_dump(dict(base), allow_unicode=True),
        software=software(evaluations),
        commit=git_commit(),
        date=datetime.now(UTC),
    )  # fmt: skip


def _groups(cells: Sequence[Cell] | Sequence[Distance], results: Results) -> list[dict[str, Any]]:
    """Return one table for each encoder: its columns, and its rows of cells."""
    return [
        {"encoder": encoder, **_group([cell for cell in cells if cell.encoder == encoder], results.places[encoder])}
        for encoder in results.encoders
    ]


def _group(cells: Sequence[Cell | Distance], cohorts: Sequence[str]) -> dict[str, Any]:
    columns = [*cohorts, *([OVERALL_COLUMN] if any(cell.cohort == OVERALL_COLUMN for cell in cells) else [])]
    rows = []
    for point in dict.fromkeys(cell.point for cell in cells):
        mine = [cell for cell in cells if cell.point == point]
        rows.append(
            {
                "point": point,
                "default": any(isinstance(cell, Cell) and cell.model == DEFAULT for cell in mine),
                "cells": [[cell for cell in mine if cell.cohort == column] for column in columns],
                "published": any(cell.published is not None for cell in mine),
            }
        )
    return {"columns": columns, "rows": rows, "caveats": caveats(cells)}
