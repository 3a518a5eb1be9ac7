"""The decomposition into common and specific knowledge: equations (1) to (3) of CCL (:mod:`ccl.methods.ccl`).

Shapes: S replicas, B patients, d channels, n encoders of both modalities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.methods.ccl import Hyper
from ccl.nn.replicas import Linear, Replicas

WORDS = {"common": "common", "synergy": "synergistic", "free": "free"}


def name_components(encoders: Sequence[str]) -> tuple[str, ...]:
    """Return the names of components in the order of :class:`Decomposition`.

    >>> name_components(["common", "free", "free"])
    ('common', 'free 1', 'free 2', 'genomic-specific', 'pathology-specific')
    """
    several = {kind for kind in encoders if encoders.count(kind) > 1}
    names = [
        f"{WORDS[kind]} {encoders[: place + 1].count(kind)}" if kind in several else WORDS[kind]
        for place, kind in enumerate(encoders)
    ]
    return (*names, "genomic-specific", "pathology-specific")


def seen_components(encoders: Sequence[str], there: Tensor) -> Tensor:
    """Return which components (S, B, n + 2) can be told of patients whose modalities are `there`, (S, B, 2) bool.

    Common knowledge is in either modality, and free encoders read what there is.  Synergy is in neither modality alone,
    so it needs both.
    """
    both = there.all(dim=-1)
    needs = [both if kind == "synergy" else torch.ones_like(both) for kind in encoders]
    return torch.stack([*needs, *there.unbind(dim=-1)], dim=-1)


class Decomposition(nn.Module):
    """Equations (1) to (3): from F_g and F_p to the knowledge of both modalities and of each one.

    The co-attention matrix of two vectors is their outer product.  A linear layer maps each of its rows to a scalar
    times an entry: ``(p g^T) w = (w . g) p``.  The d x d matrix itself is therefore never computed.
    """

    def __init__(self, replicas: Replicas, hyper: Hyper) -> None:
        super().__init__()
        self.hyper, width, encoders = hyper, hyper.width, len(hyper.encoders)
        # One product for a modality's own encoder and its side of the n encoders of both.
        self.encode = Linear(replicas, width, (1 + encoders) * width, maps=(2,))
        self.normed = 1 + encoders if hyper.projection == "mlp" else 1
        ones = torch.ones(len(replicas), 1, 2, self.normed, width, device=replicas.device)
        self.norm_weight, self.norm_bias = nn.Parameter(ones), nn.Parameter(torch.zeros_like(ones))
        bound = width**-0.5
        self.gate_weight = nn.Parameter(replicas.within(bound, 1, 2, encoders, width))
        self.gate_bias = nn.Parameter(replicas.within(bound, 1, 2, encoders, 1))

    def forward(self, sources: Tensor, there: Tensor | None = None) -> Tensor:
        """Map F_g and F_p, (S, B, 2, d), to the components (S, B, n + 2, d), G and P last.

        Where `there` (S, B, 2) is False, the modality is missing: its F and the projection of it are zero, so it enters
        neither equation (2) nor the gate of the other modality.
        """
        specific, projected = self.project(sources)
        if there is not None:
            projected = projected * there[..., None, None]
        values = projected if self.hyper.values == "projected" else sources[..., None, :]
        return torch.cat([(self.gates(projected) * values).sum(dim=2), specific], dim=2)  # equation (2), then G and P

    def project(self, sources: Tensor) -> tuple[Tensor, Tensor]:
        """Return G and P of equation (1), (S, B, 2, d), and fc of equation (3) for n encoders, (S, B, 2, n, d)."""
        encoded = self.encode(sources.transpose(1, 2)).transpose(1, 2).unflatten(-1, (-1, self.hyper.width))
        normed = F.layer_norm(encoded[..., : self.normed, :], (self.hyper.width,))
        normed = torch.relu(torch.addcmul(self.norm_bias, normed, self.norm_weight))  # (S, B, 2, 1 or 1 + n, d)
        return normed[..., 0, :], (normed if self.hyper.projection == "mlp" else encoded)[..., 1:, :]

    def gates(self, projected: Tensor) -> Tensor:
        """Return the attention of equation (3), (S, B, 2, n, d)."""
        # One row of A or of its transpose at a time: each modality is weighted by a sum over the other.
        attention = torch.addcmul(
            self.gate_bias, (projected.flip(2) * self.gate_weight).sum(-1, keepdim=True), projected
        )
        return torch.sigmoid(attention) if self.hyper.gate == "sigmoid" else attention
