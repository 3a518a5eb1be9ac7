"""Benchmark: one training step of CCL with the arithmetic of the released network.

The baseline for our own step.  It is written from a description of the released network, not from its code, does the
costly things that network does (attention over five tokens padded to 128, 256 x 256 co-attention matrices, a bank of
Python lists), and serves no other purpose than to be timed: it is neither checked against nor used by `ccl`.

Cluster centres are given, so online k-means is not part of the step.  All data
are random.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from nystrom_attention import NystromAttention
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

WIDTH = 256
DROPOUT = 0.15
BANK = 10  # patients per interval
MOMENTUM = 0.1  # of the anchor
TEMPERATURE = 2.0
BLCA = (94, 334, 521, 468, 1496, 479)
BLCA_PARAMETERS = 2_147_110


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


def survival_loss(hazards: Tensor, label: Tensor, censorship: Tensor, eps: float = 1e-7) -> Tensor:
    """Return the negative log-likelihood of the follow-up.

    Parameters
    ----------
    hazards : Tensor
        Hazards, (1, n).
    label : Tensor
        Interval of death or of last contact, (1, 1).
    censorship : Tensor
        1 if the patient was alive at last contact, else 0, (1, 1).
    eps : float
        Smallest probability.

    Returns
    -------
    Tensor
        The loss, a scalar.
    """
    survival = torch.cumprod(1 - hazards, dim=1)
    padded = torch.cat([torch.ones_like(censorship), survival], dim=1)
    before = torch.log(torch.gather(padded, 1, label).clamp(min=eps))
    at = torch.log(torch.gather(hazards, 1, label).clamp(min=eps))
    after = torch.log(torch.gather(padded, 1, label + 1).clamp(min=eps))
    return (-(1 - censorship) * (before + at) - censorship * after).mean()


def knowledge_loss(genomic: Tensor, pathologic: Tensor, components: Tensor) -> Tensor:
    """Return how far the components are from their place between the modalities.

    Parameters
    ----------
    genomic, pathologic : Tensor
        Representations of the two modalities, (1, 1, d); no gradient reaches them.
    components : Tensor
        Common, synergetic, genomic and pathologic component, (1, 4, d).

    Returns
    -------
    Tensor
        Mean of the eight cosines, plus one; a scalar.
    """
    genomic, pathologic = genomic.detach(), pathologic.detach()
    common, synergy, only_genomics, only_pathology = components.split(1, dim=1)
    terms = [
        F.cosine_similarity(only_genomics, pathologic, dim=-1).abs(),
        -F.cosine_similarity(only_genomics, genomic, dim=-1),
        -F.cosine_similarity(only_pathology, pathologic, dim=-1),
        F.cosine_similarity(only_pathology, genomic, dim=-1).abs(),
        -F.cosine_similarity(common, pathologic, dim=-1),
        -F.cosine_similarity(common, genomic, dim=-1),
        F.cosine_similarity(synergy, pathologic, dim=-1).abs(),
        F.cosine_similarity(synergy, genomic, dim=-1).abs(),
    ]
    return torch.cat(terms).mean() + 1


def patient_loss(components: Tensor, banks: list[list[Tensor]], label: int, censorship: float) -> Tensor | None:
    """Return how far the patient is from similar patients, compared with the others.

    Parameters
    ----------
    components : Tensor
        The patient's components, (1, 4, d).
    banks : list[list[Tensor]]
        Recent patients of each interval, this one being the last of its own.
    label : int
        The patient's interval.
    censorship : float
        1 if the patient was alive at last contact, else 0.

    Returns
    -------
    Tensor or None
        The loss, a scalar; None if there is nobody to compare with.
    """
    if censorship:
        similar = [x for bank in banks[label:] for x in bank]
        others = [x for bank in banks[:label] for x in bank]
    else:
        similar = banks[label][:-1]
        others = [x for interval, bank in enumerate(banks) if interval != label for x in bank]
    if not similar or not others:
        return None
    near = torch.exp(components * torch.cat(similar) / TEMPERATURE).mean()
    far = torch.exp(components * torch.cat(others) / TEMPERATURE).mean()
    return -torch.log(near / (near + far + 1e-10))


class ReleasedStep:
    """One training step after the other, each with one patient.

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

    Attributes
    ----------
    parameters_count : int
        Number of trainable parameters, with those of the module that is never called.
    """

    def __init__(self, families: tuple[int, ...], features: int, clusters: int, intervals: int) -> None:
        self.network = Network(families, features, clusters, intervals).train()
        self.parameters_count = sum(p.numel() for p in self.network.parameters())
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=1e-3, weight_decay=1e-5)
        self.anchor = torch.randn(1, clusters, features)
        self.banks: list[list[Tensor]] = [[] for _ in range(intervals)]

    def align(self, centres: Tensor) -> Tensor:
        """Put the centres in the order of the anchor, and move the anchor towards them.

        Parameters
        ----------
        centres : Tensor
            Cluster centres in any order, (k, D).

        Returns
        -------
        Tensor
            The centres in the anchor's order, (1, k, D).
        """
        with torch.no_grad():
            cost = torch.cdist(self.anchor, centres.unsqueeze(0), p=1)[0]
            order = linear_sum_assignment(cost.cpu().numpy())[1]
            aligned = centres[torch.from_numpy(order)].unsqueeze(0)
            self.anchor = (1 - MOMENTUM) * self.anchor + MOMENTUM * aligned
        return aligned

    def remember(self, components: Tensor, label: int) -> None:
        """Append a patient to the bank of its interval; the oldest one leaves a full bank.

        Parameters
        ----------
        components : Tensor
            The patient's components, (1, 4, d).
        label : int
            The patient's interval.
        """
        bank = self.banks[label]
        bank.append(components.detach())
        if len(bank) > BANK:
            bank.pop(0)

    def step(self, genomics: list[Tensor], centres: Tensor, label: int, censorship: float) -> float:
        """Train on one patient.

        Parameters
        ----------
        genomics : list[Tensor]
            Features of each family, (1, n).
        centres : Tensor
            Cluster centres in any order, (k, D).
        label : int
            Interval of death or of last contact.
        censorship : float
            1 if the patient was alive at last contact, else 0.

        Returns
        -------
        float
            The loss.
        """
        hazards, genomic, pathologic, components = self.network(genomics, self.align(centres))
        self.remember(components, label)
        loss = survival_loss(hazards, torch.tensor([[label]]), torch.tensor([[censorship]]))
        loss = loss + knowledge_loss(genomic, pathologic, components)
        patient = patient_loss(components, self.banks, label, censorship)
        if patient is not None:
            loss = loss + patient
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def main() -> None:
    """Print the median duration of a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    parser.add_argument("--steps", type=int, default=60, help="steps that are timed")
    parser.add_argument("--warm-up", type=int, default=20, help="steps before them")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    features, clusters, intervals = 1024, 6, 4
    released = ReleasedStep(BLCA, features, clusters, intervals)
    assert released.parameters_count == BLCA_PARAMETERS, released.parameters_count

    patients = [
        ([torch.randn(1, n) for n in BLCA], torch.rand(clusters, features), i % intervals, float(i // intervals % 2))
        for i in range(10 * intervals)
    ]
    milliseconds = []
    for i in range(arguments.warm_up + arguments.steps):
        start = time.perf_counter()
        released.step(*patients[i % len(patients)])
        milliseconds.append((time.perf_counter() - start) * 1e3)
    median = statistics.median(milliseconds[arguments.warm_up :])
    print(f"{median:.2f} ms per step, {arguments.threads} thread(s), {released.parameters_count:,} parameters")


if __name__ == "__main__":
    main()
