"""CCL: cohort-individual cooperative learning (Zhou, Zhou, Chen, IEEE TMI 2024).

Genomics and pathology become one vector each, F_g and F_p.  Encoders decompose them into common (C), synergistic (S),
genomic-specific (G) and pathology-specific (P) knowledge, and a small transformer fuses these.  In training, cohort
guidance tells the encoders what to extract (:mod:`ccl.methods.ccl.guidance`).

The defaults are the equations as printed, and what the authors released where the paper is silent; ``preset:
released`` is their network.  Taken from the release are: the modality encoders (one layer with normalisation), the
sigmoid of the co-attention (without one equation (2) is a cubic form of its inputs, and gradient descent at the
paper's learning rate tends to diverge), the similarity of patients, the measure of the alignment, the anchor's start
(normal noise, so which phenotype comes to lie where depends on the seed) and alpha (1).

Shapes: S replicas, B patients, k clusters of D features, d channels, n encoders of both modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.io.errors import ConfigError, ModelError
from ccl.methods import parameter
from ccl.methods.ccl.alignment import best_order, cosine_costs, l1_costs
from ccl.methods.ccl.decomposition import Decomposition
from ccl.methods.ccl.explanation import anchored, attention, named, through
from ccl.methods.ccl.guidance import CohortBank, KnowledgeLoss, PatientLoss, group_edges, group_of
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.recipes import Recipe
from ccl.nn.blocks import HEADS, Aggregate, Fusion, SnnLayer, TransLayer, VanillaLayer
from ccl.nn.replicas import AlphaDropout, InputLinear, Linear, Replicas

NATIVE = Recipe("sgd", lr=1e-3, weight_decay=1e-5, epochs=30)
FUSION_LAYERS = 2

FUSION_DROPOUT = 0.1
"""Dropout in the transformer that fuses the components."""

PADDED_LENGTH = 128
"""Tokens that the released transformer pads its input to: half its channels."""


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters and options of CCL; the defaults are the preset ``paper``."""

    width: int = parameter(256, "channels d of every representation", minimum=HEADS, multiple_of=HEADS)
    dropout: float = parameter(0.15, "rate of alpha dropout in the self-normalising layers", minimum=0, maximum=0.9)
    shared_snn: bool = parameter(False, "whether the families share their second self-normalising layer, as released")
    aggregate: Literal["linear", "standardised"] = parameter(
        "linear", "f_c1 from several vectors to one: linear as printed; standardised and cut at zero as released"
    )

    align: bool = parameter(
        True, "cluster centre alignment (CCA in Table IV); without it centres come in the order of K-means"
    )
    anchor_update: float = parameter(
        0.1, "share tau of a training patient's aligned centres in the new anchor", minimum=0, maximum=1
    )
    anchor_init: Literal["noise", "first_patient"] = parameter("noise", "what the anchor starts from")
    match: Literal["l1", "cosine"] = parameter("l1", "what is small between a centre and its row of the anchor")

    decompose: bool = parameter(
        True, "multimodal knowledge decomposition (MKD in Table IV); without it F_g and F_p are fused as they are"
    )
    common_encoders: int = parameter(1, "encoders of common knowledge (Table VI)", minimum=0, maximum=8)
    synergy_encoders: int = parameter(1, "encoders of synergistic knowledge (Table VI)", minimum=0, maximum=8)
    free_encoders: int = parameter(
        0,
        "encoders of both modalities without guidance of their own (Table VI: 5 encoders are 3 of these)",
        minimum=0,
        maximum=8,
    )
    projection: Literal["linear", "mlp"] = parameter(
        "linear", "fc of equation (3): linear as printed; with normalisation and without negative parts as released"
    )
    values: Literal["raw", "projected"] = parameter(
        "raw", "what the attention of equation (2) weighs: F_g and F_p as printed, or their projections as released"
    )
    gate: Literal["sigmoid", "linear"] = parameter(
        "sigmoid", "attention of equation (2): through a sigmoid as released, or linear; linear tends to diverge"
    )
    fusion: Literal["vanilla", "padded", "exact"] = parameter(
        "vanilla",
        "transformer: vanilla as printed; padded, TransMIL's layers on 128 positions as released; exact, on the tokens",
    )

    guide: bool = parameter(True, "cohort guidance (CGM in Table IV)")
    cohort_weight: float = parameter(
        1.0, "weight alpha of the cohort losses beside the likelihood: equation (9)", minimum=0
    )
    knowledge_terms: Literal["GPCS", "GPS", "GPC", "PCS", "GCS", "none"] = parameter(
        "GPCS", "components whose constraints count in equation (4) (Table VII)"
    )
    knowledge_reduction: Literal["sum", "mean"] = parameter(
        "sum", "equation (4): the sum of its terms as printed; their mean plus one as released"
    )
    groups: int = parameter(4, "risk groups r", minimum=2, maximum=100)
    groups_by: Literal["time", "intervals"] = parameter(
        "time", "equal groups by follow-up time as printed, or the survival intervals themselves as released"
    )
    bank: Literal["all", "per_group"] = parameter(
        "all", "whether the bank keeps the last b patients in all, as printed, or of each group, as released"
    )
    bank_length: int = parameter(10, "bank length b", minimum=1, maximum=10_000)
    self_positive: bool = parameter(
        False, "whether a patient enters the bank before its loss and a censored one is drawn to itself, as released"
    )
    similarity: Literal["elementwise", "dot", "cosine"] = parameter(
        "elementwise",
        "d of equation (5) for components x, y: mean over channels of exp(x y / 2) as released; exp(x . y / 2); "
        "exp(cos(x, y) / 2)",
    )
    patient_reduction: Literal["sum", "mean"] = parameter(
        "sum", "whether the sets of equation (5) count by their sums, as printed, or by their means, as released"
    )
    per_component: bool = parameter(True, "one loss for each component as printed, or one for all together as released")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "released": {
        "shared_snn": True,
        "aggregate": "standardised",
        "projection": "mlp",
        "values": "projected",
        "fusion": "padded",
        "knowledge_reduction": "mean",
        "groups_by": "intervals",
        "bank": "per_group",
        "self_positive": True,
        "patient_reduction": "mean",
        "per_component": False,
    },
}
"""What differs from the defaults."""


