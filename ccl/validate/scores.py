"""How good a bundle is on the patients of another hospital."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from ccl.added.arms import Prediction, cross_fit, predict_arms
from ccl.added.benefit import decision_curves
from ccl.added.groups import GROUPS, TESTS
from ccl.added.patients import Patients
from ccl.added.stage import judge_protocol
from ccl.evaluate.bootstrap import HALF_WIDTH, stated_interval
from ccl.evaluate.calibration import calibrate_all
from ccl.evaluate.survival import hazard_ratio, kaplan_meier, log_rank
from ccl.evaluate.times import CALIBRATION, chosen_months, judge_times
from ccl.io.covariates import Clinical
from ccl.predict.training import follow_up, measured_concordance, resampled_risks
from ccl.validate.patients import Scored

PREDICTED, RECALIBRATED = "predicted", "recalibrated"
"""Survival as the bundle predicts it, and by a Cox model of the risk that is fitted in the new cohort."""


def score(scored: Scored, months: Sequence[float]) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Return the statistics of the bundle itself, and the tables ``risks``, ``curves`` and ``calibration``.

    Parameters
    ----------
    scored : Scored
        The patients.
    months : sequence of float
        As in :func:`ccl.evaluate.stage.evaluate_runs`.
    """
    table = scored.table
    timed, predicted = judge_times(table, scored.survival, months, end=float(scored.corners[-1]))
    recalibrated, again = _recalibrated(scored, months)
    resampled = resampled_risks(table)
    facts = {
        "n_patients": len(table),
        "n_events": int((table["censorship"] == 0).sum()),
        "follow_up": follow_up(table),
        "concordance": measured_concordance(table, resampled) | stated_interval(resampled),
        **timed,
        "calibration": calibrate_all(table, [at["months"] for at in timed["months"]], scored.survival),
        RECALIBRATED: recalibrated,
        "groups": _compare_groups(table, float(scored.prediction["cut"])),
    }
    versions = [predicted.assign(version=PREDICTED), again.assign(version=RECALIBRATED)]
    curves = [
        kaplan_meier(rows["months"], rows["censorship"]).assign(group=group) for group, rows in table.groupby("group")
    ]
    return facts, {
        "risks": table,
        "curves": pd.concat(curves)[["group", "months", "survival", "lower", "upper", "at_risk"]],
        "calibration": pd.concat([own for own in versions if len(own)] or versions)[["version", *CALIBRATION]],
    }


def recalibration(patients: Patients) -> Prediction:
    """Return survival by Cox models of the risk, each fitted to the patients of the other folds."""
    return cross_fit(patients, dict.fromkeys(patients.folds, patients.risk[:, None]), least=0.0)


def _recalibrated(scored: Scored, months: Sequence[float]) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the statistics of the recalibrated version and its calibration table."""
    patients = scored.in_folds(None)
    if patients.problem:
        empty = dict.fromkeys(("months", "integrated_brier", "calibration"))
        return {**empty, "reason": patients.problem}, pd.DataFrame(columns=CALIBRATION)
    survival = recalibration(patients).survival
    timed, table = judge_times(scored.table, survival, months)
    facts = {name: timed[name] for name in ("months", "integrated_brier")}
    return {
        **facts,
        "calibration": calibrate_all(scored.table, [at["months"] for at in timed["months"]], survival),
        "reason": None,
    }, table


def _compare_groups(table: pd.DataFrame, cut: float) -> dict[str, Any]:
    """Return the log-rank test and hazard ratio of patients above and up to the cut of the bundle."""
    high, low = (table[table["group"] == name] for name in ("high", "low"))
    return {"cut": cut, "n_high": len(high), "n_low": len(low), **log_rank(high, low), **hazard_ratio(high, low)}


def add_to_covariates(
    scored: Scored, clinical: Clinical | None, months: Sequence[float]
) -> tuple[dict[str, Any] | None, dict[str, pd.DataFrame]]:
    """Return what the model adds to covariates in the new cohort, and ``benefit``, ``groups`` and ``interactions``.

    The Cox models of :func:`ccl.added.arms.predict_arms` are fitted within the new cohort, in folds of its patients.
    Without covariates there are decision curves alone.
    """
    patients = scored.in_folds(clinical)
    facts, tables = None, {"groups": pd.DataFrame(columns=GROUPS), "interactions": pd.DataFrame(columns=TESTS)}
    if clinical is not None:
        found = judge_protocol(patients, months, groups=True)
        tables |= {name: found.tables[name] for name in tables if name in found.tables}
        facts = {
            **found.facts,
            "n_patients": len(patients.table),
            "covariates": [covariate.name for covariate in clinical.covariates],
        }
    return facts, {**tables, "benefit": _benefit(scored, patients, months, arms=clinical is not None)}


def _benefit(scored: Scored, patients: Patients, months: Sequence[float], *, arms: bool) -> pd.DataFrame:
    """Return decision curves of the bundle, of its recalibrated version, and of covariates alone and with the model."""
    here = scored.table["patient_id"].isin(patients.table["patient_id"]).to_numpy()
    at = chosen_months(months, patients.months)
    at = at[np.isfinite(scored.survival(at)).all(axis=0) & (at < patients.months.max())]
    survival: dict[str, NDArray[np.float64]] = {PREDICTED: scored.survival(at)[here]}
    if not patients.problem:
        survival[RECALIBRATED] = recalibration(patients).survival(at)
        if arms:
            found = predict_arms(patients)
            survival |= {name: found[name].survival(at) for name in ("clinical", "both")}
    return decision_curves(patients.months, patients.dead, survival, at)


def drop(internal: Mapping[str, Any] | None, external: Mapping[str, Any]) -> dict[str, Any]:
    """Return the difference between the C-index in the new cohort and in cross-validation, with its 95 % interval.

    The patients of the two are different, so the variances add up.  Both C-indices are of all patients together: in
    cross-validation of each patient's risk by the networks that were not trained on them.

    Parameters
    ----------
    internal, external : mapping
        ``c_index`` and ``se``; `internal` is None if the bundle does not record it.

    Returns
    -------
    dict
        ``internal``, ``external``, ``difference`` (external minus internal), ``se``, ``lower``, ``upper``, ``p``, and
        ``reason``, which says why they are None.
    """
    facts: dict[str, Any] = {"internal": internal and internal["c_index"], "external": external["c_index"]}
    empty = dict.fromkeys(("difference", "se", "lower", "upper", "p"))
    if internal is None:
        return {**facts, **empty, "reason": "the bundle does not record its C-index in training; make it again"}
    if any(side[key] is None for side in (internal, external) for key in ("c_index", "se")):
        return {**facts, **empty, "reason": "a C-index or its standard error is not defined"}
    difference = external["c_index"] - internal["c_index"]
    error = float(np.hypot(internal["se"], external["se"]))
    interval = {"lower": difference - HALF_WIDTH * error, "upper": difference + HALF_WIDTH * error}
    p = 2 * float(norm.sf(abs(difference) / error))
    return {**facts, "difference": difference, "se": error, **interval, "p": p, "reason": None}
