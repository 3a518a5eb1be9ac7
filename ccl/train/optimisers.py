"""The optimisers of recipes: our own for plain SGD on small inputs, and torch's for everything else."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.sgd import sgd

from ccl.methods.declaration import Recipe
from ccl.nn.families import FamilyTokens
from ccl.train.sgd import SGD

LOOKAHEAD_STEPS = 6
LOOKAHEAD_SHARE = 0.5
"""Lookahead (Zhang et al., NeurIPS 2019) as in TransMIL: number of steps, and share of the way to move."""

OPTIMISERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "radam": torch.optim.RAdam,
    "lookahead-radam": torch.optim.RAdam,
}

FUSED = ("sgd", "adam")
"""Optimisers that torch has as one pass over all weights on a CPU, without temporary copies of them."""


IN_CACHE = 2**20
"""Number of weights, 4 MiB, that stay in a processor's cache from their gradient to their update."""


class Optimiser(Protocol):
    """The optimiser interface of the training loop."""

    settles: bool
    """Whether it calls :meth:`ccl.nn.replicas.InputLinear.settle`, which layers that expect the next steps need."""

    def step(self, loss: Tensor, *, last: bool) -> None:
        """Add a patient's `loss`, shape (), and take a step if one is due; `last` marks the last one of an epoch."""

    def state(self) -> dict[str, Tensor]:
        """Return the state for :meth:`restore`, at the end of an epoch."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a :meth:`state`."""


def make_optimiser(model: nn.Module, recipe: Recipe, *, steps: int, bags: bool) -> Optimiser:
    """Return the optimiser of a recipe for epochs of `steps` patients.

    Plain SGD on small inputs is memory-bound and has a separate implementation (:class:`ccl.train.sgd.SGD`).  It does
    not help a network that reads whole bags or uses a layer twice.
    """
    plain = recipe.optimiser == "sgd" and recipe.accumulate == 1 and recipe.clip is None
    if plain and recipe.schedule == "constant" and not bags:
        return SGD(model, lr=recipe.lr, weight_decay=recipe.weight_decay)
    return Stepwise(model, recipe, steps=steps)


