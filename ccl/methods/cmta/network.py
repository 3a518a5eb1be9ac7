"""The network of CMTA (:mod:`ccl.methods.cmta`)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.data.batch import Batch, Shape
from ccl.methods.cmta import Hyper
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.nn.coattention import CoAttention, Concatenation
from ccl.nn.families import FamilyTokens
from ccl.nn.nystrom import PatchTransformer, TokenTransformer, unsquared
from ccl.nn.pooling import DenseLayer, bag_of
from ccl.nn.replicas import InputLinear, Linear, Replicas


class Model(SurvivalModel):
    """Encoders, attention of each modality to the other, decoders, and both vectors to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas, self.weight = replicas, hyper.alignment_weight
        width, dropout = hyper.width, hyper.dropout
        layers = (DenseLayer(replicas, n_in, width, dropout=dropout) for n_in in (shape.features, width))
        self.patch = nn.Sequential(*layers)
        self.families = FamilyTokens(
            replicas, shape.families, width, hidden=hyper.hidden, dropout=dropout, activation=F.elu
        )
        self.patch_encoder, self.patch_decoder = (PatchTransformer(replicas, width) for _ in range(2))
        self.gene_encoder, self.gene_decoder = (TokenTransformer(replicas, width) for _ in range(2))
        self.patches_to_genes, self.genes_to_patches = (CoAttention(replicas, width) for _ in range(2))
        self.fusion = Concatenation(replicas, width)
        self.head = Linear(replicas, width, shape.intervals)
        initialise(self, replicas)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n), and in training the loss of alignment."""
        slide, patches, profile, genes = self._encode(batch)
        told_slide = self.patch_decoder(self.patches_to_genes(patches, genes))
        told_profile = self.gene_decoder(self.genes_to_patches(genes, patches))
        logits = self.head(self.fusion((slide + told_slide) / 2, (profile + told_profile) / 2))
        if not (self.training and batch.outcomes):
            return Output(logits)
        distance = _distance(told_slide, slide) + _distance(told_profile, profile)
        return Output(logits, {"alignment": self.weight * distance})

    def attends_to(self, batch: Batch) -> Attention:
        """Return the attention between both modalities' encoded tokens.

        Attention to patches is given for each family, and as the mean over families; attention to families as the mean
        over the patches of the square.  The weights of a repeated patch are added.  The encoders have already mixed the
        tokens.
        """
        _, patches, _, genes = self._encode(batch)
        weights = self.genes_to_patches.weights(genes, patches)
        weights = unsquared(weights, bag_of(batch, self.replicas).shape[1])
        return Attention(
            patches={"cross-attention": weights.mean(dim=1)},
            families={"of patches": self.patches_to_genes.weights(patches, genes).mean(dim=1, keepdim=True)},
            by_family=weights,
        )

    def _encode(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return class token (S, 1, d) and other tokens of both encoders: slide, its square, genes, their families."""
        patches = self.patch_encoder(self.patch(bag_of(batch, self.replicas)), class_only=False)
        genes = self.gene_encoder(self.families(batch.genomics)[:, 0], class_only=False)
        slide, patches = patches.split([1, patches.shape[1] - 1], dim=1)
        profile, genes = genes.split([1, genes.shape[1] - 1], dim=1)
        return slide, patches, profile, genes


def _distance(told: Tensor, own: Tensor) -> Tensor:
    """Return the mean absolute difference (S,) of vectors (S, 1, d), the second taken as a constant."""
    return (told - own.detach()).abs().mean(dim=(1, 2))


@torch.no_grad()
def initialise(model: nn.Module, replicas: Replicas) -> None:
    """Set all linear layers of a model to Xavier-normal weights and zero biases."""
    for layer in model.modules():
        if not isinstance(layer, (Linear, InputLinear)):
            continue
        for weight in [layer.weight] if isinstance(layer, Linear) else layer.weights:
            weight.copy_(replicas.normal(*weight.shape[1:]) * (2 / sum(weight.shape[-2:])) ** 0.5)
        if layer.bias is not None:
            layer.bias.zero_()
