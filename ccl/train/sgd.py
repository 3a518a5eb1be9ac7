"""Stochastic gradient descent that never builds the gradient of a linear layer."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ccl.nn.replicas import InputLinear, Linear, descend


class SGD:
    """``w <- (1 - lr * weight_decay) w - lr * gradient``, without momentum: the update of ``torch.optim.SGD``.

    Parameters
    ----------
    model : Module
        Network whose :class:`ccl.nn.replicas.Linear` layers then update their weights in the backward pass.
    lr, weight_decay : float
        Learning rate and L2 penalty.
    """

    settles = True

    def __init__(self, model: nn.Module, *, lr: float, weight_decay: float) -> None:
        self.keep, self.by = 1 - lr * weight_decay, -lr
        self.inputs = [module for module in model.modules() if isinstance(module, InputLinear)]
        own = {id(layer.weight) for layer in self.inputs}
        for module in model.modules():
            if isinstance(module, Linear):
                module.descent = functools.partial(descend, keep=self.keep, by=self.by)
                own.add(id(module.weight))
        self.others = [weight for weight in model.parameters() if id(weight) not in own]

    def step(self, loss: Tensor, *, last: bool = False) -> None:
        """Take one step down the gradient of `loss`, shape ()."""
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for layer in self.inputs:
                layer.settle(keep=self.keep, by=self.by)
            moved: list[Tensor] = [weight for weight in self.others if weight.grad is not None]
            torch._foreach_mul_(moved, self.keep)
            torch._foreach_add_(moved, [weight.grad for weight in moved if weight.grad is not None], alpha=self.by)
        for weight in moved:
            weight.grad = None

    def state(self) -> dict[str, Tensor]:
        """Return no state: there is no momentum."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Do nothing: there is no state."""
