"""The first part of CCL: encodes both modalities as one vector each, and decomposes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.data.batch import Batch, Shape
from ccl.methods.ccl import Hyper
from ccl.methods.ccl.alignment import best_order, cosine_costs, l1_costs
from ccl.methods.ccl.decomposition import Decomposition, name_components, seen_components
from ccl.methods.interface import SurvivalModel
from ccl.nn.blocks import Aggregate, SnnLayer
from ccl.nn.replicas import AlphaDropout, InputLinear, Replicas


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
        vector: Tensor = self.aggregate(self.encode(genomics))
        return vector

    def encode(self, genomics: Sequence[Tensor]) -> Tensor:
        """Map the families, (S, B, n_f) each, to one vector per family: (S, B, families, d)."""
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

    def forward(self, centres: Tensor, there: Tensor | None = None) -> Tensor:
        """Map (S, B, k, D) to F_p (S, B, d); training updates the anchor, as :meth:`order` says."""
        vector: Tensor = self.aggregate(self.encode(centres, there))
        return vector

    def encode(self, centres: Tensor, there: Tensor | None = None) -> Tensor:
        """Map centres (S, B, k, D) to one vector per centre, in the order of the anchor: (S, B, k, d)."""
        replicas, batch, k, _ = centres.shape
        # This layer works on each centre separately, so it may run before the centres are sorted.
        encoded: Tensor = self.dropout(F.selu(self.first([centres.flatten(1, 2)]))).view(replicas, batch, k, -1)
        if self.hyper.align:
            encoded = torch.take_along_dim(encoded, self.order(centres, there)[..., None], dim=2)
        return encoded

    @torch.no_grad()
    def order(self, centres: Tensor, there: Tensor | None = None) -> Tensor:
        """Return the order (S, B, k) of the centres that fits the anchor best; training updates the anchor.

        With `there` (S, B), bool, only patients who have slides update it.
        """
        if self.training and self.hyper.anchor_init == "first_patient":
            here = torch.ones_like(self.anchored) if there is None else there[:, :1, None]
            self.anchor.copy_(torch.where(here & ~self.anchored, centres[:, 0], self.anchor))
            self.anchored.logical_or_(here)
        order = best_order((l1_costs if self.hyper.match == "l1" else cosine_costs)(centres, self.anchor))
        if self.training:
            aligned = torch.take_along_dim(centres[:, 0], order[:, 0, :, None], dim=1)
            if there is not None:
                aligned = torch.where(there[:, :1, None], aligned, self.anchor)
            self.anchor.lerp_(aligned, self.hyper.anchor_update)
        return order

    def distances(self, centres: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean L2 distance of two patients' corresponding centres, before and after alignment (Table V).

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


class Encoder(SurvivalModel):
    """CCL without its fusion and its losses."""

    takes_incomplete = True

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.hyper, self.replicas = hyper, replicas
        self.genomics = Genomics(replicas, shape.families, hyper)
        self.pathology = Pathology(replicas, shape.clusters, shape.features, hyper)
        self.components: tuple[str, ...] = ("genomics", "pathology")
        if hyper.decompose:
            self.decomposition = Decomposition(replicas, hyper)
            self.components = name_components(hyper.encoders)

    def expect(self, batch: Batch) -> None:
        """Pass the patients of the next steps to the layers that read data."""
        assert batch.centres is not None, "CCL reads centres"
        self.genomics.first.expect([values[:, :, None] for values in batch.genomics])
        self.pathology.first.expect([batch.centres])

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return F_g and F_p, (S, B, 2, d), and the components that are fused, (S, B, T, d)."""
        genomics, centres = self.inputs(batch)
        there = self.there(batch)
        of_slides = None if there is None else there[..., 1]
        sources = torch.stack([self.genomics(genomics), self.pathology(centres, of_slides)], dim=2)
        if there is not None:
            sources = sources * there[..., None]
        return sources, self.decomposition(sources, there) if self.hyper.decompose else sources

    def there(self, batch: Batch) -> Tensor | None:
        """Return whether patients have genes and slides, (S, B, 2) bool; None if all have both."""
        if batch.present is None or batch.present.slides is None:
            return None
        there = torch.stack([batch.present.genes, batch.present.slides], dim=-1)
        return there.expand(len(self.replicas), -1, -1)

    def seen(self, batch: Batch) -> Tensor | None:
        """Return which components can be told of patients, (S, B, T) bool; None if all can."""
        there = self.there(batch)
        if there is None or not self.hyper.decompose:
            return there
        return seen_components(self.hyper.encoders, there)

    def inputs(self, batch: Batch) -> tuple[list[Tensor], Tensor]:
        """Return the families, (S, B, n_f) each, and the centres (S, B, k, D), the same for each replica."""
        assert batch.centres is not None, "CCL reads centres"
        replicas = len(self.replicas)
        return [x.expand(replicas, -1, -1) for x in batch.genomics], batch.centres.expand(replicas, -1, -1, -1)

    @torch.no_grad()
    def describe(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the mean distances of cluster centres before and after alignment (Table V)."""
        if not self.hyper.align or batch.centres is None:
            return {}
        centres, there = self.inputs(batch)[1], self.there(batch)
        if there is not None:
            centres = centres[:, there[0, :, 1]]  # in evaluation, patients are the same for all replicas
        if centres.shape[1] < 2:
            return {}
        before, after = self.pathology.distances(centres)
        return {"distance_before_alignment": before, "distance_after_alignment": after}

    def decomposed(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the components that are fused; without decomposition F_g and F_p."""
        return dict(zip(self.components, self.encode(batch)[1].unbind(dim=2), strict=True))

    def reference(self, batch: Batch) -> Batch:
        """Return the average training patient: average genes, and the anchor's rows instead of centres.

        If centres are matched by their L1 distance, the best order is the same on the whole straight line from there to
        the patient, by the triangle inequality.  Without alignment there is no anchor, and the centres are kept.
        """
        average = super().reference(batch)
        if not self.hyper.align or batch.centres is None:
            return average
        places = self.pathology.order(self.inputs(batch)[1]).argsort(dim=2)
        rows = self.pathology.anchor[:, None].expand(-1, places.shape[1], -1, -1)
        return replace(average, centres=torch.take_along_dim(rows, places[..., None], dim=2))
