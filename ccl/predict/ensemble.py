"""The networks of a bundle, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ccl.data.batch import Batch
from ccl.data.fold import Scaler
from ccl.io.errors import CclError, InputError, ModelError
from ccl.methods.interface import SurvivalModel
from ccl.predict.card import Card, check_weights, read_card
from ccl.predict.patients import Patients
from ccl.predict.ranges import FeatureRange, GeneRange
from ccl.train.store import build_model, read_tensors


@dataclass(frozen=True)
class Network:
    """One network: of one fold and one seed."""

    model: SurvivalModel
    scalers: Mapping[str, Scaler]
    edges: NDArray[np.float64]
    """(n + 1,) months."""

    @torch.no_grad()
    def logits(
        self,
        genomics: Sequence[NDArray[np.float32]],
        centres: Tensor | None,
        bag: Tensor | None,
        device: torch.device,
    ) -> Tensor:
        """Return the logits (B, n) of patients with unscaled families (B, n_f), on the CPU."""
        scaled = [scaler.apply(values) for scaler, values in zip(self.scalers.values(), genomics, strict=True)]
        batch = Batch(tuple(torch.from_numpy(values).to(device)[None] for values in scaled), centres, None, bag)
        return self.model(batch).logits[0].cpu()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory."""

    card: Card
    networks: tuple[Network, ...]
    genes: tuple[GeneRange, ...]
    """Per family."""
    features: FeatureRange | None
    device: torch.device

    def logits(self, patients: Patients) -> Tensor:
        """Return what each of E networks says of P patients, (E, P, n); a patient's bag is read once.

        Raises
        ------
        ModelError
            A prediction is not finite.
        """
        found = [
            torch.stack([network.logits(genomics, centres, bag, self.device) for network in self.networks])
            for genomics, centres, bag in patients.parts(self.device)
        ]
        logits = torch.cat(found, dim=1)
        finite = torch.isfinite(logits).all(dim=2).all(dim=0)
        if not finite.all():
            raise ModelError(
                "a prediction is not a finite number",
                where=f"patient {patients.names[int((~finite).nonzero()[0])]}",
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
        features = None
        if card.distance_limit is not None:
            scaler = Scaler(*(tensors[f"range/features/{part}"].numpy() for part in ("mean", "scale")))
            features = FeatureRange(scaler, card.distance_limit)
    except (CclError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            "the networks of the bundle are not those of this version of ccl",
            where=str(folder),
            found=" ".join(str(error).split())[:300],
            expected=f"networks of {card.method} as ccl {card.versions.get('ccl')} has them",
            todo="use that version of ccl, or make the bundle again",
        ) from error
    return Bundle(card, networks, genes, features, device)


def _network(
    card: Card, tensors: Mapping[str, Tensor], *, fold: str, edges: Sequence[float], seed: int, device: torch.device
) -> Network:
    prefix = f"fold{fold}/"
    own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    metadata = {"method": card.method, "hyper": card.hyper, "shape": card.shape, "families": list(card.families)}
    model, scalers = build_model(metadata, own, seed, where=f"fold {fold}", device=str(device))
    return Network(model, scalers, np.asarray(edges, dtype=np.float64))


def survival_at(
    curves: NDArray[np.floating], edges: Sequence[NDArray[np.float64]], months: Sequence[float]
) -> NDArray[np.float64]:
    """Return the mean survival (P, M) of an ensemble at some months.

    A curve is 1 at 0 months and has its next value at the right edge of each interval; between, it is a straight line.
    Beyond the last edge of any fold nothing is known: NaN.

    Parameters
    ----------
    curves : (E, P, n) array
        Survival functions of E networks.
    edges : sequence of E arrays (n + 1,)
        Edges of the intervals in months.
    months : sequence of M floats
    """
    whole = np.concatenate([np.ones((*curves.shape[:2], 1)), curves], axis=2)
    found = [
        [np.interp(months, [0.0, *own[1:]], curve, right=np.nan) for curve in network]
        for network, own in zip(whole, edges, strict=True)
    ]
    mean: NDArray[np.float64] = np.mean(found, axis=0)
    return mean
