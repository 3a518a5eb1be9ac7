"""The planted risk: latent factors of a patient, the log-risk they make, and the follow-up drawn from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import expon, norm

from ccl.demo.hospital import HOSPITALS, Hospital

LATENTS = ("shared", "pathology", "genomics", "synergy_slide", "synergy_gene")
"""``shared`` shows in slides and genes, ``pathology`` and ``synergy_slide`` in slides, the others in genes."""

WEIBULL_SHAPE = 2.5
"""Weibull shape of the times of death; it sets their spread, and does not change their order."""

STUDY_MONTHS = 84.0
"""Administrative end of follow-up, counted from the entry of the first patient."""

FIRST = HOSPITALS["first"]

CANDIDATES = 256
"""Number of draws of the latents; the least correlated draw is kept."""


@dataclass(frozen=True)
class Risk:
    """The patients' latent factors and log-risk."""

    latents: pd.DataFrame
    """(P, 5) one column per name in :data:`LATENTS`; each holds the P normal scores in some order."""
    parts: pd.DataFrame
    """(P, 4) weighted parts of the log-risk: ``shared``, ``pathology``, ``genomics``, ``synergy``; and ``unseen`` in a
    hospital that has it."""

    @property
    def log_risk(self) -> NDArray[np.float64]:
        """Log-hazard ratio of each patient, (P,)."""
        return self.parts.sum(axis=1).to_numpy()


def draw_risk(patients: int, rng: np.random.Generator, hospital: Hospital = FIRST) -> Risk:
    """Draw the latents and weigh them into the parts of the log-risk.

    Each latent is a permutation of the normal scores, so even a small cohort covers the whole range.  Of many
    permutations, the one is kept in which the latents and the product of the two synergy latents correlate least.
    Otherwise a chance correlation of 0.3, common among 40 patients, would give the product a main effect.
    """
    scores = norm.ppf((np.arange(patients) + 0.5) / patients)
    scores /= scores.std()
    best, least = np.empty(0), np.inf
    for _ in range(CANDIDATES):
        drawn = np.stack([rng.permutation(scores) for _ in LATENTS], axis=1)
        product = drawn[:, 3] * drawn[:, 4]
        correlation = np.corrcoef(np.column_stack([drawn, product]), rowvar=False)
        worst = np.abs(correlation - np.eye(len(correlation))).max()
        if worst < least:
            best, least = drawn, worst
    latents = pd.DataFrame(best, columns=list(LATENTS))
    sources = latents[["shared", "pathology", "genomics"]].assign(
        synergy=latents["synergy_slide"] * latents["synergy_gene"]
    )
    parts = sources * pd.Series(hospital.weights)
    if hospital.unseen:
        parts["unseen"] = hospital.unseen * rng.permutation(scores)
    return Risk(latents, parts)


def draw_follow_up(log_risk: NDArray[np.float64], rng: np.random.Generator, hospital: Hospital = FIRST) -> pd.DataFrame:
    """Draw times of death from a Weibull law, and censor half of the patients, or as many as the hospital has.

    As with the latents, the cumulative hazards at death are the exponential law's quantiles in some order.
    Patients enter evenly over the first 70 % of the study and some drop out early.  A patient's time at risk is
    ``c`` times the length of the study, so death is observed if the study is longer than ``death / c``.  The
    median of these ratios is the length at which half of the deaths are observed; it becomes :data:`STUDY_MONTHS`.
    In another hospital the same time stays one month, and its own study is as long as its share of deaths needs.

    Returns
    -------
    DataFrame
        ``months`` (0.1 or more, to one decimal, so that ties occur) and ``censorship`` (1 = censored).
    """
    patients = log_risk.size
    hazard = expon.ppf((rng.permutation(patients) + 0.5) / patients)
    death = (hazard / np.exp(log_risk)) ** (1 / WEIBULL_SHAPE)
    at_risk = np.minimum(rng.uniform(0.3, 1.0, patients), rng.exponential(3.0, patients))
    usual = np.median(death / at_risk)
    death = death * hospital.hazard ** (-1 / WEIBULL_SHAPE)
    study = np.quantile(death / at_risk, hospital.observed)
    months = np.minimum(death, study * at_risk) * STUDY_MONTHS / usual
    censorship = (death > study * at_risk).astype(int)
    return pd.DataFrame({"months": months.round(1).clip(0.1), "censorship": censorship})
