"""How often the stage `added` finds a gain where there is none, on simulated cohorts.

    python benchmarks/added.py [--cohorts 60] [--patients 150 400]

There are four covariates, of which three affect survival.  The models are: a risk drawn at random; ridge Cox models,
trained fold by fold, of the covariates alone (a copy of the clinical score), of 30 columns of noise, and of both; and,
for comparison, a factor that does affect survival.  For each model the program prints the mean difference of both
together to the covariates, how often its interval lies above 0, the same if the covariates are fitted again together
with the risk, and how often the p-value of the likelihood-ratio test is below 0.05.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.added.arms import Prediction, cross_fit, predict_arms
from ccl.added.association import associate
from ccl.added.patients import Patients, select
from ccl.added.resample import concordances, differences
from ccl.io.covariates import Clinical, Covariate
from ccl.methods.cox.ridge import ridge_cox

Array = NDArray[np.float64]

FOLDS, NOISE, LIGHT, HEAVY = 5, 30, 0.01, 0.1
WEIGHTS = {"a": 0.5, "b": 0.3, "c": 0.3, "d": 0.0}
FACTOR = 0.5

Parts = Mapping[str, Array]

MODELS: Mapping[str, Callable[[Parts], tuple[Array, float]]] = {
    "copy of the clinical score": lambda parts: (parts["covariates"], LIGHT),
    "noise, trained": lambda parts: (parts["noise"], HEAVY),
    "covariates and noise, trained": lambda parts: (np.hstack([parts["covariates"], parts["noise"]]), HEAVY),
}


def draw(seed: int, model: str, patients: int) -> Patients:
    """Return a cohort with the risks of a model."""
    rng = np.random.default_rng(seed)
    parts = {"covariates": rng.normal(size=(patients, len(WEIGHTS))), "noise": rng.normal(size=(patients, NOISE))}
    factor = rng.normal(size=patients)
    strength = FACTOR if model == "factor" else 0.0
    log_hazard = parts["covariates"] @ np.array(list(WEIGHTS.values())) + strength * factor
    death, end = rng.exponential(30 * np.exp(-log_hazard)), rng.uniform(5, 80, patients)
    months, dead, fold = np.minimum(death, end), death <= end, rng.permutation(patients) % FOLDS
    risk = factor  # affects survival only if it is the model
    if model in MODELS:
        x, penalty = MODELS[model](parts)
        risk = np.empty(patients)
        for here in (fold == number for number in range(FOLDS)):
            risk[here] = x[here] @ ridge_cox(x[~here], months[~here], dead[~here], np.full(x.shape[1], penalty))
    names = [f"P{number:04d}" for number in range(patients)]
    covariates = pd.DataFrame(parts["covariates"], columns=list(WEIGHTS), index=names)
    clinical = Clinical(covariates, tuple(Covariate(name, "numeric") for name in WEIGHTS), {})
    outcome = {"fold": fold, "months": months, "censorship": (~dead).astype(int), "risk": risk}
    return select(pd.DataFrame({"patient_id": names, **outcome}), clinical)[0]


def fitted_anew(patients: Patients) -> Prediction:
    """Return the prediction of both together if the covariates were fitted again together with the risk."""
    x = np.column_stack([patients.covariates, patients.standardised])
    return cross_fit(patients, dict.fromkeys(patients.folds, x))


def measure(patients: Patients) -> list[float]:
    """Return the difference, whether it is a gain, both with covariates fitted again, and whether p is below 0.05."""
    arms = predict_arms(patients)
    row: list[float] = []
    for both in (arms["both"], fitted_anew(patients)):
        gain = differences(concordances([(patients, {**arms, "both": both})]))["both"]
        row += [gain["difference"], gain["lower"] > 0]
    p = associate(patients)["likelihood_ratio"]["p"]
    return [*row, p is not None and p < 0.05]


def main() -> None:
    """Print a row for each model and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=60, help="simulated cohorts of each kind")
    parser.add_argument("--patients", type=int, nargs="+", default=[150, 400], help="patients of a cohort")
    options = parser.parse_args()
    print("model                          patients  difference   gain  fitted anew   gain  p<0.05")
    for model in ("drawn at random", *MODELS, "factor"):
        for patients in options.patients:
            rows = [measure(draw(seed, model, patients)) for seed in range(options.cohorts)]
            own, gain, anew, wrong, test = np.mean(rows, axis=0)
            print(
                f"{model:30} {patients:8}  {own:+10.4f} {gain:6.0%}  {anew:+11.4f} {wrong:6.0%} {test:7.0%}", flush=True
            )


if __name__ == "__main__":
    main()
