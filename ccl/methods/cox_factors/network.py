"""The network of the Cox models on factors (:mod:`ccl.methods.cox_factors`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods.cox.linear import PENALTIES, LinearCox, follow_up, judge_penalties, standardised
from ccl.methods.cox.ridge import Array, Deaths, log_likelihood
from ccl.methods.cox_factors import Hyper
from ccl.methods.cox_factors.factors import Components, Phenotypes, sample
from ccl.methods.cox_factors.screening import screen
from ccl.nn.replicas import Replicas

COUNTS = (1, 3, 6)
"""Candidates for the number of factors of a gene family."""

Patients = Callable[[], Iterable[Batch]]


class Model(LinearCox):
    """A Cox model whose columns are factors of genes, factors of slides, and some products of the two."""

    kept: Tensor
    chosen: Tensor
    p_values: Tensor

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        self.counts = (hyper.factors,) if hyper.factors else COUNTS
        self.n_genes, seeds = self.counts[-1] * len(shape.families), len(replicas)
        slides = Phenotypes(seeds, shape.features, hyper.phenotypes, hyper.looks) if shape.features else None
        self.n_slides = slides.count if slides else 0
        products = min(hyper.products, self.n_genes * self.n_slides)
        super().__init__(shape, hyper, replicas, heavy=self.n_genes + self.n_slides + products)
        self.families: Sequence[Components] = nn.ModuleList(  # type: ignore[assignment]
            Components(seeds, size, self.counts[-1]) for size in shape.families
        )
        self.phenotypes = slides
        # A product is the place of its gene factor times the number of slide factors, plus that of its slide factor.
        self.register_buffer("kept", torch.zeros(seeds, dtype=torch.long))
        self.register_buffer("chosen", torch.zeros(seeds, products, dtype=torch.long))
        self.register_buffer("p_values", torch.ones(seeds, products))

    def solve(self, patients: Patients, outcomes: Outcomes) -> None:
        """Find the factors, choose how many a family has, choose the products, and fit."""
        months, dead = follow_up(outcomes)
        light, genes, sampled = self._find_genes(patients)
        slides = self._find_slides(patients, sampled, len(genes))
        genes = self._prune(light, genes, slides, months, dead)
        products = self._choose_products(np.hstack([light, genes, slides]), genes, slides, months, dead)
        self.settle(np.hstack([light, genes, slides, products]), outcomes)

    def heavy(self, batch: Batch) -> list[Tensor]:
        """Return the columns (S, B, ...): factors of genes, factors of slides, and products."""
        genes = self._gene_factors(self.genes(batch))
        slides = self._slides(batch, genes)
        gene, slide = self.chosen // max(self.n_slides, 1), self.chosen % max(self.n_slides, 1)
        of = [place[:, None].expand(-1, genes.shape[1], -1) for place in (gene, slide)]
        return [genes, slides, genes.gather(2, of[0]) * slides.gather(2, of[1])]

    def describe(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the penalty, the factors of a family, and each product: its gene factor, slide factor and p-value."""
        facts = {**super().describe(batch), "factors_of_a_family": self.kept}
        for number in range(self.chosen.shape[1]):
            place = self.chosen[:, number]
            facts |= {
                f"product_{number + 1}_gene_factor": place // self.n_slides,
                f"product_{number + 1}_slide_factor": place % self.n_slides,
                f"product_{number + 1}_p": self.p_values[:, number],
            }
        return facts

    def _light(self, batch: Batch) -> Tensor:
        like = batch.genomics[0]
        return torch.cat([like.new_empty(1, like.shape[1], 0), *self.light_columns(batch)], dim=-1)

    def _gene_factors(self, genes: Sequence[Tensor]) -> Tensor:
        return torch.cat([family(values) for family, values in zip(self.families, genes, strict=True)], dim=-1)

    def _slides(self, batch: Batch, like: Tensor) -> Tensor:
        """Return the slide factors; NaN for patients without slides."""
        if self.phenotypes is None or batch.bag is None or not batch.bag.shape[1]:
            return like.new_full((*like.shape[:2], self.n_slides), torch.nan)
        factors: Tensor = self.phenotypes(batch.bag)
        return factors

    def _find_genes(self, patients: Patients) -> tuple[Array, Array, list[NDArray[np.float32]]]:
        """Find the gene factors; return the light columns (P, l), the factors (P, g), and patches of each bag."""
        light, genes, sampled = [], [], []
        for batch in patients():
            light.append(self._light(batch))
            genes.append(self.genes(batch))
            if batch.bag is not None and batch.bag.shape[1]:
                sampled.append(sample(batch.bag))
        for number, family in enumerate(self.families):
            family.fit(np.concatenate([_numbers(row[number]) for row in genes]))
        factors = [_numbers(self._gene_factors(row)) for row in genes]
        return np.concatenate([_numbers(part) for part in light]), np.concatenate(factors), sampled

    def _find_slides(self, patients: Patients, sampled: Sequence[NDArray[np.float32]], count: int) -> Array:
        """Find the slide factors; return them, (P, s), NaN for patients without slides."""
        slides = np.full((count, self.n_slides), np.nan)
        if self.phenotypes is None:
            return slides
        self.phenotypes.find(np.concatenate(sampled))
        bags = ((number, batch.bag) for number, batch in enumerate(patients()))
        found = {number: self.phenotypes.describe(bag) for number, bag in bags if bag is not None and bag.shape[1]}
        self.phenotypes.fit(*(np.concatenate([_numbers(part[k]) for part in found.values()]) for k in range(2)))
        for number, described in found.items():
            slides[number] = _numbers(self.phenotypes.factors(*described))[0]
        return slides

    def _prune(self, light: Array, genes: Array, slides: Array, months: Array, dead: Deaths) -> Array:
        """Choose the number of factors of a family by cross-validation; return the gene factors, zero if not kept."""
        within = np.arange(self.n_genes) % self.counts[-1]
        penalties = (self.penalties.penalty,) if self.penalties.penalty else PENALTIES

        def likelihood(count: int) -> float:
            heavy = standardised(np.hstack([genes * (within < count), slides]))[0]
            known = standardised(light)[0]
            judged = judge_penalties(known, heavy @ heavy.T, months, dead, self.penalties.clinical_penalty, penalties)
            return max(judged.values())

        count = max(self.counts, key=likelihood) if len(self.counts) > 1 else self.counts[0]
        self.kept.fill_(count)
        for family in self.families:
            family.keep(count)
        return genes * (within < count)

    def _choose_products(self, linear: Array, genes: Array, slides: Array, months: Array, dead: Deaths) -> Array:
        """Choose the products by what the model without products leaves; return them, (P, m)."""
        if not self.chosen.shape[1]:
            return np.empty((len(genes), 0))
        columns = standardised(linear)[0]
        residual = log_likelihood(columns @ self.fit(columns, months, dead)[0], months, dead)[1]
        products = (genes[:, :, None] * slides[:, None, :]).reshape(len(genes), -1)
        best, p = screen(standardised(products)[0], residual, self.chosen.shape[1])
        self.chosen.copy_(torch.as_tensor(best).expand_as(self.chosen))
        self.p_values.copy_(torch.as_tensor(p).expand_as(self.p_values))
        return products[:, best]


def _numbers(part: Tensor) -> Array:
    """Return the values of one replica in double precision."""
    return part[0].double().cpu().numpy()
