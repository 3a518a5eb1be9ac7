"""What a prediction of CCL rests on: attention of each component, and the way of each component to the risk.

CCL has no softmax over clusters or families.  What it has are the weights by which f_c1 sums them up, and for each
channel the gate of equation (2).  With the gates, the scales of normalisations and the cuts at zero held as they are
for this patient, a component is a linear function of the vectors that f_c1 sums, so that it is a sum of one vector for
each cluster, one for each family, and a constant.  Attention is the share of a cluster's vector, by its length, in
all clusters' vectors, and likewise of families.

Shapes: S replicas, B patients, T clusters or families, d channels, n encoders of both modalities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ccl.data.batch import Batch
from ccl.methods.interface import Attention
from ccl.nn.blocks import Aggregate

if TYPE_CHECKING:
    from ccl.methods.ccl import network as ccl

WORDS = {"common": "common", "synergy": "synergistic", "free": "free"}

EPS = 1e-5
"""What PyTorch's normalisation adds to the variance."""

GENOMICS, PATHOLOGY = 0, 1


def named(encoders: Sequence[str]) -> tuple[str, ...]:
    """Return the names of components in the order of :class:`ccl.methods.ccl.decomposition.Decomposition`.

    >>> named(["common", "free", "free"])
    ('common', 'free 1', 'free 2', 'genomic-specific', 'pathology-specific')
    """
    several = {kind for kind in encoders if encoders.count(kind) > 1}
    names = [
        f"{WORDS[kind]} {encoders[: place + 1].count(kind)}" if kind in several else WORDS[kind]
        for place, kind in enumerate(encoders)
    ]
    return (*names, "genomic-specific", "pathology-specific")


@torch.no_grad()
def attention(model: ccl.Model, batch: Batch) -> Attention:
    """Return the attention of each component over the clusters and the families that it sees."""
    families, clusters = contributions(model, batch)
    return Attention(
        clusters={name: _shares(parts) for name, parts in clusters.items()},
        families={name: _shares(parts) for name, parts in families.items()},
    )


def contributions(model: ccl.Model, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the vectors (S, B, T, d) of families and of clusters in each component that sees them.

    Clusters are in the order of the batch's centres.
    """
    assert batch.centres is not None, "CCL reads centres"
    replicas = len(model.replicas)
    centres = batch.centres.expand(replicas, -1, -1, -1)
    genomics = model.genomics.looks([values.expand(replicas, -1, -1) for values in batch.genomics])
    parts = [_summed(model.genomics.aggregate, genomics)]
    parts.append(_summed(model.pathology.aggregate, model.pathology.looks(centres)))
    if model.hyper.align:
        places = model.pathology.order(centres).argsort(dim=2)
        parts[PATHOLOGY] = torch.take_along_dim(parts[PATHOLOGY], places[..., None], dim=2)
    if not model.hyper.decompose:
        return {"genomics": parts[GENOMICS]}, {"pathology": parts[PATHOLOGY]}
    sources, _ = model.encode(batch)
    families, clusters = (_decomposed(model, sources, parts, side) for side in (GENOMICS, PATHOLOGY))
    return families, clusters


def through(model: ccl.Model, batch: Batch) -> dict[str, Tensor]:
    """Return the logits once for each component; gradients pass through this one alone."""
    _, components = model.encode(batch)
    here = torch.eye(len(model.components), dtype=torch.bool, device=components.device)[..., None]
    return {
        name: model.head(model.fusion(torch.where(one, components, components.detach())))
        for name, one in zip(model.components, here, strict=True)
    }


def anchored(model: ccl.Model, batch: Batch) -> Batch:
    """Return a batch with the anchor's row in the place of each centre, in the order of the centres.

    On the straight line from there to the patient the same order fits best throughout: by the triangle inequality,
    where centres are matched by their L1 distance.  Without alignment there is no anchor, and the centres stay.
    """
    if not model.hyper.align or batch.centres is None:
        return batch
    places = model.pathology.order(batch.centres.expand(len(model.replicas), -1, -1, -1)).argsort(dim=2)
    rows = model.pathology.anchor[:, None].expand(-1, places.shape[1], -1, -1)
    return replace(batch, centres=torch.take_along_dim(rows, places[..., None], dim=2))


def _summed(aggregate: Aggregate, vectors: Tensor) -> Tensor:
    """Return what each of the vectors (S, B, T, d) contributes to their aggregate."""
    parts = aggregate.weight * vectors
    if not aggregate.standardise:
        return parts
    mixed = parts.sum(dim=2, keepdim=True) + aggregate.bias[:, :, None]
    return _standardised(parts, mixed) * (_standardised(mixed, mixed) > 0)


def _decomposed(model: ccl.Model, sources: Tensor, parts: Sequence[Tensor], side: int) -> dict[str, Tensor]:
    """Return what the parts (S, B, T, d) of one modality contribute to the components that see it."""
    layer, own = model.decomposition, parts[side]
    both = len(model.components) - 2
    replicas, width = len(own), own.shape[-1]
    weight = layer.encode.weight[:, side].view(replicas, 1 + both, width, width)
    encoded = torch.einsum("sbtd,sned->sbnte", own, weight)  # (S, B, 1 + n, T, d)
    bias = layer.encode.bias
    assert bias is not None, "the layer has a bias"
    whole = torch.einsum("sbd,sned->sbne", sources[:, :, side], weight)
    whole = (whole + bias[:, side].view(replicas, 1, 1 + both, width))[:, :, : layer.normed, None]
    scale, shift = (w[:, :, side, :, None] for w in (layer.norm_weight, layer.norm_bias))
    kept = _standardised(whole, whole) * scale + shift > 0
    normed = _standardised(encoded[:, :, : layer.normed], whole) * scale * kept
    _, projected = layer.project(sources)
    gates = layer.gates(projected)[:, :, side, :, None]  # (S, B, n, 1, d)
    if model.hyper.values == "raw":
        values = own[:, :, None]
    else:
        values = (normed if model.hyper.projection == "mlp" else encoded)[:, :, 1:]
    in_both = (gates * values).unbind(dim=2)
    return {
        **dict(zip(model.components[:both], in_both, strict=True)),
        model.components[both + side]: normed[:, :, 0],
    }


def _standardised(parts: Tensor, whole: Tensor) -> Tensor:
    """Return the parts of a normalised whole, by the scale of the whole; for the whole itself, its normalisation."""
    scale: Tensor = torch.rsqrt(whole.var(dim=-1, correction=0, keepdim=True) + EPS)
    out: Tensor = (parts - parts.mean(dim=-1, keepdim=True)) * scale
    return out


def _shares(parts: Tensor) -> Tensor:
    """Return the share (S, B, T) of each vector in the lengths of all; even where all are zero."""
    lengths: Tensor = torch.linalg.vector_norm(parts, dim=-1)
    none = (lengths == 0).all(dim=-1, keepdim=True)
    return F.normalize(lengths, p=1.0, dim=-1) + none / lengths.shape[-1]
