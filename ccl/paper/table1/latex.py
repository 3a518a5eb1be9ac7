"""The LaTeX of the three tables: models down, cohorts across, a table for each protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ccl.evaluate import PROTOCOLS, Protocol
from ccl.paper.table1.cells import Comparison, Cost, LogRank, Row, Score
from ccl.report.figures import format_p
from ccl.results.latex import MISSING, PUBLISHED, careful, judged, latex_table, mean_std, over, source
from ccl.results.published import OVERALL_COLUMN

NATIVE = " Native: trained with the optimiser, epochs and sampling of the method's authors."


def table1(comparison: Comparison, cells: Sequence[Score]) -> str:
    """Return Table I: C-indices, under ``best-on-test`` with the published ones below those that they compare with."""
    columns = [*comparison.cohorts, *([OVERALL_COLUMN] if len(comparison.cohorts) > 1 else [])]
    found = {(Row(cell.model, cell.encoder), cell.protocol, cell.cohort): cell for cell in cells}
    tables: dict[Protocol, pd.DataFrame] = {}
    for protocol in PROTOCOLS:
        lines = []
        for row in comparison.rows:
            mine = [found[row, protocol, column] for column in columns]
            lines.append([*_first(comparison, row), *(mean_std(cell.c_index, cell.std) for cell in mine)])
            if any(cell.published is not None for cell in mine):
                lines.append(
                    [f"{PUBLISHED}, {protocol}", "", *(mean_std(cell.published, cell.published_std) for cell in mine)]
                )
        tables[protocol] = pd.DataFrame(lines, columns=["Model", "Features", *columns])
    return _blocks(comparison, tables, f"C-index, mean ± standard deviation over {over(comparison.evaluations)}.", 1)


def table2(comparison: Comparison, cells: Sequence[LogRank]) -> str:
    """Return Table II: p-values of the log-rank test."""
    found = {(Row(cell.model, cell.encoder), cell.protocol, cell.cohort): cell.log_rank_p for cell in cells}
    tables: dict[Protocol, pd.DataFrame] = {}
    for protocol in PROTOCOLS:
        lines = []
        for row in comparison.rows:
            tests = [found.get((row, protocol, cohort)) for cohort in comparison.cohorts]
            lines.append([*_first(comparison, row), *(MISSING if p is None else format_p(p) for p in tests)])
        tables[protocol] = pd.DataFrame(lines, columns=["Model", "Features", *comparison.cohorts])
    caption = (
        "p-value of the log-rank test between the patients above and below the median of the risks that are pooled"
        f" from the test patients of {over(comparison.evaluations)}."
    )
    return _blocks(comparison, tables, caption, 2)


def table3(comparison: Comparison, cells: Sequence[Cost]) -> str:
    """Return Table III, a table for each cohort: parameters, time, memory, and where they were measured."""
    words = "one patient, the median over epochs and mean over folds; of seeds trained side by side the share of one"
    headings = ["Model", "Features", "Parameters", "Training (ms)", "Prediction (ms)", "Peak memory (MiB)", "Device"]
    blocks = []
    for cohort in dict.fromkeys(cell.cohort for cell in cells):
        lines = [
            [
                *_first(comparison, Row(cell.model, cell.encoder)),
                f"{cell.parameters:,}",
                mean_std(cell.train_ms, None, digits=1),
                mean_std(cell.predict_ms, None, digits=2),
                f"{cell.peak_memory_mb:.0f}",
                f"{cell.device}, threads: {cell.threads}" if cell.device == "cpu" else cell.device,
            ]
            for cell in cells
            if cell.cohort == cohort
        ]
        caption = (
            f"Parameters, time and memory on {cohort}. Time is that of {words}. Memory is that of the process, on a GPU"
            f" that of the device.{careful([e for e in comparison.evaluations if e.cohort == cohort])}"
        )
        blocks.append(latex_table(pd.DataFrame(lines, columns=headings), caption, f"tab:table3-{cohort}"))
    return "\n".join(blocks)


def _blocks(comparison: Comparison, tables: Mapping[Protocol, pd.DataFrame], caption: str, number: int) -> str:
    """Return the table of each protocol."""
    native = NATIVE if any(_native(comparison, row) for row in comparison.rows) else ""
    blocks = []
    for protocol, table in tables.items():
        more = f"{native}{source(table, f'{PUBLISHED}, {protocol}')}{careful(comparison.evaluations)}"
        blocks.append(latex_table(table, f"{caption} {judged(protocol)}{more}", f"tab:table{number}-{protocol}"))
    return "\n".join(blocks)


def _first(comparison: Comparison, row: Row) -> list[str]:
    """Return the cells that name a row."""
    features = MISSING if row.encoder in ("none", "") else row.encoder
    return [f"{row.model} (native)" if _native(comparison, row) else row.model, features]


def _native(comparison: Comparison, row: Row) -> bool:
    return any(e.runs[0]["track"] == "native" for e in comparison.evaluations if Row(e.model, e.encoder) == row)