class Stepwise:
    """A torch optimiser with a recipe's accumulation, clipping, schedule and lookahead, for each replica."""

    settles = False

    def __init__(self, model: nn.Module, recipe: Recipe, *, steps: int) -> None:
        self.recipe = recipe
        self.weights: list[Tensor] = list(model.parameters())
        make = OPTIMISERS[recipe.optimiser]
        fused = {"fused": True} if recipe.optimiser in FUSED and self.weights[0].device.type == "cpu" else {}
        self.optimiser = make(self.weights, lr=recipe.lr, weight_decay=recipe.weight_decay, **fused)
        self.per_epoch = math.ceil(steps / recipe.accumulate)
        self.waiting, self.taken = 0, 0
        self.schedule = LambdaLR(self.optimiser, self._factor)
        if self.weights[0].device.type == "cpu":
            self._spare_gradients(model)
        lookahead = recipe.optimiser.startswith("lookahead")
        self.slow = [weight.detach().clone() for weight in self.weights] if lookahead else []

    def step(self, loss: Tensor, *, last: bool) -> None:
        """Add a patient's gradient; after enough patients, or at the end of an epoch, take a step by the mean."""
        loss.backward()  # type: ignore[no-untyped-call]
        self.waiting += 1
        if self.waiting < self.recipe.accumulate and not last:
            return
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        if self.waiting > 1:
            torch._foreach_div_(gradients, self.waiting)
        if self.recipe.clip is not None:
            _clip(gradients, self.recipe.clip)
        self.taken, self.waiting = self.taken + 1, 0
        self.optimiser.step()
        self.schedule.step()
        self.optimiser.zero_grad()
        if self.slow and self.taken % LOOKAHEAD_STEPS == 0:
            self._look_back()

    def _spare_gradients(self, model: nn.Module) -> None:
        """Let layers with weights per family move them, or add to their gradient, in the backward pass.

        With hundreds of families, a new gradient of these weights at each step would cost more than the rest of it.
        """
        recipe = self.recipe
        plain = recipe.optimiser == "sgd" and recipe.accumulate == 1 and recipe.clip is None
        for module in model.modules():
            if isinstance(module, FamilyTokens) and not module.shared:
                layer = module.second.linear
                layer.descent = self._descend if plain else functools.partial(_add_gradient, layer.weight)

    def _descend(self, weight: Tensor, dy: Tensor, x: Tensor) -> None:
        """Take the optimiser's step for weights (F, n_out, n_in), given one row each of dy and x."""
        for weights, gradient in _gradients(weight, dy, x):
            sgd(
                [weights], [gradient], [None], lr=self.optimiser.param_groups[0]["lr"],
                weight_decay=self.recipe.weight_decay, momentum=0.0, dampening=0.0, nesterov=False, maximize=False,
                fused=True,
            )  # fmt: skip

    def _factor(self, step: int) -> float:
        """Return the factor of the learning rate at a step, counted from 0."""
        epochs, epoch = self.recipe.epochs, step // self.per_epoch
        match self.recipe.schedule:
            case "constant":
                return 1.0
            case "linear":
                return 1 - (epoch + 1) / (epochs + 1)
            case "fifth":
                return 0.2 if 2 * epoch >= epochs else 1.0
            case "cosine":
                rising, falling = self.per_epoch, self.per_epoch * (epochs - 1)
                if step < rising or not falling:
                    return (step + 1) / rising
                return 0.5 * (1 + math.cos(math.pi * (step + 1 - rising) / falling))

    @torch.no_grad()
    def _look_back(self) -> None:
        torch._foreach_lerp_(self.slow, self.weights, LOOKAHEAD_SHARE)
        torch._foreach_copy_(self.weights, self.slow)

    def state(self) -> dict[str, Tensor]:
        """Return moments, slow weights and the count of steps, by name."""
        moments = {
            f"{index}/{name}": value.detach()
            for index, own in self.optimiser.state_dict()["state"].items()
            for name, value in own.items()
            if isinstance(value, Tensor)
        }
        slow = {f"slow/{index}": value for index, value in enumerate(self.slow)}
        return {**moments, **slow, "taken": torch.tensor(self.taken)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a :meth:`state`."""
        self.taken = int(state["taken"])
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            index, _, name = key.partition("/")
            if index.isdigit():
                moments.setdefault(int(index), {})[name] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})
        self.schedule = LambdaLR(self.optimiser, self._factor, last_epoch=self.taken - 1)
        self.slow = [state[f"slow/{index}"].to(weight.device) for index, weight in enumerate(self.weights) if self.slow]


def _add_gradient(parameter: Tensor, weight: Tensor, dy: Tensor, x: Tensor) -> None:
    """Add the gradient of weights (F, n_out, n_in) to that of their parameter, given one row each of dy and x."""
    first = parameter.grad is None
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    for total, gradient in _gradients(parameter.grad.view_as(weight), dy, x):
        total.copy_(gradient) if first else total.add_(gradient)


def _gradients(weight: Tensor, dy: Tensor, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield some families of weights (F, n_out, n_in) at a time, with their gradient, which stays in the cache."""
    families = max(1, IN_CACHE // weight[0].numel())
    for weights, left, right in zip(*(torch.split(part, families) for part in (weight, dy.mT, x)), strict=True):
        yield weights, left * right


def _clip(gradients: list[Tensor], norm: float) -> None:
    """Scale each replica's gradient, of tensors (S, ...), down to `norm` if it is longer."""
    squares = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients])
    factor = (norm / squares.sum(dim=0).sqrt().clamp(min=1e-12)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.view(-1, *[1] * (gradient.dim() - 1)))
