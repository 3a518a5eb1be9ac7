"""The LaTeX of the five tables: points down and cohorts across, a table for each encoder and protocol."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ccl.evaluate import PROTOCOLS
from ccl.paper.ablations import DEFAULT, DISTANCES, TABLES
from ccl.paper.ablations.tables import Cell, Distance, Results
from ccl.results.latex import PUBLISHED, careful, judged, latex_table, mean_std, over, source
from ccl.results.published import OVERALL_COLUMN


def c_index_latex(number: int, cells: Sequence[Cell], results: Results) -> str:
    """Return a table of C-indices, one for each encoder and protocol.

    The published ones stand under ``best-on-test``, below those that they compare with.
    """
    blocks = []
    for encoder in results.encoders:
        columns = [*results.places[encoder], *([OVERALL_COLUMN] if results.has_overall(encoder) else [])]
        for protocol in PROTOCOLS:
            found = {(c.point, c.cohort): c for c in cells if (c.encoder, c.protocol) == (encoder, protocol)}
            lines = []
            for point in dict.fromkeys(point for point, _ in found):
                mine = [found[point, column] for column in columns]
                name = f"{point} (default)" if mine[0].model == DEFAULT else point
                lines.append([name, *(mean_std(cell.c_index, cell.std) for cell in mine)])
                if any(cell.published is not None for cell in mine):
                    lines.append([f"{PUBLISHED}, {protocol}", *(mean_std(cell.published, None) for cell in mine)])
            table = pd.DataFrame(lines, columns=["", *columns])
            more = f" {judged(protocol)}{source(table, f'{PUBLISHED}, {protocol}')}"
            caption = _caption(number, "C-index, mean", results, encoder, more)
            blocks.append(latex_table(table, caption, f"tab:table{number}-{encoder}-{protocol}"))
    return "\n".join(blocks)


def distance_latex(cells: Sequence[Distance], results: Results) -> str:
    """Return Table V, one for each encoder."""
    blocks = []
    for encoder in results.encoders:
        found = {(cell.point, cell.cohort): cell for cell in cells if cell.encoder == encoder}
        lines = []
        for point in dict.fromkeys(point for point, _ in found):
            mine = [found[point, cohort] for cohort in results.places[encoder]]
            lines.append([point, *(mean_std(cell.distance, cell.std) for cell in mine)])
            if any(cell.published is not None for cell in mine):
                lines.append([PUBLISHED, *(mean_std(cell.published, None) for cell in mine)])
        table = pd.DataFrame(lines, columns=["", *results.places[encoder]])
        caption = _caption(DISTANCES, "Mean", results, encoder, source(table, PUBLISHED))
        blocks.append(latex_table(table, caption, f"tab:table{DISTANCES}-{encoder}"))
    return "\n".join(blocks)


def _caption(number: int, what: str, results: Results, encoder: str, more: str) -> str:
    mine = [evaluation for evaluation in results.evaluations if evaluation.encoder == encoder]
    table = TABLES[number]
    means = f"{what} ± standard deviation over {over(mine)}, features of {encoder}."
    return f"{table.subject.capitalize()}. {table.text} {means}{more}{careful(mine)}"
