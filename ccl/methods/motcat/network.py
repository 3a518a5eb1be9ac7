"""The network of MOTCat (:mod:`ccl.methods.motcat`)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.motcat import Hyper
from ccl.nn.coattention import GuidedNetwork
from ccl.nn.likelihood import survival_nll
from ccl.nn.pooling import bag_of
from ccl.nn.replicas import Replicas
from ccl.nn.transport import transport_cost, unbalanced_plan


class Model(SurvivalModel):
    """Transport of patches to families in micro-batches, and MCAT's network on each of these."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas, self.hyper = replicas, hyper
        self.network = GuidedNetwork(shape, replicas, hyper.width, dropout=hyper.dropout)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n), and in training the rest of the loss, which is the mean over micro-batches."""
        families, patches, plan, _ = self._transport(batch)
        logits = self.network.hazards(plan.mT @ patches, families)
        together = mean_survival(logits)
        if not self.training or batch.outcomes is None:
            return Output(together)
        own = batch.outcomes
        everywhere = Outcomes(*(x.expand(logits.shape[:2]) for x in (own.labels, own.censorship, own.months)))
        # Never negative, and zero if the micro-batches agree.
        return Output(together, {"micro_batches": survival_nll(logits, everywhere) - survival_nll(together, own)})

    def attends_to(self, batch: Batch) -> Attention:
        """Return shares of the transport plan: of patches in all mass and in each family's, of families in all mass.

        A family receives the sum of the patches weighted by the plan.  The masses of all micro-batches are taken
        together.  As the plan is unbalanced, patches give and families receive different masses.
        """
        _, _, plan, chosen = self._transport(batch)
        masses = plan.flatten(1, 2).mT  # (S, F, C * L); zero on padding
        given = torch.zeros(*masses.shape[:2], bag_of(batch, self.replicas).shape[1], dtype=masses.dtype)
        given = given.to(masses.device).scatter_add(2, chosen[:, None].expand_as(masses), masses)
        of_all = given / given.sum(dim=(1, 2), keepdim=True)
        return Attention(
            patches={"transport": of_all.sum(dim=1)},
            families={"transport": of_all.sum(dim=2)[:, None]},
            by_family=F.normalize(given, p=1.0, dim=-1),
        )

    def _transport(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return families (S, F, d), patches in C micro-batches (S, C, L, d), their plans, and indices (S, C * L).

        The indices are those of the patches in the bag.
        """
        bag = bag_of(batch, self.replicas)
        places, filled = deal(bag.shape[1], self.hyper.micro_batch)
        chosen = self._order(bag.shape[1])[:, places.flatten().to(bag.device)]
        dealt = bag[torch.arange(len(chosen), device=bag.device)[:, None], chosen]
        families, patches = self.network.encode(batch, dealt)
        patches = patches.view(len(patches), *places.shape, -1)
        return families, patches, self._plan(patches, families[:, None], filled.to(bag.device)), chosen

    def _order(self, patches: int) -> Tensor:
        """Return the shuffle of a bag for each replica, (S, N)."""
        if self.training:
            return self.replicas.orders(patches)
        fixed = torch.from_numpy(np.random.default_rng(0).permutation(patches))
        return fixed.to(self.replicas.device).expand(len(self.replicas), -1)

    @torch.no_grad()
    def _plan(self, patches: Tensor, families: Tensor, filled: Tensor) -> Tensor:
        """Return the plans (S, C, L, F) of C micro-batches (S, C, L, d), `filled` (C, L), to families (S, 1, F, d)."""
        cost = transport_cost(patches, families.expand(-1, patches.shape[1], -1, -1))
        rows = filled / filled.sum(dim=1, keepdim=True, dtype=cost.dtype)
        columns = torch.full_like(cost[..., 0, :], 1 / cost.shape[-1])
        plan = unbalanced_plan(cost, rows, columns, epsilon=self.hyper.epsilon, tau=self.hyper.tau)
        return plan.to(patches.dtype)


def deal(patches: int, size: int) -> tuple[Tensor, Tensor]:
    """Split N shuffled patches into ``N // size + 1`` = C micro-batches of about equal size, none above `size`.

    Returns
    -------
    places : Tensor, shape (C, L), int64
        Indices of each micro-batch's patches; one with fewer than L is padded with its last.
    filled : Tensor, shape (C, L), bool
        False for the padding.
    """
    ends = torch.tensor([part[-1] + 1 for part in np.array_split(np.arange(patches), patches // size + 1)])
    starts = F.pad(ends, (1, 0))[:-1]
    places = starts[:, None] + torch.arange(int((ends - starts).max()))
    return torch.minimum(places, ends[:, None] - 1), places < ends[:, None]


def mean_survival(logits: Tensor) -> Tensor:
    """Return the logits (S, 1, n) whose survival function is the mean of those of C logits (S, C, n)."""
    before = F.pad(F.logsigmoid(-logits).cumsum(dim=-1)[..., :-1], (1, 0))
    died, survived = (torch.logsumexp(before + F.logsigmoid(x), dim=1, keepdim=True) for x in (logits, -logits))
    return died - survived
