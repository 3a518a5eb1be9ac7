"""The pages of the tables: rows down, cohorts across, both protocols side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from markupsafe import Markup

from ccl.pages.html import render
from ccl.pages.numbers import MISSING, format_p, number, signed
from ccl.pages.provenance import provenance
from ccl.paper.cells import Filled
from ccl.results.cells import OVERALL_COLUMN, Cell
from ccl.results.gather import caveats_of, warnings_of
from ccl.results.latex import mean_over
from ccl.train.learning import LEAST_C_INDEX

DIGITS = {"c_index": 3, "distance": 2}
"""Decimals of each quantity."""


def render_comparison(tables: Sequence[Filled]) -> str:
    """Return the page of Tables I to III."""
    scores, _, costs = tables
    blanks = sorted({(cell["model"], cell["cohort"], cell["reason"]) for cell in scores.cells if cell["reason"]})
    return _render("table1.html", tables, title="The methods compared", costs=costs.cells, blanks=blanks)


def render_ablations(
    tables: Sequence[Filled], drawn: Mapping[str, Markup], *, base: Mapping[str, Any], without: Sequence[str]
) -> str:
    """Return the page of Tables IV to VIII.

    Parameters
    ----------
    drawn : mapping
        Figures by name, as elements of the page.
    base : mapping
        The default model's entry in the config, with its clusters ``k``.
    without : sequence of str
        Cohorts that CCL cannot be trained on.
    """
    last = [cell for made in tables for cell in made.cells if cell["protocol"] == "last"]
    weights = dict.fromkeys((one.encoder, one.cohort, one.weights) for made in tables for one in made.evaluations)
    return _render(
        "ablations.html",
        tables,
        title="Ablations of CCL",
        figures=drawn,
        intervals=sum(cell["lower"] is not None for cell in last),
        without=without,
        weights=list(weights),
        base=yaml.safe_dump(dict(base), allow_unicode=True),
    )


def _render(template: str, tables: Sequence[Filled], **own: Any) -> str:
    """Return a page; `own` are the values that only its template shows."""
    evaluations = list({one.key: one for made in tables for one in made.evaluations}.values())
    columns = dict.fromkeys(column for grid in tables[0].grids for column in grid.columns)
    return render(
        template,
        "ccl.paper",
        tables=tables,
        own_texts=own_texts,
        published_texts=published_texts,
        caveats_of=caveats_of,
        cohorts=[column for column in columns if column != OVERALL_COLUMN],
        published=any(cell["published"] is not None for made in tables for cell in made.cells),
        over=mean_over(evaluations),
        **warnings_of(evaluations),
        least_c_index=LEAST_C_INDEX,
        **provenance(run["versions"] for one in evaluations for run in one.runs),
        **own,
    )


def own_texts(cell: Cell, quantity: str) -> list[str]:
    """Return the number of a cell as text, and the texts below it."""
    if quantity == "log_rank_p":
        return [MISSING if cell["value"] is None else format_p(cell["value"])]
    texts = [number(cell["value"], DIGITS[quantity])]
    if cell["std"] is not None:
        texts.append(f"± {number(cell['std'], DIGITS[quantity])}")
    if cell.get("rank"):
        texts.append(f"rank {cell['rank']}")
    if cell.get("difference") is not None:
        error = "" if cell["se"] is None else f" ± {number(cell['se'])}"
        texts.append(f"Δ {signed(cell['difference'])}{error}")
    return texts


def published_texts(cell: Cell, quantity: str) -> list[str]:
    """Return the published number of a cell as text, and the texts below it."""
    texts = ["" if cell["published"] is None else number(cell["published"], DIGITS[quantity])]
    if cell["published_std"] is not None:
        texts.append(f"± {number(cell['published_std'])}")
    if cell.get("published_difference") is not None:
        texts.append(f"Δ {signed(cell['published_difference'])}")
    return texts
