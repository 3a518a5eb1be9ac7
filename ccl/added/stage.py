"""The added stage: reads out-of-fold risks and covariates, writes what the model adds to the covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.added import ARMS, VERSION, Arm
from ccl.added.arms import Prediction, predict_arms
from ccl.added.association import associate
from ccl.added.benefit import decision_curves
from ccl.added.groups import judge_groups
from ccl.added.patients import Patients, select
from ccl.added.resample import arm_facts, concordances, differences
from ccl.evaluate.bootstrap import CONFIDENCE, RESAMPLES
from ccl.evaluate.repeats import mean_facts
from ccl.evaluate.times import chosen_months, judge_times
from ccl.io.covariates import Clinical, coded_files
from ccl.io.files import read_json, read_table, write_json, write_table
from ccl.io.origin import record

NAMES = ("cohort", "encoder", "model", "method", "weights", "synthetic")
"""Entries of ``evaluation.json`` that ``added.json`` repeats."""

CHOSEN_ON_TEST = "best-on-test"
"""The protocol without sub-groups, because its epoch was chosen on the patients of the groups."""

TABLES = ("log_hazards", "calibration", "benefit", "groups", "interactions")


@dataclass(frozen=True)
class Added:
    """The results of one protocol."""

    facts: dict[str, Any]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    """By name: the tables of :data:`TABLES` that the protocol has."""


def judge_added(*, evaluation: Path, clinical: Path, out: Path, months: Sequence[float] = ()) -> None:
    """Write ``out`` as docs/formats.md describes the stage ``added``.

    Parameters
    ----------
    evaluation : Path
        Folder that ``ccl evaluate`` wrote.
    clinical : Path
        ``clinical.csv``.
    out : Path
        Folder of the results.
    months : sequence of float
        As in :func:`ccl.evaluate.stage.evaluate_runs`.

    Raises
    ------
    InputError
        A file is missing or damaged, or no patient has both covariates and a risk.
    """
    facts = read_json(evaluation / "evaluation.json", required=(*NAMES, "left_out"), todo="run `ccl evaluate` again")
    columns = ("protocol", "fold", "patient_id", "months", "censorship", "risk")
    risks = read_table(evaluation / "risks.csv", required=columns, text=("patient_id", "fold"))
    covariates = Clinical.read(clinical)
    selected = {str(name): select(rows, covariates) for name, rows in risks.groupby("protocol", sort=False)}
    found = {
        name: judge_protocol(patients, months, groups=name != CHOSEN_ON_TEST)
        for name, (patients, _) in selected.items()
    }
    patients, left_out = next(iter(selected.values()))
    for name in TABLES:
        tables = [one.tables[name].assign(protocol=p) for p, one in found.items() if name in one.tables]
        table = pd.concat(tables) if tables else pd.DataFrame(columns=["protocol"])
        write_table(out / f"{name}.csv", table[["protocol", *table.columns.drop("protocol")]], checksum=True)
    described = {
        **{name: facts[name] for name in NAMES},
        "covariates": [vars(covariate) for covariate in covariates.covariates],
        "warnings": covariates.facts["warnings"],
        "n_patients": len(patients.table),
        "n_events": int(patients.dead.sum()),
        "left_out": {**facts["left_out"], **left_out},
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
    }
    write_json(
        out / "added.json",
        {**described, "protocols": {protocol: one.facts for protocol, one in found.items()}},
        checksum=True,
    )
    record(
        "added",
        VERSION,
        outputs=[out / "added.json", *(out / f"{name}.csv" for name in TABLES)],
        inputs={
            "evaluation": [evaluation / "evaluation.json", evaluation / "risks.csv"],
            "clinical": coded_files(clinical),
        },
        settings={"months": list(months)},
    )


def judge_protocol(patients: Patients, months: Sequence[float], *, groups: bool) -> Added:
    """Return what the risks of one protocol add to the covariates.

    Parameters
    ----------
    patients : Patients
        The patients, with the risks of the protocol.
    months : sequence of float
        As in :func:`ccl.evaluate.stage.evaluate_runs`.
    groups : bool
        Whether sub-groups are judged.
    """
    for each in (patients, *patients.repeats):
        if each.problem:
            return Added({"reason": each.problem})
    arms = predict_arms(patients)
    repeats = [(each, predict_arms(each)) for each in patients.repeats]
    concordance = concordances(repeats)
    timed = {arm: mean_facts([_timed(*each, arm, months)[0] for each in repeats]) for arm in ARMS}
    facts = {
        "reason": None,
        "notes": patients.notes,
        "arms": {arm: arm_facts(concordance[arm]) | timed[arm] for arm in ARMS},
        "differences": differences(concordance),
        **associate(patients),
    }
    at = chosen_months(months, patients.months)
    survival = {str(arm): arms[arm].survival(at) for arm in ARMS}
    log_hazards = patients.table[["fold", "patient_id"]].assign(**{arm: arms[arm].risk for arm in ARMS})
    tables = {
        "log_hazards": log_hazards,
        "calibration": pd.concat([_timed(patients, arms, arm, months)[1].assign(arm=arm) for arm in ARMS]),
        "benefit": decision_curves(patients.months, patients.dead, survival, at),
    }
    if groups:
        tables["groups"], tables["interactions"] = judge_groups(patients)
    return Added(facts, tables)


def _timed(
    patients: Patients, arms: Mapping[Arm, Prediction], arm: Arm, months: Sequence[float]
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the statistics of an arm over time, and its calibration."""
    return judge_times(patients.table.assign(risk=arms[arm].risk), arms[arm].survival, months)
