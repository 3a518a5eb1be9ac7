"""The page of the three tables: models down, cohorts across, both protocols side by side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ccl.evaluate import PROTOCOLS
from ccl.pages.provenance import git_commit, software
from ccl.paper.table1.cells import Comparison, Cost, LogRank, Row, Score
from ccl.report.html import environment
from ccl.results.published import OVERALL_COLUMN


def render(comparison: Comparison, table1: Sequence[Score], table2: Sequence[LogRank], table3: Sequence[Cost]) -> str:
    """Return the whole page."""
    evaluations = comparison.evaluations
    columns = [*comparison.cohorts, *([OVERALL_COLUMN] if len(comparison.cohorts) > 1 else [])]
    scored = {(Row(cell.model, cell.encoder), cell.cohort, cell.protocol): cell for cell in table1}
    tested = {(Row(cell.model, cell.encoder), cell.cohort, cell.protocol): cell for cell in table2}
    rows: list[dict[str, Any]] = []
    for row in comparison.rows:
        mine = [e for e in evaluations if Row(e.model, e.encoder) == row]
        rows.append(
            {
                "row": row,
                "native": any(e.runs[0]["track"] == "native" for e in mine),
                "caveats": list(dict.fromkeys(label for e in mine for label in e.caveats)),
                "scores": [[scored[row, column, protocol] for protocol in PROTOCOLS] for column in columns],
                "tests": [[tested.get((row, name, protocol)) for protocol in PROTOCOLS] for name in comparison.cohorts],
            }
        )
    return environment("ccl.paper.table1").get_template("table1.html").render(
        title="The methods compared",
        columns=columns,
        cohorts=comparison.cohorts,
        rows=rows,
        costs=table3,
        published=any(cell.published is not None for cell in table1),
        reasons=sorted({(cell.model, cell.cohort, cell.reason) for cell in table1 if cell.reason}),
        synthetic=list(dict.fromkeys(e.cohort for e in evaluations if e.synthetic)),
        random_weights=sorted({e.encoder for e in evaluations if e.random_weights}),
        folds=" or ".join(map(str, sorted({len(e.runs) for e in evaluations}))),
        seeds=" or ".join(map(str, sorted({len(e.seeds) for e in evaluations}))),
        software=software(evaluations),
        commit=git_commit(),
        date=datetime.now(UTC),
    )  # fmt: skip
