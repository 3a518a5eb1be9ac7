"""The networks of the Cox models (:mod:`ccl.methods.cox`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods.cox import Hyper
from ccl.methods.cox.ridge import Array, Deaths, at_risk, log_likelihood, ridge_cox
from ccl.methods.interface import ClosedForm, Output
from ccl.nn.replicas import Replicas

PENALTIES = tuple(float(10 ** (half / 2)) for half in range(-4, 11))
"""Candidates of the cross-validation: 0.01 to 100,000."""

INNER_FOLDS = 5

RANK_TOLERANCE = 1e-10
"""Principal components with a smaller share of the largest variance are rounding errors."""

LEAST_HAZARD = 1e-6
"""Baseline hazard of an interval in which nobody died."""

MOST_LOG_HAZARD = 60.0
"""Log-hazards are limited to this size, at which survival is 0 or 1 to all digits of a float32; more would overflow."""


class Model(ClosedForm):
    """Log-hazard linear in the scores, and a baseline hazard for each survival interval."""

    takes_clinical = True
    takes_incomplete = True

    mean: Tensor
    scale: Tensor
    baseline: Tensor
    penalty: Tensor

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas, self.hyper = replicas, hyper
        genes = sum(shape.families) if hyper.genes == "columns" else len(shape.families)
        self.features = shape.features
        self.indicators = shape.n_tables + shape.lacks_slides
        self.light = self.indicators + shape.clinical
        width, count = self.light + genes + shape.features + shape.vectors, len(replicas)
        self.weight = nn.Parameter(torch.zeros(count, width), requires_grad=False)
        self.register_buffer("mean", torch.zeros(count, width))
        self.register_buffer("scale", torch.ones(count, width))
        self.register_buffer("baseline", torch.full((count, shape.intervals), LEAST_HAZARD))
        self.register_buffer("penalty", torch.full((count,), hyper.penalty))
        for number, tables in enumerate(shape.tables):
            self.register_buffer(f"tables_{number}", torch.tensor(tables), persistent=False)

    def solve(self, patients: Iterable[Batch], outcomes: Outcomes) -> None:
        """Fit to the training patients; all replicas are equal."""
        x = torch.cat([self._scores(batch)[0] for batch in patients]).double().cpu().numpy()
        months, dead = outcomes.months[0].double().cpu().numpy(), (outcomes.censorship[0] == 0).cpu().numpy()
        # A column that no patient has counts as zero.
        x = np.where(np.isnan(x).all(axis=0), 0.0, x)
        mean, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
        scale[scale == 0] = 1.0
        x = (x - mean) / scale
        x[np.isnan(x)] = 0.0
        weight, penalty = self._fit(x, months, dead)
        baseline = _baseline(x @ weight, months, dead, outcomes.labels[0].cpu().numpy(), self.baseline.shape[1])
        for target, value in (
            (self.mean, mean), (self.scale, scale), (self.weight, weight), (self.baseline, baseline),
            (self.penalty, np.float64(penalty)),
        ):  # fmt: skip
            target.copy_(torch.as_tensor(value).float().expand_as(target))

    def _fit(self, x: Array, months: Array, dead: Deaths) -> tuple[Array, float]:
        """Return the coefficients (d,) and the penalty of genes and slides."""
        light, heavy = x[:, : self.light], x[:, self.light :]
        gram, penalty = heavy @ heavy.T, self.hyper.penalty
        if not penalty and heavy.size:
            penalty = choose_penalty(light, gram, months, dead, self.hyper.clinical_penalty)
        # The solution lies in the span of the patients, so their principal components take the place of the columns.
        directions = _directions(gram)
        components = gram @ directions
        columns, penalties = _with_components(light, components, self.hyper.clinical_penalty, penalty)
        found = ridge_cox(columns, months, dead, penalties)
        return np.concatenate([found[: self.light], heavy.T @ (directions @ found[self.light :])]), penalty

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, B, n) of ``h_k = 1 - exp(-H_k exp(x beta))``."""
        x = self._scores(batch).expand(len(self.replicas), -1, -1)
        scaled = (x - self.mean[:, None]) / self.scale[:, None]
        if self.indicators:  # a missing value counts as the training mean
            scaled = scaled.masked_fill(torch.isnan(x), 0.0)
        log_hazard = (scaled @ self.weight[..., None]).clamp(-MOST_LOG_HAZARD, MOST_LOG_HAZARD)
        cumulative = self.baseline[:, None] * torch.exp(log_hazard)
        # The logit of h is log(h / (1 - h)) = log(exp(z) - 1).
        return Output(cumulative + torch.log(-torch.expm1(-cumulative)))

    def describe(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the penalty."""
        return {"penalty": self.penalty}

    def _scores(self, batch: Batch) -> Tensor:
        """Return the columns that the log-hazard is linear in, (1 or S, B, columns); NaN where a patient lacks a part.

        First the indicators of missing parts, then covariates, genes, slides and vectors.
        """
        genes = self._genes(batch)
        if self.hyper.genes == "family-means":
            mean = torch.mean if batch.present is None else torch.nanmean
            genes = [mean(family, dim=-1, keepdim=True) for family in genes]
        clinical = [] if batch.clinical is None else [batch.clinical]
        vectors = [] if batch.vectors is None else [batch.vectors]
        columns = [*self._indicators(batch), *clinical, *genes, *self._slides(batch), *vectors]
        return torch.cat(columns, dim=-1)

    def _indicators(self, batch: Batch) -> list[Tensor]:
        """Return a column (1, B, 1) for each part that patients may lack: 1 where one lacks it."""
        if not self.indicators:
            return []
        if batch.present is None:
            like = batch.genomics[0]
            return [like.new_zeros(*like.shape[:2], self.indicators)]
        parts = [batch.present.tables] + ([] if batch.present.slides is None else [batch.present.slides[..., None]])
        return [(~part).to(batch.genomics[0].dtype) for part in parts]

    def _genes(self, batch: Batch) -> list[Tensor]:
        """Return the families (1, B, n_f), with NaN in the columns of missing tables."""
        if batch.present is None:
            return list(batch.genomics)
        return [
            values.masked_fill(~batch.present.tables[..., getattr(self, f"tables_{number}")], torch.nan)
            for number, values in enumerate(batch.genomics)
        ]

    def _slides(self, batch: Batch) -> list[Tensor]:
        """Return the mean patch (1, 1, D), NaN for a patient without slides; nothing if no slides are read."""
        if batch.bag is None:
            return []
        if batch.present is None or batch.present.slides is None or bool(batch.present.slides.all()):
            return [batch.bag.mean(dim=1, keepdim=True)]
        return [batch.bag.new_full((len(batch.bag), 1, self.features), torch.nan)]


def choose_penalty(light: Array, gram: Array, months: Array, dead: Deaths, light_penalty: float) -> float:
    """Return the penalty with the highest cross-validated likelihood (Verweij, van Houwelingen, Stat. Med. 1993).

    Parameters
    ----------
    light : (n, c) array
        Columns with the penalty `light_penalty`.
    gram : (n, n) array
        Inner products of the patients in all other columns.
    months, dead : (n,) arrays
        Follow-up, and whether it ended in death.
    light_penalty : float
        Above 0.
    """
    parts = np.random.default_rng(0).permutation(len(gram)) % INNER_FOLDS
    likelihood = dict.fromkeys(PENALTIES, 0.0)
    for part in range(INNER_FOLDS):
        kept = parts != part
        if not dead[kept].any():
            continue
        components = gram[:, kept] @ _directions(gram[np.ix_(kept, kept)])
        found = None
        for penalty in reversed(PENALTIES):
            x, penalties = _with_components(light, components, light_penalty, penalty)
            found = ridge_cox(x[kept], months[kept], dead[kept], penalties, start=found)
            eta = x @ found
            likelihood[penalty] += log_likelihood(eta, months, dead)[0]
            likelihood[penalty] -= log_likelihood(eta[kept], months[kept], dead[kept])[0]
    return max(PENALTIES, key=lambda penalty: likelihood[penalty])


def _directions(gram: Array) -> Array:
    """Return the matrix (n, r) that turns inner products with n patients into principal components."""
    values, vectors = np.linalg.eigh(gram)
    there = values > RANK_TOLERANCE * max(values.max(initial=0.0), RANK_TOLERANCE)
    directions: Array = vectors[:, there] / np.sqrt(values[there])
    return directions


def _with_components(light: Array, components: Array, light_penalty: float, penalty: float) -> tuple[Array, Array]:
    """Return the columns (n, c + r) of a fit, and the penalty (c + r,) of each."""
    penalties = np.repeat([light_penalty, penalty], [light.shape[1], components.shape[1]])
    return np.hstack([light, components]), penalties


def _baseline(
    eta: Array,
    months: Array,
    dead: Deaths,
    labels: NDArray[np.int64],
    count: int,
) -> Array:
    """Return Breslow's baseline hazard of each survival interval, (count,)."""
    increments = 1 / at_risk(np.exp(eta), months)[dead]
    return np.maximum(np.bincount(labels[dead], weights=increments, minlength=count), LEAST_HAZARD)