class Genomics(nn.Module):
    """F_g = f_c1(SNN(SNN(g_i))): the gene families as one vector."""

    def __init__(self, replicas: Replicas, families: tuple[int, ...], hyper: Hyper) -> None:
        super().__init__()
        width, self.shared = hyper.width, hyper.shared_snn
        self.first = InputLinear(replicas, families, width)
        self.dropout = AlphaDropout(replicas, hyper.dropout)
        maps = () if self.shared else (len(families),)
        self.second = SnnLayer(replicas, width, width, dropout=hyper.dropout, maps=maps)
        self.aggregate = Aggregate(replicas, len(families), standardise=hyper.aggregate == "standardised")

    def forward(self, genomics: Sequence[Tensor]) -> Tensor:
        """Map the families, (S, B, n_f) each, to F_g (S, B, d)."""
        vector: Tensor = self.aggregate(self.looks(genomics))
        return vector

    def looks(self, genomics: Sequence[Tensor]) -> Tensor:
        """Map the families, (S, B, n_f) each, to a vector each: (S, B, families, d)."""
        first = self.dropout(F.selu(self.first(genomics)))  # (S, families, B, d)
        second: Tensor = self.second(first.flatten(1, 2)).view_as(first) if self.shared else self.second(first)
        return second.transpose(1, 2)


