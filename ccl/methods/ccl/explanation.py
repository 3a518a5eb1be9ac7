"""Attention of CCL: how much each cluster and each gene family contributes to each component.

CCL has no softmax over clusters or families.  It has the weights by which f_c1 sums them up, and for each channel the
gate of equation (2).  With the gates, the scales of normalisations and the cuts at zero fixed at their values for this
patient, a component is a linear function of the vectors that f_c1 sums.  So it is a sum of one vector per cluster, one
per family, and a constant.  Attention is the length of a cluster's vector as a share of the lengths of all clusters'
vectors, and likewise for families.

Shapes: S replicas, B patients, T clusters or families, d channels, n encoders of both modalities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ccl.data.batch import Batch
from ccl.methods.ccl.encoder import Encoder
from ccl.methods.interface import Attention
from ccl.nn.blocks import Aggregate

EPS = 1e-5
"""The constant that PyTorch's normalisation adds to the variance."""

GENOMICS, PATHOLOGY = 0, 1


@torch.no_grad()
def attention(model: Encoder, batch: Batch) -> Attention:
    """Return the attention of each component over the clusters and the families that it sees."""
    families, clusters = contributions(model, batch)
    return Attention(
        clusters={name: _shares(parts) for name, parts in clusters.items()},
        families={name: _shares(parts) for name, parts in families.items()},
    )


def contributions(model: Encoder, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the vectors (S, B, T, d) of families and of clusters in each component that sees them.

    Clusters are in the order of the batch's centres.
    """
    genomics, centres = model.inputs(batch)
    parts = [_summed(model.genomics.aggregate, model.genomics.encode(genomics))]
    parts.append(_summed(model.pathology.aggregate, model.pathology.encode(centres)))
    if model.hyper.align:
        places = model.pathology.order(centres).argsort(dim=2)
        parts[PATHOLOGY] = torch.take_along_dim(parts[PATHOLOGY], places[..., None], dim=2)
    if not model.hyper.decompose:
        return {"genomics": parts[GENOMICS]}, {"pathology": parts[PATHOLOGY]}
    sources, _ = model.encode(batch)
    families, clusters = (_decomposed(model, sources, parts, side) for side in (GENOMICS, PATHOLOGY))
    return families, clusters


def _summed(aggregate: Aggregate, vectors: Tensor) -> Tensor:
    """Return the contribution of each of the vectors (S, B, T, d) to their aggregate."""
    parts = aggregate.weight * vectors
    if not aggregate.standardise:
        return parts
    mixed = parts.sum(dim=2, keepdim=True) + aggregate.bias[:, :, None]
    return _standardised(parts, mixed) * (_standardised(mixed, mixed) > 0)


def _decomposed(model: Encoder, sources: Tensor, parts: Sequence[Tensor], side: int) -> dict[str, Tensor]:
    """Return the contributions of the parts (S, B, T, d) of one modality to the components that see it."""
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
    """Return the parts of a normalised sum, scaled as the sum `whole` is; for `whole` itself, its normalisation."""
    scale: Tensor = torch.rsqrt(whole.var(dim=-1, correction=0, keepdim=True) + EPS)
    out: Tensor = (parts - parts.mean(dim=-1, keepdim=True)) * scale
    return out


def _shares(parts: Tensor) -> Tensor:
    """Return each vector's share (S, B, T) of the total length; equal shares if all are zero."""
    lengths: Tensor = torch.linalg.vector_norm(parts, dim=-1)
    none = (lengths == 0).all(dim=-1, keepdim=True)
    return F.normalize(lengths, p=1.0, dim=-1) + none / lengths.shape[-1]
