"""The networks of a bundle, and their predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ccl.data.batch import Batch
from ccl.data.intervals import survival_at
from ccl.data.patients import PatientData
from ccl.data.scaling import Scaler, Scalers
from ccl.io.errors import CclError, InputError, ModelError
from ccl.methods.interface import SurvivalModel
from ccl.predict.card import Card, check_weights, read_card
from ccl.predict.expression import GeneSummary
from ccl.predict.ranges import FeatureRange, GeneRange
from ccl.train.store import build_model, read_tensors

GENE_PARTS = ("mean", "scale", "quantiles")
"""Tensors of the distribution of a gene family in training."""


@dataclass(frozen=True)
class Network:
    """One network: of one fold and one seed."""

    model: SurvivalModel
    scalers: Scalers
    edges: NDArray[np.float64]
    """(n + 1,) months."""

    @torch.no_grad()
    def logits(self, batch: Batch) -> Tensor:
        """Return the logits (B, n) of patients with unscaled values, on the CPU."""
        return self.model(self.scalers.scale(batch)).logits[0].cpu()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory."""

    card: Card
    networks: tuple[Network, ...]
    genes: tuple[GeneRange, ...]
    """One for each gene family."""
    features: FeatureRange | None
    trained_genes: tuple[GeneSummary, ...] | None
    """The distribution of each gene family in training; None in a bundle of an earlier version."""

    @property
    def corners(self) -> NDArray[np.float64]:
        """(T,) months, from 0 to the end of the shortest curve, between which the mean survival is linear."""
        edges = [network.edges[1:] for network in self.networks]
        corners = np.unique(np.concatenate([[0.0], *edges]))
        within: NDArray[np.float64] = corners[corners <= min(own[-1] for own in edges)]
        return within

    def logits(self, data: PatientData) -> Tensor:
        """Return the predictions of E networks for P patients with unscaled genes, (E, P, n).

        A patient's bag is read once for all networks.

        Raises
        ------
        ModelError
            A prediction is not finite.
        """
        batches = (torch.stack([network.logits(batch) for network in self.networks]) for batch in data.batches())
        logits = torch.cat(list(batches), dim=1)
        finite = torch.isfinite(logits).all(dim=2).all(dim=0)
        if not finite.all():
            raise ModelError(
                "a prediction is not a finite number",
                where=f"patient {data.patients[int((~finite).nonzero()[0])]}",
                found=f"{int((~finite).sum())} such patients of {len(finite)}",
                todo="look for extreme values in this patient's data",
            )
        return logits


def load_bundle(folder: Path, device: torch.device) -> Bundle:
    """Load the networks of a bundle; nothing in it is executed.

    Raises
    ------
    InputError
        There is no such bundle, it was changed, or its networks are not those of this version of ccl.
    """
    card = read_card(folder)
    path = check_weights(folder, card)
    _, tensors = read_tensors(path)
    try:
        networks = tuple(
            _network(card, tensors, fold=str(fold["fold"]), edges=fold["interval_edges"], seed=seed, device=device)
            for fold in card.folds
            for seed in card.seeds
        )
        genes = tuple(
            GeneRange(*(tensors[f"range/genes/{family}/{end}"].numpy() for end in ("low", "high")))
            for family in card.families
        )
        trained = _trained_genes(card, tensors) if card.training else None
        features = None
        if card.distance_limit is not None:
            scaler = Scaler(*(tensors[f"range/features/{part}"].numpy() for part in ("mean", "scale")))
            features = FeatureRange(scaler, card.distance_limit)
    except (CclError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(
            "the networks of the bundle are not those of this version of ccl",
            where=str(folder),
            found=" ".join(str(error).split())[:300],
            expected=f"networks of {card.method} as in ccl {card.versions.get('ccl')}",
            todo="use that version of ccl, or make the bundle again",
        ) from error
    return Bundle(card, networks, genes, features, trained)


def _trained_genes(card: Card, tensors: Mapping[str, Tensor]) -> tuple[GeneSummary, ...]:
    found = []
    for family in card.families:
        mean, scale, quantiles = (tensors[f"training/genes/{family}/{part}"].numpy() for part in GENE_PARTS)
        found.append(GeneSummary(Scaler(mean, scale), quantiles))
    return tuple(found)


def _network(
    card: Card, tensors: Mapping[str, Tensor], *, fold: str, edges: Sequence[float], seed: int, device: torch.device
) -> Network:
    prefix = f"fold{fold}/"
    own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    metadata = {"method": card.method, "hyper": card.hyper, "shape": card.shape, "families": list(card.families)}
    model, scalers = build_model(metadata, own, seed, where=f"fold {fold}", device=str(device))
    return Network(model, scalers, np.asarray(edges, dtype=np.float64))


def mean_survival(
    curves: NDArray[np.floating], edges: Sequence[NDArray[np.float64]], months: Sequence[float]
) -> NDArray[np.float64]:
    """Return the mean survival (P, M) of an ensemble at some months; NaN beyond the last edge of any network.

    Parameters
    ----------
    curves : (E, P, n) array
        Survival functions of E networks.
    edges : sequence of E arrays (n + 1,)
        Edges of their intervals in months.
    months : sequence of M floats
    """
    found = [survival_at(own, its_edges, months) for own, its_edges in zip(curves, edges, strict=True)]
    mean: NDArray[np.float64] = np.mean(found, axis=0)
    return mean
