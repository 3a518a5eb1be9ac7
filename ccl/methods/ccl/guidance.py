"""Cohort guidance (Section III-B of the CCL paper): losses between components and between patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.io.errors import ConfigError

BELONGS = {"common": (1, 1), "synergy": (-1, -1), "genomic": (1, -1), "pathology": (-1, 1)}
"""Whether a component must (1) or must not (-1) contain knowledge of genomics and of pathology.

Components that are not listed have no constraint.
"""

LETTERS = {"G": "genomic", "P": "pathology", "C": "common", "S": "synergy"}
"""The letters of the components in the paper."""

NEVER = -1e30
"""Log-similarity of a place in the bank that is masked."""

TEMPERATURE = 2.0
"""Divides products of components before the exponential."""


class KnowledgeLoss(nn.Module):
    """Equation (4): each component near the representations it belongs to, and orthogonal to the others.

    Parameters
    ----------
    components : sequence of str
        Kind of each component: a key of :data:`BELONGS`, or any other word for a component without constraint.
    terms : str
        Letters of the components whose terms count (Table VII), out of ``GPCS``.
    reduction : {"sum", "mean"}
        ``sum`` as printed; ``mean``, as released, divides by the number of terms and adds one.
    """

    near: Tensor
    apart: Tensor

    def __init__(self, components: Sequence[str], *, terms: str, reduction: Literal["sum", "mean"]) -> None:
        super().__init__()
        target = torch.tensor([BELONGS.get(name, (0, 0)) for name in components], dtype=torch.float32)
        counted = torch.tensor([name in {LETTERS.get(letter) for letter in terms} for name in components])
        # Switching off a term does not change the weight of the others.
        share = 1.0 if reduction == "sum" else 1.0 / int(target.abs().sum())
        weight = share * target.abs() * counted[:, None]
        self.register_buffer("near", weight * (target > 0), persistent=False)
        self.register_buffer("apart", weight * (target < 0), persistent=False)
        self.shift = 0.0 if reduction == "sum" else 1.0

    def forward(
        self, components: Tensor, sources: Tensor, seen: Tensor | None = None, there: Tensor | None = None
    ) -> Tensor:
        """Return the loss of each replica's patients, their mean: (S,).

        Parameters
        ----------
        components : Tensor, shape (S, B, C, d)
        sources : Tensor, shape (S, B, 2, d)
            F_g and F_p, from which they were decomposed.  No gradient flows there, or both would become one.
        seen, there : Tensor, shape (S, B, C) and (S, B, 2), optional
            Of incomplete patients, the components and the modalities whose terms count.
        """
        sources = F.normalize(sources.detach(), dim=-1)
        # (S, B, C, d) and (S, B, 2, d) -> (S, B, C, 2)
        cosines = components @ sources.mT / components.norm(dim=-1, keepdim=True).clamp(min=1e-12)
        terms = cosines.abs() * self.apart.to(cosines.dtype) - cosines * self.near.to(cosines.dtype)
        if seen is not None and there is not None:
            terms = terms * (seen[..., :, None] & there[..., None, :])
        loss: Tensor = terms.sum(dim=(2, 3)).mean(dim=1) + self.shift
        return loss


class CohortBank(nn.Module):
    """The components of past patients, by risk group, first in, first out.

    Parameters
    ----------
    replicas, groups, length : int
        Replicas S, risk groups r, and patients b that are kept.
    shape : tuple of int
        Components C and channels d of a patient.
    per_group : bool
        Whether the last b patients are kept of each group, as released, or in total, as printed.
    """

    rows: Tensor
    groups: Tensor
    counts: Tensor

    def __init__(self, replicas: int, groups: int, length: int, *, shape: tuple[int, int], per_group: bool) -> None:
        super().__init__()
        self.queues, self.length = groups if per_group else 1, length
        places = self.queues * length
        # (S, n, C, d): a ring of `length` places for each queue; the group of an empty place is -1
        self.register_buffer("rows", torch.zeros(replicas, places, *shape))
        self.register_buffer("groups", torch.full((replicas, places), -1))
        self.register_buffer("counts", torch.zeros(replicas, self.queues, dtype=torch.int64))

    @torch.no_grad()
    def append(self, components: Tensor, group: Tensor, whole: Tensor | None = None) -> Tensor:
        """Store one patient of each replica, components (S, C, d) of risk group (S,), replacing the oldest.

        With `whole` (S,), bool, replicas in which it is False keep their bank as it is.

        Returns
        -------
        Tensor, shape (S, 1)
            The place of each.
        """
        queue = (group if self.queues > 1 else torch.zeros_like(group))[:, None]
        place = queue * self.length + self.counts.gather(1, queue) % self.length
        replica = torch.arange(len(self.rows), device=group.device)
        row, group, count = components.detach().to(self.rows.dtype), group[:, None], torch.ones_like(queue)
        if whole is not None:
            row = torch.where(whole[:, None, None], row, self.rows[replica, place[:, 0]])
            group, count = torch.where(whole[:, None], group, self.groups.gather(1, place)), count * whole[:, None]
        self.rows[replica, place[:, 0]] = row
        self.groups.scatter_(1, place, group)
        self.counts.scatter_add_(1, queue, count)
        return place


class PatientLoss(nn.Module):
    """Equation (5): attracts each patient to patients of similar risk in the bank, and repels them from others.

    A patient who died is attracted to the same group and repelled from all others.  A censored patient lived at least
    as long as known, so it is attracted to its own and all later groups and repelled from earlier ones.  Computed in
    log space, so that no product of components overflows.

    Parameters
    ----------
    similarity : {"elementwise", "dot", "cosine"}
        Of components x and y: the mean over channels of ``exp(x * y / 2)`` as released, ``exp(x . y / 2)``, or
        ``exp(cos(x, y) / 2)``.
    reduction : {"sum", "mean"}
        Sets count by their sums, as printed, or by their means, which do not depend on their sizes.
    per_component : bool
        One loss for each component, added up, as printed, or one for all components' mean similarity, as released.
    """

    def __init__(
        self,
        *,
        similarity: Literal["elementwise", "dot", "cosine"],
        reduction: Literal["sum", "mean"],
        per_component: bool,
    ) -> None:
        super().__init__()
        self.similarity, self.reduction, self.per_component = similarity, reduction, per_component

    def forward(
        self, components: Tensor, group: Tensor, censorship: Tensor, bank: CohortBank, itself: Tensor | None = None
    ) -> Tensor:
        """Return the loss of one patient of each replica.

        Parameters
        ----------
        components : Tensor, shape (S, C, d)
        group, censorship : Tensor, shape (S,)
            Risk group, int64; 1 = censored, 0 = death observed.
        bank : CohortBank
            The patients to compare with.
        itself : Tensor, shape (S, 1), optional
            The patient's own place, if the bank already holds it.  As released, a censored patient is then attracted to
            itself, and one who died is not.

        Returns
        -------
        Tensor, shape (S,)
            0 if there is nobody to be attracted to, or nobody to be repelled from.
        """
        own, others, censored = group[:, None], bank.groups, censorship[:, None] == 1
        near = torch.where(censored, others >= own, others == own)
        far = (others >= 0) & ~near
        if itself is not None:
            near = near.scatter(1, itself, near.gather(1, itself) & censored)
        # A patient that is not yet in the bank may enter it before the backward pass reads the rows again.
        rows = bank.rows.clone() if itself is None else bank.rows
        log_similarity = self._log_similarity(components, rows)
        # masks (S, 2, n, 1) and log-similarities (S, 1, n, C) -> (S, 2, C)
        chosen = torch.stack([near, far], dim=1)[..., None]
        # A large negative number instead of -inf, which an empty set would turn into NaN.
        gathered = torch.logsumexp(log_similarity[:, None].masked_fill(~chosen, NEVER), dim=2)
        counts = chosen.sum(dim=2)
        if self.reduction == "mean":
            gathered = gathered - counts.clamp(min=1).to(gathered.dtype).log()
        # -log(near / (near + far))
        losses = F.softplus(gathered[:, 1] - gathered[:, 0]).sum(dim=1)
        return losses * (counts > 0).all(dim=(1, 2))

    def _log_similarity(self, components: Tensor, rows: Tensor) -> Tensor:
        """Return the log-similarities of (S, C, d) to (S, n, C, d): (S, n, C), or for all components (S, n, 1)."""
        if self.similarity == "elementwise":
            products = (components / TEMPERATURE)[:, None] * rows
            return _log_mean_exp(products if self.per_component else products.flatten(2)[:, :, None])
        if self.similarity == "cosine":
            components, rows = F.normalize(components, dim=-1), F.normalize(rows, dim=-1)
        each = (components[:, None] * rows).sum(dim=-1) / TEMPERATURE
        return each if self.per_component else _log_mean_exp(each)[..., None]


def _log_mean_exp(values: Tensor) -> Tensor:
    """Return the log of the mean exponential over the last axis."""
    # Unlike the gradient of torch.logsumexp, that of this form needs no second exponential.
    most = values.detach().amax(dim=-1, keepdim=True)
    return torch.exp(values - most).mean(dim=-1).log() + most.squeeze(-1)


def group_edges(months: Tensor, groups: int) -> Tensor:
    """Return the inner edges (r - 1,) in months that split patients (P,) into r groups of equal size.

    Raises
    ------
    ConfigError
        A group would have no patient: there are too few patients, or too many with the same follow-up.
    """
    shares = torch.linspace(0, 1, groups + 1, dtype=months.dtype)[1:-1]
    edges = torch.quantile(months.cpu(), shares)
    counts = torch.bincount(group_of(months.cpu(), edges), minlength=groups)
    if (counts == 0).any():
        raise ConfigError(
            f"the follow-up times do not fill {groups} risk groups",
            where="groups",
            found=f"groups of {', '.join(map(str, counts.tolist()))} among {len(months)} training patients",
            expected="at least one training patient in each group",
            todo="lower `groups`, or train on more patients",
        )
    return edges


def group_of(months: Tensor, edges: Tensor) -> Tensor:
    """Return the group, 0 to r - 1, of each follow-up (...,) given inner edges (..., r - 1)."""
    return (months[..., None] >= edges).sum(dim=-1)
