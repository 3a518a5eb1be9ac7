"""CCL: cohort-individual cooperative learning (Zhou, Zhou, Chen, IEEE TMI 2024), the network of its release.

Genomics and pathology become one vector each, F_g and F_p.  Four encoders decompose them into common (C),
synergistic (S), genomic-specific (G) and pathology-specific (P) knowledge, and a small transformer fuses these.
In training, cohort guidance tells the encoders what to extract (:mod:`ccl.models.guidance`).

Two things differ from the release.  The transformer's attention is exact over its five tokens, where the release
approximates it over 128 positions most of which are padding, and a positional module that the release declares and
never calls is not here.  The anchor is a buffer: it is stored with the weights, as it must be for a stored model
to see a patient as the trained one did.  As in the release it starts from normal noise, so which phenotype comes
to lie at which position depends on the seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ccl.errors import ModelError
from ccl.models import parameter
from ccl.models.alignment import align
from ccl.models.blocks import HEADS, INIT_STD_CLASS_TOKEN, Aggregate, TransLayer, snn_block
from ccl.models.guidance import CohortBank, knowledge_loss
from ccl.models.interface import Batch, Output, Shape, SurvivalModel

FUSION_DROPOUT = 0.1
"""Dropout in the transformer that fuses the components."""


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of CCL, named as in the paper where it names them."""

    width: int = parameter(256, minimum=HEADS, multiple_of=HEADS)
    """Channels of every representation."""
    dropout: float = parameter(0.15, minimum=0, maximum=0.9)
    """Rate of alpha dropout in the self-normalising layers."""
    anchor_update: float = parameter(0.1, minimum=0, maximum=1)
    """Share tau of a training patient's aligned centres in the new anchor."""
    bank_length: int = parameter(10, minimum=1)
    """Patients b that the cohort bank keeps of each survival interval."""
    cohort_weight: float = parameter(1.0, minimum=0)
    """Weight alpha of the cohort losses beside the likelihood."""


def modality_encoder(width: int) -> nn.Sequential:
    """Return one layer with normalisation and without negative parts."""
    return nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU())


class CoAttention(nn.Module):
    """Common or synergistic knowledge of two modalities: equations (2) and (3), sigmoid gates as released.

    The co-attention matrix of two vectors is their outer product, so what a linear layer makes of each of its rows
    is a scalar times an entry: ``(p g^T) w = (w . g) p``.  The d x d matrix itself is never needed.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encode_g, self.encode_p = modality_encoder(width), modality_encoder(width)
        self.gate_g, self.gate_p = nn.Linear(width, 1), nn.Linear(width, 1)

    def forward(self, genomic: Tensor, pathology: Tensor) -> Tensor:
        """Map two (B, d) to (B, d)."""
        g: Tensor = self.encode_g(genomic)
        p: Tensor = self.encode_p(pathology)
        attention_g = torch.sigmoid((p @ self.gate_g.weight.T) * g + self.gate_g.bias)
        attention_p = torch.sigmoid((g @ self.gate_p.weight.T) * p + self.gate_p.bias)
        return attention_g * g + attention_p * p


class Fusion(nn.Module):
    """The components in the light of each other: a class token and two attention layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.class_token = nn.Parameter(INIT_STD_CLASS_TOKEN * torch.randn(1, 1, width))
        self.layers = nn.Sequential(TransLayer(width, FUSION_DROPOUT), TransLayer(width, FUSION_DROPOUT))
        self.norm = nn.LayerNorm(width)

    def forward(self, components: Tensor) -> Tensor:
        """Map (B, 4, d) to (B, d)."""
        tokens = torch.cat([self.class_token.expand(len(components), -1, -1), components], dim=1)
        fused: Tensor = self.norm(self.layers(tokens)[:, 0])
        return fused


class Model(SurvivalModel):
    """The CCL network; training takes one patient at a time, as the anchor and the bank follow each patient."""

    anchor: Tensor

    def __init__(self, shape: Shape, hyper: Hyper) -> None:
        super().__init__()
        self.hyper = hyper
        width, dropout = hyper.width, hyper.dropout
        self.families = nn.ModuleList(nn.Linear(size, width) for size in shape.families)
        self.families_act = nn.Sequential(nn.SELU(), nn.AlphaDropout(dropout))
        self.families_shared = snn_block(width, width, nn.SELU(), dropout)
        self.aggregate_g = Aggregate(len(shape.families))
        self.register_buffer("anchor", torch.randn(shape.clusters, shape.features))
        self.phenotypes = snn_block(shape.features, width, nn.SELU(), dropout)
        self.aggregate_p = Aggregate(shape.clusters)
        self.common, self.synergy = CoAttention(width), CoAttention(width)
        self.specific_g, self.specific_p = modality_encoder(width), modality_encoder(width)
        self.fusion = Fusion(width)
        self.head = nn.Linear(width, shape.intervals)
        self.bank = CohortBank(shape.intervals, hyper.bank_length, width)

    def forward(self, batch: Batch) -> Output:
        """Return the logits of B patients; in training, of one, with the cohort losses."""
        families = [encode(values) for encode, values in zip(self.families, batch.genomics, strict=True)]
        genomic = self.aggregate_g(self.families_shared(self.families_act(torch.stack(families, dim=1))))
        pathology = self.aggregate_p(self.phenotypes(self._aligned(batch)))
        components = torch.stack(
            [
                self.common(genomic, pathology),
                self.synergy(genomic, pathology),
                self.specific_g(genomic),
                self.specific_p(pathology),
            ],
            dim=1,
        )
        logits = self.head(self.fusion(components))
        return Output(logits, self._cohort_losses(batch, components, genomic, pathology) if self.training else {})

    @torch.no_grad()
    def _aligned(self, batch: Batch) -> Tensor:
        """Return the centres (B, k, D) in the anchor's order; in training the anchor follows them."""
        if batch.centres is None or (self.training and len(batch.centres) != 1):
            raise ModelError(
                "CCL needs cluster centres, in training of one patient at a time",
                found="no centres" if batch.centres is None else f"a batch of {len(batch.centres)} patients",
            )
        aligned = align(batch.centres, self.anchor)
        if self.training:
            self.anchor.lerp_(aligned[0], self.hyper.anchor_update)
        return aligned

    def _cohort_losses(self, batch: Batch, components: Tensor, genomic: Tensor, pathology: Tensor) -> dict[str, Tensor]:
        assert batch.outcomes is not None, "training batches have outcomes"
        label, censorship = batch.outcomes.labels[0], batch.outcomes.censorship[0]
        self.bank.append(components[0], label)
        return {
            "knowledge": self.hyper.cohort_weight * knowledge_loss(components, genomic, pathology),
            "patient": self.hyper.cohort_weight * self.bank.patient_loss(components[0], label, censorship),
        }
