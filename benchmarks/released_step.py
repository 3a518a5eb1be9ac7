"""Benchmark: one training step of CCL with the arithmetic of the released network.

The baseline for our own step.  It is written from a description of the released network, not from its code, and does
the costly things that network does: attention over five tokens padded to 128, 256 x 256 co-attention matrices, a bank
of Python lists.  `ccl` does not use it; a test holds the two against each other.

Cluster centres are given, so online K-means is not part of the step.  All data are random.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from released_network import Network
from scipy.optimize import linear_sum_assignment
from torch import Tensor

BANK = 10  # patients per interval
MOMENTUM = 0.1  # of the anchor
TEMPERATURE = 2.0
BLCA = (94, 334, 521, 468, 1496, 479)
BLCA_PARAMETERS = 2_147_110


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

    The parameters are those of :class:`released_network.Network`.

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
