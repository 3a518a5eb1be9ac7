"""Cohort guidance (Section III-B of the CCL paper): what patients and components learn from each other.

Components are always in the order common, synergy, genomic-specific, pathology-specific.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

COMPONENTS = 4

BELONGS = ((True, True), (False, False), (True, False), (False, True))
"""Whether each component is knowledge of genomics, and of pathology: common is of both, synergy of neither."""

TEMPERATURE = 2.0
"""Divides the products of components before the exponential."""


def knowledge_loss(components: Tensor, genomic: Tensor, pathology: Tensor) -> Tensor:
    """Return equation (4), averaged over its eight terms, plus one: 0.5 (all where they belong) to 1.5.

    Parameters
    ----------
    components : Tensor, shape (B, 4, d)
        Decomposed components.
    genomic, pathology : Tensor, shape (B, d)
        What they were decomposed from; no gradient flows there, or both would collapse into one.
    """
    sources = torch.stack([genomic, pathology], dim=1).detach()
    # (B, 4, d) and (B, 2, d) -> (B, 4, 2)
    cosines = F.normalize(components, dim=2) @ F.normalize(sources, dim=2).transpose(1, 2)
    belongs = torch.tensor(BELONGS, device=cosines.device)
    return torch.where(belongs, -cosines, cosines.abs()).mean() + 1


class CohortBank(nn.Module):
    """The components of the last patients of each survival interval, first in, first out.

    Parameters
    ----------
    groups : int
        Survival intervals r.
    length : int
        Patients b that are kept of each.
    width : int
        Channels d of a component.
    """

    rows: Tensor
    counts: Tensor

    def __init__(self, groups: int, length: int, width: int) -> None:
        super().__init__()
        # (r, b, 4, d), the newest patient last, the unfilled rows first
        self.register_buffer("rows", torch.zeros(groups, length, COMPONENTS, width))
        self.register_buffer("counts", torch.zeros(groups, dtype=torch.int64))

    @torch.no_grad()
    def append(self, components: Tensor, label: Tensor) -> None:
        """Store one patient's components (4, d), without their gradient, in the bank of interval `label`."""
        groups, length = self.rows.shape[:2]
        own = torch.arange(groups, device=label.device) == label
        shifted = torch.cat([self.rows[:, 1:], components.expand(groups, 1, -1, -1)], dim=1)
        self.rows.copy_(torch.where(own[:, None, None, None], shifted, self.rows))
        self.counts.add_(own).clamp_(max=length)

    def patient_loss(self, components: Tensor, label: Tensor, censorship: Tensor) -> Tensor:
        """Return equation (5) for one patient, whose components :meth:`append` stored last.

        A patient who died is drawn to the others of the same interval and away from all others.  A censored one
        lived at least as long as known, so it is drawn to its own and all later intervals (itself among them)
        and away from earlier ones.  The similarity of two patients is the mean over components and channels of
        ``exp(x * y / 2)``; sets count by their means, so their sizes do not matter.

        Parameters
        ----------
        components : Tensor, shape (4, d)
            The patient's components.
        label, censorship : Tensor, shape ()
            Survival interval (int64), and 1 = censored or 0 = death observed.

        Returns
        -------
        Tensor, shape ()
            The loss; 0 where there is nobody to be drawn to, or nobody to be drawn away from.
        """
        groups, length = self.rows.shape[:2]
        group = torch.arange(groups, device=label.device)[:, None]
        place = torch.arange(length, device=label.device)
        filled = place >= length - self.counts[:, None]
        censored = censorship == 1
        itself = (group == label) & (place == length - 1)
        near = filled & torch.where(censored, group >= label, (group == label) & ~itself)
        far = filled & torch.where(censored, group < label, group != label)
        # (r, b, 4, d) -> (r, b)
        similarity = torch.exp(components * self.rows / TEMPERATURE).mean(dim=(2, 3))
        to_near, to_far = _mean_where(near, similarity), _mean_where(far, similarity)
        known = near.any() & far.any()
        # Without the inner choice the gradient of log 0 would reach the components as NaN.
        share = torch.where(known, to_near, 1.0) / (to_near + to_far + 1e-10)
        return torch.where(known, -torch.log(share), 0.0)


def _mean_where(mask: Tensor, values: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)
