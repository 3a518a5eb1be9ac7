"""What the components of a trained CCL hold: each planted factor, predicted from each component by ridge regression.

Used by ``evidence.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from torch import Tensor

from ccl.data.patients import Side
from ccl.methods.interface import SurvivalModel, risk

COMPONENTS = ("C", "S", "G", "P")
"""In the order in which the network lists them."""

PENALTIES = np.logspace(-1, 5, 13)
"""Of the ridge regression; each fit picks one by leave-one-out among its own patients."""

PARTS = 5
"""Of the test patients: each is predicted from the other four."""

Array = NDArray[np.floating]


def probe(model: SurvivalModel, side: Side, truth: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the R² of each column of `truth` (P rows, those of `side`) given each representation, and cosines.

    Rows have ``replica``, ``source``, ``measure`` and ``value``.
    """
    seen = _see(model, side)
    for source, replicas in seen.items():
        for replica, values in enumerate(replicas.numpy()):
            for target, value in zip(truth.columns, r_squared(values, truth.to_numpy()), strict=True):
                yield {"replica": replica, "source": source, "measure": f"R2 {target}", "value": float(value)}
    for source in (*COMPONENTS, "F_p"):
        for modality in ("F_g", "F_p"):
            for replica, cosine in enumerate(F.cosine_similarity(seen[source], seen[modality], dim=-1).mean(dim=1)):
                yield {"replica": replica, "source": source, "measure": f"cos {modality}", "value": float(cosine)}


def probe_data(side: Side, pooled: Array, truth: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the same R² for the data themselves: the scaled genes, and `pooled` (P, D), the mean of the patches.

    The source ``their product`` is what a probe finds of the synergy where both halves of it are known: the estimate
    of one half from the genes times that of the other from the patches.
    """
    genes = torch.cat(side.genomics, dim=1).numpy()
    for source, values in {"genes": genes, "mean patch": pooled}.items():
        for target, value in zip(truth.columns, r_squared(values, truth.to_numpy()), strict=True):
            yield {"replica": 0, "source": source, "measure": f"R2 {target}", "value": float(value)}
    by_genes, by_patches = (
        _predict(values, truth[[name]].to_numpy())
        for name, values in (("synergy_gene", genes), ("synergy_slide", pooled))
    )
    value = r_squared(by_genes * by_patches, truth[["synergy"]].to_numpy())
    yield {"replica": 0, "source": "their product", "measure": "R2 synergy", "value": float(value[0])}


def r_squared(features: Array, targets: Array) -> Array:
    """Return the R² (T,) of targets (P, T), each predicted from features (P, d) of patients not fitted on."""
    left: Array = ((targets - _predict(features, targets)) ** 2).sum(axis=0)
    return 1 - left / ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)


def _predict(features: Array, targets: Array) -> Array:
    """Return targets (P, T), each predicted from features (P, d) by ridge regression on other patients."""
    # One scale for all channels: a channel that is zero but for one patient must not become large.
    values = features.astype(np.float64) / features.std()
    ridge = RidgeCV(alphas=PENALTIES, alpha_per_target=True)
    folds = KFold(PARTS, shuffle=True, random_state=0)
    predicted: Array = cross_val_predict(ridge, values, targets, cv=folds).reshape(targets.shape)
    return predicted


@torch.no_grad()
def _see(model: SurvivalModel, side: Side) -> Mapping[str, Tensor]:
    """Return each representation of the patients, (S, P, d), of a model in evaluation mode."""
    inner: Any = model.eval()
    caught: dict[str, Tensor] = {}

    def catch(module: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        caught.update(F_g=inputs[0][:, :, 0], F_p=inputs[0][:, :, 1])
        caught.update({name: output[:, :, place] for place, name in enumerate(COMPONENTS)})

    handles = [
        inner.decomposition.register_forward_hook(catch),
        inner.fusion.register_forward_hook(lambda module, inputs, output: caught.update(fused=output)),
    ]
    logits = inner(side.batch()).logits
    for handle in handles:
        handle.remove()
    assert side.centres is not None, "CCL reads centres"
    centres = side.centres.expand(len(logits), -1, -1, -1)
    if inner.hyper.align:
        centres = torch.take_along_dim(centres, inner.pathology._order(centres)[..., None], dim=2)
    return {**caught, "risk": risk(logits)[..., None], "centres": centres.flatten(2)}
