"""The networks of the Cox models (:mod:`ccl.methods.cox`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods.cox import Hyper
from ccl.methods.interface import ClosedForm, Output
from ccl.nn.replicas import Replicas

PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Candidates of the cross-validation."""

INNER_FOLDS = 5

LEAST_HAZARD = 1e-6
"""Baseline hazard of an interval in which nobody died."""


class Model(ClosedForm):
    """Log-hazard linear in the scores, and a baseline hazard for each survival interval."""

    mean: Tensor
    scale: Tensor
    baseline: Tensor
    penalty: Tensor

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas, self.hyper = replicas, hyper
        width, count = len(shape.families) + shape.features, len(replicas)
        self.weight = nn.Parameter(torch.zeros(count, width), requires_grad=False)
        self.register_buffer("mean", torch.zeros(count, width))
        self.register_buffer("scale", torch.ones(count, width))
        self.register_buffer("baseline", torch.full((count, shape.intervals), LEAST_HAZARD))
        self.register_buffer("penalty", torch.full((count,), hyper.penalty))

    def solve(self, patients: Iterable[Batch], outcomes: Outcomes) -> None:
        """Fit to the training patients; all replicas are equal."""
        x = torch.cat([_scores(batch)[0] for batch in patients]).double().cpu().numpy()
        months, dead = outcomes.months[0].double().cpu().numpy(), (outcomes.censorship[0] == 0).cpu().numpy()
        mean, scale = x.mean(axis=0), x.std(axis=0)
        scale[scale == 0] = 1.0
        x = (x - mean) / scale
        penalty = self.hyper.penalty or _choose_penalty(x, months, dead)
        weight = ridge_cox(x, months, dead, penalty)
        baseline = _baseline(x @ weight, months, dead, outcomes.labels[0].cpu().numpy(), self.baseline.shape[1])
        for target, value in (
            (self.mean, mean), (self.scale, scale), (self.weight, weight), (self.baseline, baseline),
            (self.penalty, np.float64(penalty)),
        ):  # fmt: skip
            target.copy_(torch.as_tensor(value).float().expand_as(target))

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, B, n) of ``h_k = 1 - exp(-H_k exp(x beta))``."""
        x = _scores(batch).expand(len(self.replicas), -1, -1)
        log_hazard = ((x - self.mean[:, None]) / self.scale[:, None]) @ self.weight[..., None]
        cumulative = self.baseline[:, None] * torch.exp(log_hazard)
        # The logit of h is log(h / (1 - h)) = log(exp(z) - 1).
        return Output(cumulative + torch.log(-torch.expm1(-cumulative)))

    def describe(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the penalty."""
        return {"penalty": self.penalty}


def _scores(batch: Batch) -> Tensor:
    """Return the scores that the log-hazard is linear in, (1 or S, B, columns)."""
    families = [family.mean(dim=-1, keepdim=True) for family in batch.genomics]
    return torch.cat([*families, *([] if batch.bag is None else [batch.bag.mean(dim=1, keepdim=True)])], dim=-1)


def ridge_cox(
    x: NDArray[np.float64], months: NDArray[np.float64], dead: NDArray[np.bool_], penalty: float
) -> NDArray[np.float64]:
    """Return the coefficients (d,) of a ridge Cox model.

    Parameters
    ----------
    x : (n, d) array
        Standardised columns.
    months, dead : (n,) arrays
        Follow-up, and whether it ended in death.
    penalty : float
        Above 0.
    """
    # The solution lies in the span of the patients; with more columns than patients, this problem is smaller.
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    rotated = u * s

    def loss(b: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = _log_likelihood(rotated @ b, months, dead)
        gradient: NDArray[np.float64] = -(rotated.T @ slope) / len(x) + penalty * b
        return float(-value / len(x) + penalty / 2 * (b @ b)), gradient

    found = minimize(loss, np.zeros(len(s)), jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-14})
    weights: NDArray[np.float64] = vt.T @ found.x
    return weights


def _log_likelihood(
    eta: NDArray[np.float64], months: NDArray[np.float64], dead: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float64]]:
    """Return Breslow's partial log-likelihood of log-hazards (n,), and its gradient."""
    shifted = np.exp(eta - eta.max())
    at_risk = _at_risk(shifted, months)
    value = float((eta[dead] - eta.max() - np.log(at_risk[dead])).sum())
    # Each death reduces the gradient of everyone at risk, those followed at least as long, by their hazard.
    order = np.argsort(months, kind="stable")
    taken = np.cumsum(np.where(dead, 1 / at_risk, 0.0)[order])
    last = np.searchsorted(months[order], months, side="right") - 1
    return value, dead - shifted * taken[last]


def _at_risk(hazards: NDArray[np.float64], months: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of the hazards of all patients followed at least as long as each patient."""
    order = np.argsort(months, kind="stable")
    behind = np.cumsum(hazards[order][::-1])[::-1]
    sums: NDArray[np.float64] = behind[np.searchsorted(months[order], months, side="left")]
    return sums


def _choose_penalty(x: NDArray[np.float64], months: NDArray[np.float64], dead: NDArray[np.bool_]) -> float:
    """Return the penalty with the highest cross-validated likelihood (Verweij, van Houwelingen, Stat. Med. 1993)."""
    parts = np.random.default_rng(0).permutation(len(x)) % INNER_FOLDS

    def likelihood(penalty: float) -> float:
        total = 0.0
        for part in range(INNER_FOLDS):
            kept = parts != part
            if not dead[kept].any():
                continue
            eta = x @ ridge_cox(x[kept], months[kept], dead[kept], penalty)
            total += _log_likelihood(eta, months, dead)[0] - _log_likelihood(eta[kept], months[kept], dead[kept])[0]
        return total

    return max(PENALTIES, key=likelihood)


def _baseline(
    eta: NDArray[np.float64],
    months: NDArray[np.float64],
    dead: NDArray[np.bool_],
    labels: NDArray[np.int64],
    count: int,
) -> NDArray[np.float64]:
    """Return Breslow's baseline hazard of each survival interval, (count,)."""
    at_risk = _at_risk(np.exp(eta), months)
    return np.maximum(np.bincount(labels[dead], weights=1 / at_risk[dead], minlength=count), LEAST_HAZARD)
