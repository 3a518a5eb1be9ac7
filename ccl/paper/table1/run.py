"""The table1 stage: evaluations in, three tables and their page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from ccl.io.files import write_table, write_text
from ccl.paper.table1 import latex
from ccl.paper.table1.cells import Comparison, costs, log_ranks, scores
from ccl.paper.table1.page import render
from ccl.results.gather import gather


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
        There is no evaluation, or a file that the layout promises is missing or damaged.
    """
    comparison = Comparison(gather(evaluations), blanks)
    table1, table2, table3 = scores(comparison), log_ranks(comparison), costs(comparison)
    write_table(out / "table1.csv", pd.DataFrame([asdict(cell) for cell in table1]))
    write_table(out / "table2.csv", pd.DataFrame([asdict(cell) for cell in table2]))
    write_table(out / "table3.csv", pd.DataFrame([asdict(cell) for cell in table3]))
    write_text(out / "table1.tex", latex.table1(comparison, table1))
    write_text(out / "table2.tex", latex.table2(comparison, table2))
    write_text(out / "table3.tex", latex.table3(comparison, table3))
    write_text(out / "table1.html", render(comparison, table1, table2, table3))
