"""Incomplete patients as an input of any network: learnt values stand in for the parts that a patient lacks.

For each column of a missing omics table, and for the one patch of missing slides, the network reads a value that is the
same for all patients and learnt with its weights.  That of a column starts at zero, the training mean; the patch starts
at ones, because a ReLU may pass no gradient to zeros.  Tokens of a missing modality are therefore learnt tokens, and
attention to the patches of a patient without slides is attention to one learnt patch.  Nothing changes for complete
patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.wrapper import Wrapper
from ccl.nn.replicas import Replicas


class WithStandIns(Wrapper):
    """A network that reads learnt values where a patient lacks an omics table or slides."""

    def __init__(self, network: SurvivalModel, shape: Shape, replicas: Replicas) -> None:
        super().__init__(network)
        zeros = [torch.zeros(len(replicas), 1, size, device=replicas.device) for size in shape.families]
        self.genes = nn.ParameterList(zeros)
        ones = torch.ones(len(replicas), 1, shape.features, device=replicas.device)
        self.patch = nn.Parameter(ones) if shape.features else None
        for number, tables in enumerate(shape.tables):
            self.register_buffer(f"tables_{number}", torch.tensor(tables, device=replicas.device), persistent=False)

    def expect(self, batch: Batch) -> None:
        """Do nothing: the values of the next steps are not known, because the learnt ones change between steps."""

    def forward(self, batch: Batch) -> Output:
        """Return the logits and the losses of the network."""
        output: Output = self.network(self.completed(batch))
        return output

    def completed(self, batch: Batch) -> Batch:
        """Return a batch with the learnt values in the place of missing ones."""
        present = batch.present
        if present is None:
            return batch
        genomics = tuple(
            torch.where(present.tables[..., getattr(self, f"tables_{number}")], values, self.genes[number])
            for number, values in enumerate(batch.genomics)
        )
        bag, centres = batch.bag, batch.centres
        if present.slides is not None and self.patch is not None:
            if centres is not None:
                centres = torch.where(present.slides[..., None, None], centres, self.patch[:, :, None])
            elif not bool(present.slides.all()):  # a bag is of one patient
                bag = self.patch
        return replace(batch, genomics=genomics, bag=bag, centres=centres, present=None)

    def attends_to(self, batch: Batch) -> Attention:
        """Return what the network attends to; for a patient without slides, to the one learnt patch."""
        return self.network.attends_to(self.completed(batch))

    def through(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the logits once for each component of the network."""
        return self.network.through(self.completed(batch))

    def decomposed(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the components of the network."""
        return self.network.decomposed(self.completed(batch))
