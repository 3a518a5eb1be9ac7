"""What several models add to covariates, including models of other tools: ``ccl compare --clinical``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.added.patients import select
from ccl.added.rows import ARM_COLUMNS, TEST_COLUMNS, arm_columns, tested_columns
from ccl.added.stage import judge_protocol
from ccl.added.words import sentence
from ccl.evaluate.compare import common_patients, read_judged
from ccl.io.covariates import Clinical
from ccl.io.files import write_table

DIFFERENCES = [f"{arm}_{key}" for arm in ("both", "model") for key in ("difference", "lower", "upper")]

COLUMNS = ["evaluation", "protocol", "n_patients", "n_events", *ARM_COLUMNS, *DIFFERENCES, *TEST_COLUMNS, "reason"]


def compare_with_covariates(*, evaluations: Sequence[Path], clinical: Path, out: Path, protocol: str) -> list[str]:
    """Write what each model adds to the covariates, on the patients that all evaluations have, to the table `out`.

    Parameters
    ----------
    evaluations, protocol
        As in :func:`ccl.evaluate.compare.compare_evaluations`.
    clinical : Path
        ``clinical.csv``.
    out : Path
        Table to write, as docs/formats.md describes it.

    Returns
    -------
    list of str
        A sentence for each model.

    Raises
    ------
    InputError
        A file is missing or damaged, or no patient has both covariates and a risk.
    """
    covariates = Clinical.read(clinical)
    judged = [read_judged(folder, protocol, ["fold"]) for folder in evaluations]
    shared, _ = common_patients(judged)
    rows, lines = [], []
    for one in judged:
        chosen, _ = select(one.risks.loc[shared].reset_index(), covariates)
        found = judge_protocol(chosen, (), groups=False).facts
        counts = {"n_patients": len(chosen.table), "n_events": int(chosen.dead.sum())}
        rows.append({"evaluation": str(one.folder), "protocol": one.protocol, **counts, **_row(found)})
        lines.append(sentence(str(one.folder), [each.name for each in covariates.covariates], found))
    write_table(out, pd.DataFrame(rows, columns=COLUMNS))
    return lines


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    if found["reason"]:
        return {"reason": found["reason"]}
    gains = {f"{arm}_{key}": value for arm, gain in found["differences"].items() for key, value in gain.items()}
    return {**arm_columns(found), **gains, **tested_columns(found)}
