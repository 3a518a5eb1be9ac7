"""The network of CCL (:mod:`ccl.methods.ccl`): components, their fusion, and the losses of cohort guidance."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.io.errors import ConfigError, ModelError
from ccl.methods.ccl import Hyper
from ccl.methods.ccl.encoder import Encoder
from ccl.methods.ccl.explanation import attention
from ccl.methods.ccl.guidance import CohortBank, KnowledgeLoss, PatientLoss, group_edges, group_of
from ccl.methods.interface import Attention, Output
from ccl.nn.blocks import Fusion, TransLayer, VanillaLayer
from ccl.nn.replicas import Linear, Replicas

FUSION_LAYERS = 2

FUSION_DROPOUT = 0.1
"""Dropout in the transformer that fuses the components."""

PADDED_LENGTH = 128
"""Tokens that the released transformer pads its input to: half its channels."""


class Model(Encoder):
    """The CCL network; it trains on one patient of each replica at a time, because each updates anchor and bank."""

    group_edges: Tensor

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        _check_groups(hyper, shape)
        super().__init__(shape, hyper, replicas)
        width = hyper.width
        self.fusion = Fusion(replicas, width, [_fusion_layer(replicas, hyper) for _ in range(FUSION_LAYERS)])
        self.head = Linear(replicas, width, shape.intervals)
        if hyper.guide:
            components = [*hyper.encoders, "genomic", "pathology"]
            self.register_buffer("group_edges", torch.zeros(len(replicas), hyper.groups - 1, device=replicas.device))
            self.knowledge_loss = KnowledgeLoss(
                components, terms=hyper.knowledge_terms, reduction=hyper.knowledge_reduction
            )
            self.patient_loss = PatientLoss(
                similarity=hyper.similarity, reduction=hyper.patient_reduction, per_component=hyper.per_component
            )
            self.bank = CohortBank(
                len(replicas),
                hyper.groups,
                hyper.bank_length,
                shape=(len(components), width),
                per_group=hyper.bank == "per_group",
            )

    def begin(self, outcomes: Outcomes, clinical: Tensor | None = None) -> None:
        """Compute the borders of the risk groups."""
        if self.hyper.guide and self.hyper.groups_by == "time":
            self.group_edges.copy_(group_edges(outcomes.months[0], self.hyper.groups))

    def forward(self, batch: Batch) -> Output:
        """Return the logits of B patients; in training, of one, with the cohort losses."""
        if batch.centres is None or (self.training and batch.centres.shape[1] != 1):
            raise ModelError(
                "CCL needs cluster centres, in training of one patient at a time",
                found="no centres" if batch.centres is None else f"a batch of {batch.centres.shape[1]} patients",
            )
        if batch.centres.shape[2:] != self.pathology.shape:
            raise ModelError(
                "the cluster centres differ in size from those that the model was made for",
                found="{} centres of {} features".format(*batch.centres.shape[2:]),
                expected="{} centres of {} features".format(*self.pathology.shape),
                todo="use the encoder and the k that the model was trained with",
            )
        sources, components = self.encode(batch)
        logits = self.head(self.fusion(components, self.seen(batch)))  # equation (7) without its sigmoid
        guided = self.training and self.hyper.guide
        return Output(logits, self._cohort_losses(batch, components, sources) if guided else {})

    def _cohort_losses(self, batch: Batch, components: Tensor, sources: Tensor) -> dict[str, Tensor]:
        """Return alpha times the two parts of equation (6).

        The patient loss compares all components, so patients who lack a modality have none and do not enter the bank.
        """
        assert batch.outcomes is not None, "training batches have outcomes"
        outcomes, own = batch.outcomes, components[:, 0]
        group, there = self.risk_groups(outcomes)[:, 0], self.there(batch)
        whole = None if there is None else there[:, 0].all(dim=-1)
        itself = self.bank.append(own, group, whole) if self.hyper.self_positive else None
        patient = self.patient_loss(own, group, outcomes.censorship[:, 0], self.bank, itself)
        if not self.hyper.self_positive:
            self.bank.append(own, group, whole)
        if whole is not None:
            patient = patient * whole
        knowledge = self.knowledge_loss(components, sources, self.seen(batch), there)
        return {"knowledge": self.hyper.cohort_weight * knowledge, "patient": self.hyper.cohort_weight * patient}

    def attends_to(self, batch: Batch) -> Attention:
        """Return the attention of each component to clusters and families."""
        return attention(self, batch)

    def risk_groups(self, outcomes: Outcomes) -> Tensor:
        """Return the groups of cohort guidance; without guidance, or with that option, the survival intervals."""
        by_time = self.hyper.guide and self.hyper.groups_by == "time"
        return group_of(outcomes.months, self.group_edges[:, None]) if by_time else outcomes.labels

    def through(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the logits once for each component, with gradients only through this component."""
        _, components = self.encode(batch)
        seen = self.seen(batch)
        here = torch.eye(len(self.components), dtype=torch.bool, device=components.device)[..., None]
        return {
            name: self.head(self.fusion(torch.where(one, components, components.detach()), seen))
            for name, one in zip(self.components, here, strict=True)
        }


def _fusion_layer(replicas: Replicas, hyper: Hyper) -> TransLayer | VanillaLayer:
    if hyper.fusion == "vanilla":
        return VanillaLayer(replicas, hyper.width, dropout=FUSION_DROPOUT)
    tokens = 1 + len(hyper.encoders) + 2  # the class token, encoders of both modalities, one per modality
    padding = PADDED_LENGTH - tokens if hyper.fusion == "padded" else 0
    return TransLayer(replicas, hyper.width, dropout=FUSION_DROPOUT, padding=padding)


def _check_groups(hyper: Hyper, shape: Shape) -> None:
    if hyper.guide and hyper.groups_by == "intervals" and hyper.groups != shape.intervals:
        raise ConfigError(
            "the number of risk groups differs from that of the survival intervals, which are used as groups",
            where="groups",
            found=f"{hyper.groups} groups, {shape.intervals} intervals",
            expected=f"{shape.intervals} groups",
            todo="set `groups` to the number of intervals, or `groups_by: time`, which takes any number of groups",
        )