class Pathology(nn.Module):
    """F_p = f_c1(SNN(Matching(centres, B))): the cluster centres, aligned to the anchor B, as one vector."""

    anchor: Tensor
    anchored: Tensor

    def __init__(self, replicas: Replicas, clusters: int, features: int, hyper: Hyper) -> None:
        super().__init__()
        self.hyper, self.shape = hyper, (clusters, features)
        self.first = InputLinear(replicas, [features], hyper.width)
        self.dropout = AlphaDropout(replicas, hyper.dropout)
        self.aggregate = Aggregate(replicas, clusters, standardise=hyper.aggregate == "standardised")
        if hyper.align:
            self.register_buffer("anchor", replicas.normal(clusters, features))
            if hyper.anchor_init == "first_patient":
                self.register_buffer("anchored", torch.zeros(len(replicas), 1, 1, dtype=torch.bool))

    def forward(self, centres: Tensor) -> Tensor:
        """Map (S, B, k, D) to F_p (S, B, d); in training the anchor follows."""
        vector: Tensor = self.aggregate(self.looks(centres))
        return vector

    def looks(self, centres: Tensor) -> Tensor:
        """Map centres (S, B, k, D) to a vector each, in the order of the anchor: (S, B, k, d)."""
        replicas, batch, k, _ = centres.shape
        # A layer on each centre alone gives the same before and after they are put in order.
        looks: Tensor = self.dropout(F.selu(self.first([centres.flatten(1, 2)]))).view(replicas, batch, k, -1)
        if self.hyper.align:
            looks = torch.take_along_dim(looks, self.order(centres)[..., None], dim=2)
        return looks

    @torch.no_grad()
    def order(self, centres: Tensor) -> Tensor:
        """Return the order (S, B, k) of the centres that fits the anchor best; in training the anchor follows them."""
        if self.training and self.hyper.anchor_init == "first_patient":
            self.anchor.copy_(torch.where(self.anchored, self.anchor, centres[:, 0]))
            self.anchored.fill_(True)
        order = best_order((l1_costs if self.hyper.match == "l1" else cosine_costs)(centres, self.anchor))
        if self.training:
            aligned = torch.take_along_dim(centres[:, 0], order[:, 0, :, None], dim=1)
            self.anchor.lerp_(aligned, self.hyper.anchor_update)
        return order

    def distances(self, centres: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean L2 distance of two patients' centres in one place, before and after alignment (Table V).

        Parameters
        ----------
        centres : Tensor, shape (S, P, k, D)

        Returns
        -------
        tuple of two Tensors, shape (S,)
        """
        aligned = torch.take_along_dim(centres, self.order(centres)[..., None], dim=2)
        pairs = [torch.stack([F.pdist(c[:, j]) for c in x for j in range(c.shape[1])]) for x in (centres, aligned)]
        before, after = (p.view(len(centres), -1).mean(dim=1) for p in pairs)
        return before, after


class Model(SurvivalModel):
    """The CCL network; training takes one patient of each replica at a time, as anchor and bank follow each patient."""

    group_edges: Tensor

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        _check(hyper, shape)
        self.hyper, self.replicas, width = hyper, replicas, hyper.width
        self.genomics = Genomics(replicas, shape.families, hyper)
        self.pathology = Pathology(replicas, shape.clusters, shape.features, hyper)
        both = (
            ["common"] * hyper.common_encoders + ["synergy"] * hyper.synergy_encoders + ["free"] * hyper.free_encoders
        )
        if hyper.decompose:
            self.decomposition = Decomposition(replicas, hyper, len(both))
        self.components = named(both) if hyper.decompose else ("genomics", "pathology")
        layers = [_fusion_layer(replicas, hyper) for _ in range(FUSION_LAYERS)]
        self.fusion = Fusion(replicas, width, layers)
        self.head = Linear(replicas, width, shape.intervals)
        if hyper.guide:
            components = [*both, "genomic", "pathology"]
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

    def begin(self, outcomes: Outcomes) -> None:
        """Draw the borders of the risk groups."""
        if self.hyper.guide and self.hyper.groups_by == "time":
            self.group_edges.copy_(group_edges(outcomes.months[0], self.hyper.groups))

    def expect(self, batch: Batch) -> None:
        """Hand the patients of the next steps to the layers that read data."""
        assert batch.centres is not None, "CCL reads centres"
        self.genomics.first.expect([values[:, :, None] for values in batch.genomics])
        self.pathology.first.expect([batch.centres])

    def forward(self, batch: Batch) -> Output:
        """Return the logits of B patients; in training, of one, with the cohort losses."""
        if batch.centres is None or (self.training and batch.centres.shape[1] != 1):
            raise ModelError(
                "CCL needs cluster centres, in training of one patient at a time",
                found="no centres" if batch.centres is None else f"a batch of {batch.centres.shape[1]} patients",
            )
        if batch.centres.shape[2:] != self.pathology.shape:
            raise ModelError(
                "the cluster centres are not of the size that the model was made for",
                found="{} centres of {} features".format(*batch.centres.shape[2:]),
                expected="{} centres of {} features".format(*self.pathology.shape),
                todo="use the encoder and the k that the model was trained with",
            )
        sources, components = self.encode(batch)
        logits = self.head(self.fusion(components))  # equation (7) without its sigmoid
        guided = self.training and self.hyper.guide
        return Output(logits, self._cohort_losses(batch, components, sources) if guided else {})

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return F_g and F_p, (S, B, 2, d), and the components that are fused, (S, B, T, d)."""
        assert batch.centres is not None
        replicas = len(self.replicas)
        genomic = self.genomics([values.expand(replicas, -1, -1) for values in batch.genomics])
        pathology = self.pathology(batch.centres.expand(replicas, -1, -1, -1))
        sources = torch.stack([genomic, pathology], dim=2)
        return sources, self.decomposition(sources) if self.hyper.decompose else sources

    def _cohort_losses(self, batch: Batch, components: Tensor, sources: Tensor) -> dict[str, Tensor]:
        """Return alpha times the two parts of equation (6)."""
        assert batch.outcomes is not None, "training batches have outcomes"
        outcomes, own = batch.outcomes, components[:, 0]
        group = self.risk_groups(outcomes)[:, 0]
        itself = self.bank.append(own, group) if self.hyper.self_positive else None
        patient = self.patient_loss(own, group, outcomes.censorship[:, 0], self.bank, itself)
        if not self.hyper.self_positive:
            self.bank.append(own, group)
        knowledge = self.knowledge_loss(components, sources)
        return {"knowledge": self.hyper.cohort_weight * knowledge, "patient": self.hyper.cohort_weight * patient}

    @torch.no_grad()
    def describe(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the mean distances of cluster centres before and after alignment (Table V)."""
        if not self.hyper.align or batch.centres is None or batch.centres.shape[1] < 2:
            return {}
        before, after = self.pathology.distances(batch.centres.expand(len(self.replicas), -1, -1, -1))
        return {"distance_before_alignment": before, "distance_after_alignment": after}

    def attends_to(self, batch: Batch) -> Attention:
        """Return what each component attends to among clusters and families."""
        return attention(self, batch)

    def decomposed(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the components that are fused; without decomposition F_g and F_p."""
        return dict(zip(self.components, self.encode(batch)[1].unbind(dim=2), strict=True))

    def risk_groups(self, outcomes: Outcomes) -> Tensor:
        """Return the groups of cohort guidance; without it, or by its option, the survival intervals."""
        by_time = self.hyper.guide and self.hyper.groups_by == "time"
        return group_of(outcomes.months, self.group_edges[:, None]) if by_time else outcomes.labels

    def through(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the logits once for each component; gradients pass through this one alone."""
        return through(self, batch)

    def reference(self, batch: Batch) -> Batch:
        """Return the average training patient: average genes, and in the place of each centre the anchor's row."""
        return anchored(self, super().reference(batch))


def _fusion_layer(replicas: Replicas, hyper: Hyper) -> TransLayer | VanillaLayer:
    if hyper.fusion == "vanilla":
        return VanillaLayer(replicas, hyper.width, dropout=FUSION_DROPOUT)
    components = hyper.common_encoders + hyper.synergy_encoders + hyper.free_encoders if hyper.decompose else 0
    padding = PADDED_LENGTH - (1 + components + 2) if hyper.fusion == "padded" else 0
    return TransLayer(replicas, hyper.width, dropout=FUSION_DROPOUT, padding=padding)


def _check(hyper: Hyper, shape: Shape) -> None:
    """Raise :class:`ConfigError` where options contradict each other."""
    if hyper.guide and not hyper.decompose:
        raise ConfigError(
            "cohort guidance needs the components that it guides",
            where="config, models: ccl",
            found="guide: true, decompose: false",
            expected="decompose: true, or no guidance",
            todo="set `guide: false` too",
        )
    if hyper.guide and hyper.groups_by == "intervals" and hyper.groups != shape.intervals:
        raise ConfigError(
            "risk groups that are the survival intervals are as many as these",
            where="config, models: ccl: groups",
            found=f"{hyper.groups} groups, {shape.intervals} intervals",
            expected=f"{shape.intervals} groups",
            todo="set `groups_by: time`, which takes any number of groups, or `groups` to the number of intervals",
        )
