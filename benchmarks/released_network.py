"""The released network of CCL, computed the long way: see ``released_step.py``, which trains it."""

from __future__ import annotations

import torch
from nystrom_attention import NystromAttention
from torch import Tensor, nn

WIDTH = 256
DROPOUT = 0.15


def snn(inputs: int) -> nn.Sequential:
    """Return one self-normalising block.

    Parameters
    ----------
    inputs : int
        Width of the input.

    Returns
    -------
    nn.Sequential
        Linear, SELU and alpha dropout, `WIDTH` values wide.
    """
    return nn.Sequential(nn.Linear(inputs, WIDTH), nn.SELU(), nn.AlphaDropout(DROPOUT))


def aggregate(rows: int) -> nn.Sequential:
    """Return the layers that merge several rows into one.

    Parameters
    ----------
    rows : int
        Number of families, or of clusters.

    Returns
    -------
    nn.Sequential
        From (1, rows, d) to (1, 1, d).
    """
    return nn.Sequential(nn.Conv1d(rows, 1, 1), nn.InstanceNorm1d(1), nn.ReLU())


def projection(width: int) -> nn.Sequential:
    """Return linear layer, layer norm and ReLU of unchanged width.

    Parameters
    ----------
    width : int
        Width of input and output.

    Returns
    -------
    nn.Sequential
        The three layers.
    """
    return nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU())


class CoAttention(nn.Module):
    """Encoder of the common or of the synergetic component, with its co-attention matrix laid out in memory.

    Parameters
    ----------
    width : int
        Width of the representations.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.project_pathology = projection(width)
        self.project_genomics = projection(width)
        self.gate_pathology = nn.Linear(width, 1)
        self.gate_genomics = nn.Linear(width, 1)

    def forward(self, pathology: Tensor, genomics: Tensor) -> Tensor:
        """Return the component.

        Parameters
        ----------
        pathology, genomics : Tensor
            The two representations, (1, 1, d).

        Returns
        -------
        Tensor
            The component, (1, 1, d).
        """
        pathology, genomics = self.project_pathology(pathology), self.project_genomics(genomics)
        matrix = torch.bmm(pathology.transpose(1, 2), genomics)
        weight_pathology = torch.sigmoid(self.gate_pathology(matrix)).transpose(1, 2)
        weight_genomics = torch.sigmoid(self.gate_genomics(matrix.transpose(1, 2))).transpose(1, 2)
        return weight_pathology * pathology + weight_genomics * genomics


class AttentionLayer(nn.Module):
    """Nystrom attention on normalised tokens, added to the tokens; no feed-forward part."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.attention = NystromAttention(
            dim=WIDTH,
            dim_head=WIDTH // 8,
            heads=8,
            num_landmarks=WIDTH // 2,
            pinv_iterations=6,
            residual=True,
            dropout=0.1,
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens after the layer.

        Parameters
        ----------
        tokens : Tensor
            Tokens, (1, n, 256).

        Returns
        -------
        Tensor
            As many tokens.
        """
        return tokens + self.attention(self.norm(tokens))


class Fusion(nn.Module):
    """Transformer over the four components; its class token is the patient's representation."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH) * 1e-6)
        self.layers = nn.Sequential(AttentionLayer(), AttentionLayer(), nn.LayerNorm(WIDTH))
        # Declared for the number of parameters; the released network never calls it.
        self.positions = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, n, padding=n // 2, groups=WIDTH) for n in (7, 5, 3))

    def forward(self, components: Tensor) -> Tensor:
        """Return the class token.

        Parameters
        ----------
        components : Tensor
            Common, synergetic, genomic and pathologic component, (1, 4, 256).

        Returns
        -------
        Tensor
            Representation, (1, 256).
        """
        tokens = torch.cat([self.token.expand(components.shape[0], -1, -1), components], dim=1)
        return self.layers(tokens)[:, 0]


class Network(nn.Module):
    """The released network, from families and aligned centres to hazards.

    Parameters
    ----------
    families : tuple[int, ...]
        Number of genomic features of each family.
    features : int
        Number of features of a patch.
    clusters : int
        Number of clusters.
    intervals : int
        Number of intervals of the follow-up.
    """

    def __init__(self, families: tuple[int, ...], features: int, clusters: int, intervals: int) -> None:
        super().__init__()
        self.families = nn.ModuleList(snn(n) for n in families)
        self.shared = snn(WIDTH)
        self.aggregate_genomics = aggregate(len(families))
        self.pathology = snn(features)
        self.aggregate_pathology = aggregate(clusters)
        self.only_genomics = projection(WIDTH)
        self.only_pathology = projection(WIDTH)
        self.common = CoAttention()
        self.synergy = CoAttention()
        self.fusion = Fusion()
        self.head = nn.Linear(WIDTH, intervals)

    def forward(self, genomics: list[Tensor], centres: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return hazards and what the cohort loss looks at.

        Parameters
        ----------
        genomics : list[Tensor]
            Features of each family, (1, n).
        centres : Tensor
            Aligned cluster centres, (1, k, D).

        Returns
        -------
        hazards : Tensor
            Hazard of each interval, (1, n).
        genomic, pathologic : Tensor
            Representations of the two modalities, (1, 1, 256).
        components : Tensor
            Common, synergetic, genomic and pathologic component, (1, 4, 256).
        """
        rows = [self.shared(family(x)) for family, x in zip(self.families, genomics, strict=True)]
        genomic = self.aggregate_genomics(torch.stack(rows, dim=1))
        pathologic = self.aggregate_pathology(self.pathology(centres))
        components = torch.cat(
            [
                self.common(pathologic, genomic),
                self.synergy(pathologic, genomic),
                self.only_genomics(genomic),
                self.only_pathology(pathologic),
            ],
            dim=1,
        )
        hazards = torch.sigmoid(self.head(self.fusion(components)))
        return hazards, genomic, pathologic, components
