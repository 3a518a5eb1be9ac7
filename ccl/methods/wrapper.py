"""A network around the network of a method."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ccl.data.batch import Batch, Outcomes
from ccl.methods.interface import Attention, SurvivalModel


class Wrapper(SurvivalModel):
    """Passes everything but the input of :meth:`forward` and :meth:`through` to the network within."""

    def __init__(self, network: SurvivalModel) -> None:
        super().__init__()
        self.network = network

    def begin(self, outcomes: Outcomes, clinical: Tensor | None = None) -> None:
        """Prepare the network."""
        self.network.begin(outcomes, clinical)

    def expect(self, batch: Batch) -> None:
        """Pass the patients of the next steps to the network."""
        self.network.expect(batch)

    def describe(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the facts about the network."""
        return self.network.describe(batch)

    def attends_to(self, batch: Batch) -> Attention:
        """Return what the network attends to."""
        return self.network.attends_to(batch)

    def decomposed(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the components of the network."""
        return self.network.decomposed(batch)

    def risk_groups(self, outcomes: Outcomes) -> Tensor:
        """Return the risk groups of the network."""
        return self.network.risk_groups(outcomes)

    def reference(self, batch: Batch) -> Batch:
        """Return the network's average training patient."""
        return self.network.reference(batch)
