"""What a bundle tells of the training: how good the model was there, and what its patients were like.

Only numbers about many patients are kept, and the hashes of :mod:`ccl.predict.fingerprints`; no risk, follow-up or
covariate of a single patient.  The difference between two hospitals needs no more than that: their patients are
different, so the variances of the two C-indices add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.added.patients import select
from ccl.added.stage import judge_protocol
from ccl.data.tables import Tables
from ccl.evaluate.bootstrap import resample
from ccl.evaluate.calibration import calibrate_all
from ccl.evaluate.concordance import concordance_index, resampled_concordance
from ccl.evaluate.folds import FoldRun
from ccl.evaluate.protocols import FoldScore, judge_fold, pool_risks, pool_survival, score_epochs, summarise
from ccl.evaluate.times import judge_times
from ccl.io.covariates import Clinical, Covariate
from ccl.io.files import number_or_none, records
from ccl.io.formats import ManifestRow, coords_attributes
from ccl.predict.colours import tissue_colours
from ccl.predict.expression import LEVELS
from ccl.predict.fingerprints import of_genes, of_name
from ccl.predict.ranges import SCALES

PROTOCOL = "last"
"""The networks of a bundle are those after the last epoch."""


def internal_results(folds: Sequence[FoldRun], clinical: Clinical | None) -> dict[str, Any]:
    """Return how good the model was in cross-validation, after the last epoch.

    Returns
    -------
    dict
        ``n_patients``, ``n_events``, ``follow_up`` (of the test patients), ``concordance`` (of pooled risks, as
        :func:`measured_concordance` returns it), ``mean`` and ``std`` over folds, ``uno``, ``months`` and
        ``integrated_brier`` as in ``evaluation.json``, ``calibration`` (:func:`ccl.evaluate.calibration.calibrate`),
        and ``added`` (:func:`added_results`), None without covariates.
    """
    scores: list[FoldScore] = [score for run in folds for score in judge_fold(run, score_epochs(run), PROTOCOL)]
    risks = pool_risks(folds, scores)

    def survival(months: NDArray[np.float64]) -> NDArray[np.float64]:
        return pool_survival(folds, scores, months)

    timed, _ = judge_times(risks, survival, (), end=min(float(run.edges[-1]) for run in folds))
    whole = summarise(scores, risks)
    return {
        "n_patients": len(risks),
        "n_events": int((risks["censorship"] == 0).sum()),
        "follow_up": follow_up(risks),
        "concordance": measured_concordance(risks, resampled_risks(risks)),
        **{name: whole[name] for name in ("mean", "std")},
        **timed,
        "calibration": calibrate_all(risks, [at["months"] for at in timed["months"]], survival),
        "added": None if clinical is None else added_results(risks, clinical),
    }


def follow_up(outcomes: pd.DataFrame) -> dict[str, float]:
    """Return ``median_months``, ``longest_months`` and ``censored`` (share) of some patients."""
    return {
        "median_months": float(outcomes["months"].median()),
        "longest_months": float(outcomes["months"].max()),
        "censored": float(outcomes["censorship"].mean()),
    }


def resampled_risks(risks: pd.DataFrame) -> NDArray[np.float64]:
    """Return the C-index of resamples of some patients, (R,)."""
    return resampled_concordance(risks["months"], risks["censorship"], risks["risk"], resample(len(risks)))


def measured_concordance(risks: pd.DataFrame, resampled: NDArray[np.float64]) -> dict[str, float | None]:
    """Return ``c_index`` of some patients, and its standard error ``se`` over resamples; None if not defined."""
    found = concordance_index(risks["months"], risks["censorship"], risks["risk"])
    error = float(np.nanstd(resampled, ddof=1)) if found == found else 0.0
    return {"c_index": number_or_none(found), "se": error if error > 0 else None}


def added_results(risks: pd.DataFrame, clinical: Clinical) -> dict[str, Any]:
    """Return what the model adds to covariates, as the stage ``added`` judges it, and the C-index in sub-groups."""
    rows = risks[risks["patient_id"].isin(clinical.patients)]
    found = judge_protocol(select(rows, clinical)[0], (), groups=True) if len(rows) else None
    if found is None or found.facts["reason"]:
        return {"reason": found.facts["reason"] if found else "no patient has covariates"}
    arms = {arm: {key: own[key] for key in ("c_index", "lower", "upper")} for arm, own in found.facts["arms"].items()}
    names = ("reason", "differences", "likelihood_ratio", "hazard_ratio")
    return {
        **{name: found.facts[name] for name in names},
        "arms": arms,
        "covariates": [covariate.name for covariate in clinical.covariates],
        "groups": records(found.tables["groups"]),
        "tests": [row for row in records(found.tables["interactions"]) if row["p"] is not None],
    }


def describe_covariates(clinical: Clinical, patients: Sequence[str]) -> list[dict[str, Any]]:
    """Return numbers about each covariate of some patients.

    Returns
    -------
    list of dict
        ``name``, ``kind``, ``unit``, ``n`` (known values), ``missing``; of a numeric covariate ``mean``, ``sd`` and
        ``median``, of others ``levels`` (level to number of patients).
    """
    table = clinical.table.reindex(list(patients))
    return [_describe(covariate, table[covariate.name]) for covariate in clinical.covariates]


def _describe(covariate: Covariate, values: pd.Series) -> dict[str, Any]:
    known = values.dropna()
    counts = {"n": len(known), "missing": len(values) - len(known)}
    facts = {"name": covariate.name, "kind": covariate.kind, "unit": covariate.unit, **counts}
    if covariate.levels:
        return {**facts, "levels": {level: int((known == level).sum()) for level in covariate.levels}}
    if not len(known):
        return {**facts, "mean": None, "sd": None, "median": None}
    return {**facts, "mean": float(known.mean()), "sd": float(known.std(ddof=0)), "median": float(known.median())}


def describe_slides(rows: Sequence[ManifestRow], tissue: Sequence[Path]) -> dict[str, Any]:
    """Return numbers about some slides.

    Parameters
    ----------
    rows : sequence of ManifestRow
        The slides' files of features.
    tissue : sequence of Path
        Manifests of the tissue stage; without them there is no colour.

    Returns
    -------
    dict
        ``n``; ``scales``: ``level0_mpp`` and ``target_mpp`` (um/px, to three digits, to number of slides); ``colour``:
        ``n``, ``mean`` and ``sd`` of red, green and blue (0 to 255), None if it is not known.
    """
    told = [coords_attributes(Path(row.path)) for row in rows]
    scales = {
        name: dict(sorted(Counter(f"{float(own[name]):.3g}" for own in told if name in own).items())) for name in SCALES
    }
    colours = tissue_colours(tissue, [row.slide_id for row in rows])
    colour = None
    if len(colours):
        colour = {"n": len(colours), "mean": colours.mean(axis=0).tolist(), "sd": colours.std(axis=0).tolist()}
    return {"n": len(rows), "scales": scales, "colour": colour}


def describe_distances(distances: NDArray[np.float64]) -> dict[str, Any]:
    """Return quantiles (at 5 % to 95 %) of the distances of patients' features from the training mean."""
    return {"n": len(distances), "quantiles": np.quantile(distances, LEVELS).tolist()}


def fingerprints(tables: Tables, patients: Sequence[str], salt: str) -> Mapping[str, list[str]]:
    """Return the sorted hashes of the ``patients`` and of their ``genes``."""
    genes = of_genes(tables.genes_of(patients), salt) if tables.families else []
    return {"patients": sorted(of_name(name, salt) for name in patients), "genes": sorted(filter(None, genes))}
