"""Several networks of one architecture, trained side by side as one program.

A replica is a network with its own seed.  The weights of S replicas are one tensor with a leading axis S, and so is
everything computed from them.  A step of eight replicas therefore calls as many operations as a step of one.  Replicas
share nothing, and each draws its own random numbers.  A seed gives the same network alone or beside others, up to the
rounding of sums.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

STREAMED_ROWS = 8
"""Up to this many rows, reading the weights from memory limits the speed of a product."""

DRAWN_AHEAD = 16
"""Number of steps for which a dropout layer draws its random numbers at once."""

DRAWN_WHOLE = 2**16
"""If a step needs more numbers than this, as for a bag, they are drawn when needed, to save memory."""


class Replicas:
    """The random numbers of S replicas: all randomness comes from here.

    Parameters
    ----------
    seeds : sequence of int
        One per replica.
    device : torch.device
        Device that needs the numbers. They are drawn on the CPU, so a GPU trains the same networks.
    most : int, optional
        Numbers that may be drawn, until it is set to None: a file of others may describe a network of any size.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu", *, most: int | None = None) -> None:
        self.seeds = tuple(seeds)
        self.most = most
        self.device = torch.device(device)
        self._generators = [np.random.default_rng(seed) for seed in seeds]
        self._ahead: dict[Any, tuple[tuple[Tensor, ...], int]] = {}

    def __len__(self) -> int:
        return len(self.seeds)

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers (S, *shape)."""
        self._count(shape)
        drawn = [generator.standard_normal(shape, dtype=np.float32) for generator in self._generators]
        return torch.from_numpy(np.stack(drawn)).to(self.device)

    def uniform(self, *shape: int) -> Tensor:
        """Return uniform numbers in [0, 1), (S, *shape)."""
        self._count(shape)
        drawn = [generator.random(shape, dtype=np.float32) for generator in self._generators]
        return torch.from_numpy(np.stack(drawn)).to(self.device)

    def _count(self, shape: tuple[int, ...]) -> None:
        if self.most is not None:
            self.most -= len(self) * math.prod(shape)
            if self.most < 0:
                raise ValueError("a network that is larger than its weights")

    def within(self, bound: float, *shape: int) -> Tensor:
        """Return uniform numbers between minus `bound` and `bound`, (S, *shape), as PyTorch initialises its layers."""
        return (2 * self.uniform(*shape) - 1) * bound

    def ahead(self, make: Callable[[Tensor], tuple[Tensor, ...]], shape: Sequence[int]) -> tuple[Tensor, ...]:
        """Return `make` applied to uniform numbers (S, *shape); small ones are drawn for several calls at once."""
        count = math.prod(shape)
        if count > DRAWN_WHOLE:
            return make(self.uniform(*shape))
        ready, used = self._ahead.get(make, ((), 0))
        if not ready or used + count > ready[0].shape[1]:
            ready, used = make(self.uniform(DRAWN_AHEAD * count)), 0
        self._ahead[make] = ready, used + count
        return tuple(part[:, used : used + count].view(-1, *shape) for part in ready)

    def orders(self, count: int, weights: NDArray[np.float64] | None = None) -> Tensor:
        """Return for each replica an order of `count` patients, int64 (S, count).

        With `weights` (count,), draw that many with replacement, in proportion to the weights.
        """
        if weights is None:
            drawn = [generator.permutation(count) for generator in self._generators]
        else:
            share = weights / weights.sum()
            drawn = [generator.choice(count, size=count, p=share) for generator in self._generators]
        return torch.from_numpy(np.stack(drawn).astype(np.int64)).to(self.device)

    def state(self) -> list[Mapping[str, Any]]:
        """Return the state for :meth:`restore`; numbers drawn in advance are discarded."""
        self._ahead.clear()
        return [generator.bit_generator.state for generator in self._generators]

    def restore(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Continue from a :meth:`state`."""
        self._ahead.clear()
        for generator, own in zip(self._generators, state, strict=True):
            generator.bit_generator.state = own


# The products of a linear layer, in the order of operands that was fastest when measured: with several replicas or a
# single row, a product with the weight on the left is up to twice as fast, as it reads the weights in order.


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Map x (S, T, n_in) by weights (S, n_out, n_in) and biases (S, 1, n_out) to (S, T, n_out)."""
    if x.shape[1] > STREAMED_ROWS or (x.shape[0] == 1 and x.shape[1] > 1):
        return torch.bmm(x, weight.mT) if bias is None else torch.baddbmm(bias, x, weight.mT)
    return (torch.bmm(weight, x.mT) if bias is None else torch.baddbmm(bias.mT, weight, x.mT)).mT


Descent = Callable[[Tensor, Tensor, Tensor], None]
"""Moves weights (S, n_out, n_in) down their gradient ``dy^T x``, given dy (S, T, n_out) and x (S, T, n_in)."""


def descend(weight: Tensor, dy: Tensor, x: Tensor, *, keep: float, by: float) -> None:
    """Set the weights (S, n_out, n_in) to ``keep * weight + by * dy^T x``, given dy (S, T, n_out), x (S, T, n_in)."""
    if x.shape[1] > 1:
        weight.baddbmm_(dy.mT, x, beta=keep, alpha=by)
    else:
        weight.mT.baddbmm_(x.mT, dy, beta=keep, alpha=by)


class _Descending(torch.autograd.Function):
    """``x W^T + b`` whose backward pass updates W: see :class:`Linear`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, descent: Descent) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.descent, ctx.has_bias = descent, bias is not None
        return _forward(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        dx = torch.bmm(dy, weight) if ctx.needs_input_grad[0] else None
        ctx.descent(weight, dy, x)
        return dx, None, dy.sum(dim=1, keepdim=True) if ctx.has_bias else None, None


class Linear(nn.Module):
    """S affine maps, or S times `maps` of them, initialised as PyTorch does.

    The gradient of a weight is a sum of one outer product per row of the input, one or six here.  Storing it would cost
    as much memory traffic as the rest of a step.  Once an optimiser has set `descent`, the backward pass adds the
    products to the weight itself, while the weight is still in the cache.  Then a layer can be used only once in a
    step; autograd refuses a second use.

    Attributes
    ----------
    weight : Parameter, shape (S, *maps, n_out, n_in)
    bias : Parameter, shape (S, *maps, 1, n_out), or None
    descent : function or None
        Update of the weights by a backward pass; None leaves the update to autograd and the optimiser.
    """

    def __init__(
        self, replicas: Replicas, n_in: int, n_out: int, *, bias: bool = True, maps: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        bound = n_in**-0.5
        self.weight = nn.Parameter(replicas.within(bound, *maps, n_out, n_in))
        self.bias = nn.Parameter(replicas.within(bound, *maps, 1, n_out)) if bias else None
        self.descent: Descent | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Map (S, *maps, T, n_in) to (S, *maps, T, n_out)."""
        flat, weight = x.flatten(0, -3), self.weight.flatten(0, -3)
        bias = None if self.bias is None else self.bias.flatten(0, -3)
        if self.descent is not None and torch.is_grad_enabled():
            out: Tensor = _Descending.apply(flat, weight, bias, self.descent)
        else:
            out = _forward(flat, weight, bias)
        return out.view(*x.shape[:-1], -1)


@functools.cache
def _places(sizes: tuple[int, ...], replicas: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return where the inputs of an :class:`InputLinear` are among all columns of all replicas.

    Returns
    -------
    tuple of three Tensors
        Every column (S * N,), the first column of each input (S * F,), and the input of each column (N,).
    """
    lengths = torch.tensor(sizes)
    first = (lengths.repeat(replicas).cumsum(0) - lengths.repeat(replicas)).to(device)
    inputs = torch.arange(len(sizes)).repeat_interleave(lengths).to(device)
    return torch.arange(replicas * sum(sizes), device=device), first, inputs


class _Rows(torch.autograd.Function):
    """The products of one row of each of F inputs with its weights, in one pass over all weights.

    With hundreds of inputs, as many small products would cost more than the arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, sizes: tuple[int, ...]) -> Tensor:
        """Map x (S, N), all inputs side by side, by weights (S, N, n_out) to (S, F, n_out)."""
        ctx.save_for_backward(x, weight)
        ctx.sizes = sizes
        columns, first, _ = _places(sizes, len(x), x.device)
        sums = F.embedding_bag(columns, weight.flatten(0, 1), first, mode="sum", per_sample_weights=x.flatten())
        return sums.view(len(x), len(sizes), -1)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        by_column = dy.index_select(1, _places(ctx.sizes, len(x), x.device)[2])  # (S, N, n_out)
        dx = (by_column * weight).sum(dim=-1) if ctx.needs_input_grad[0] else None
        return dx, by_column.mul_(x[..., None]) if ctx.needs_input_grad[1] else None, None


class InputLinear(nn.Module):
    """S affine maps of each of F inputs, for layers that read data and know their inputs in advance.

    After :meth:`expect` has passed the inputs of the next m steps, the layer multiplies all of them with its weights at
    once, and updates the weights once, after the m steps.  The effect of the steps in between is known: with u_i the
    gradient of step i at the output, times minus the learning rate, the weights of step t are ``W + sum_i u_i x_i^T``.
    So its output is ``W x_t + sum_i (x_i . x_t) u_i``, and all the products ``x_i . x_t`` are computed in advance.
    The numbers equal those of m single steps up to rounding.  The weights, which are most of the network's, are read
    and written once instead of m times.  The optimiser has to call :meth:`settle` after each step.

    Attributes
    ----------
    weight : Parameter, shape (S, N, n_out)
        The weights of all inputs side by side, a row for each of the N = n_1 + ... + n_F columns.  Stored networks
        have F tensors instead, ``weights.0`` and so on, shape (S, n_out, n_f) each.
    bias : Parameter, shape (S, F, 1, n_out)
    """

    def __init__(self, replicas: Replicas, sizes: Sequence[int], n_out: int) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        bounds = [size**-0.5 for size in sizes]
        drawn = [replicas.within(bound, n_out, size) for bound, size in zip(bounds, sizes, strict=True)]
        self.weight = nn.Parameter(torch.cat([weight.mT for weight in drawn], dim=1))
        bias = replicas.within(1.0, len(sizes), 1, n_out)
        self.bias = nn.Parameter(bias * torch.tensor(bounds, device=replicas.device)[:, None, None])
        self._block: _Block | None = None

    @property
    def weights(self) -> list[Tensor]:
        """Views of the weights of each input, (S, n_out, n_f)."""
        return [weight.mT for weight in torch.split(self.weight, list(self.sizes), dim=1)]

    @torch.no_grad()
    def expect(self, inputs: Sequence[Tensor]) -> None:
        """Receive the inputs of the next m steps: F tensors (S, m, T, n_f)."""
        self._block = _Block(torch.split(self.weight, list(self.sizes), dim=1), inputs)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Map F inputs (S, T, n_f) to (S, F, T, n_out); in training, they must be the expected ones.

        Inputs that are the same for all replicas may be given once, (1, T, n_f).
        """
        if self._block is not None and torch.is_grad_enabled():
            return self._block.output() + self.bias
        x = torch.cat(list(inputs), dim=-1).expand(len(self.weight), -1, -1)
        if x.shape[1] == 1:
            product: Tensor = _Rows.apply(x[:, 0], self.weight, self.sizes)[:, :, None]
        else:
            pairs = zip(
                torch.split(x, list(self.sizes), dim=-1), torch.split(self.weight, list(self.sizes), dim=1), strict=True
            )
            product = torch.stack([torch.bmm(values, weight) for values, weight in pairs], dim=1)
        return product + self.bias

    @torch.no_grad()
    def settle(self, *, keep: float, by: float) -> None:
        """After the expected steps, set the weights to `keep` times the weights plus `by` times their gradient."""
        if self._block is None:
            assert self.weight.grad is not None, "a backward pass precedes each step"
            self.weight.mul_(keep).add_(self.weight.grad, alpha=by)
            self.weight.grad = None
        elif self._block.settle(keep=keep, by=by):
            self._block = None

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Store the weights of each input under a name of its own."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        del destination[f"{prefix}weight"]
        for number, weight in enumerate(self.weights):
            destination[f"{prefix}weights.{number}"] = weight if keep_vars else weight.detach()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Join the weights that :meth:`_save_to_state_dict` stored; what is missing is reported as ``weight``."""
        names = [f"{prefix}weights.{number}" for number in range(len(self.sizes))]
        if all(name in state_dict for name in names):
            state_dict[f"{prefix}weight"] = torch.cat([state_dict.pop(name).mT for name in names], dim=1)
        super()._load_from_state_dict(state_dict, prefix, *rest)


class _Block:
    """The m steps that an :class:`InputLinear` expects."""

    def __init__(self, weights: Sequence[Tensor], inputs: Sequence[Tensor]) -> None:
        self.weights, self.inputs = weights, [x.flatten(1, 2) for x in inputs]
        self.steps, self.rows = inputs[0].shape[1:3]
        products = [torch.bmm(x, weight) for x, weight in zip(self.inputs, weights, strict=True)]
        self.products = torch.stack(products, dim=1).flatten(0, 1)  # (S * F, m * T, n_out)
        self.gram = torch.stack([torch.bmm(x, x.mT) for x in self.inputs], dim=1).flatten(0, 1)  # (S * F, m T, m T)
        # u_i of the steps so far, in units of `scale`, the total decay since the block began.
        self.updates, self.scale, self.step = torch.zeros_like(self.products), 1.0, 0
        self.leaf: Tensor | None = None

    @property
    def _now(self) -> slice:
        return slice(self.step * self.rows, (self.step + 1) * self.rows)

    def output(self) -> Tensor:
        """Return the products of this step, (S, F, T, n_out), a leaf of the graph."""
        if self.leaf is not None:
            raise RuntimeError(
                "the previous step was not settled: this optimiser cannot train a layer that expects steps"
            )
        with torch.no_grad():
            done = slice(0, self.step * self.rows)
            product = torch.baddbmm(
                self.products[:, self._now], self.gram[:, self._now, done], self.updates[:, done], beta=self.scale,
                alpha=self.scale,
            )  # fmt: skip
        self.leaf = product.view(-1, len(self.weights), *product.shape[1:]).requires_grad_()
        return self.leaf

    def settle(self, *, keep: float, by: float) -> bool:
        """Store the gradient of this step; return whether it was the last, after which the weights are up to date."""
        gradient = None if self.leaf is None else self.leaf.grad
        assert gradient is not None, "a backward pass precedes each step"
        self.scale *= keep
        self.updates[:, self._now] = gradient.flatten(0, 1).mul_(by / self.scale)
        self.leaf = None
        self.step += 1
        if self.step < self.steps:
            return False
        updates = self.updates.view(-1, len(self.weights), *self.updates.shape[1:])
        for number, (weight, x) in enumerate(zip(self.weights, self.inputs, strict=True)):
            weight.baddbmm_(x.mT, updates[:, number], beta=self.scale, alpha=self.scale)
        return True


class LayerNorm(nn.Module):
    """S layer normalisations over the last axis."""

    def __init__(self, replicas: Replicas, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(len(replicas), 1, width, device=replicas.device))
        self.bias = nn.Parameter(torch.zeros(len(replicas), 1, width, device=replicas.device))

    def forward(self, x: Tensor) -> Tensor:
        """Map (S, T, d) to (S, T, d)."""
        return torch.addcmul(self.bias, F.layer_norm(x, x.shape[-1:]), self.weight)


class Dropout(nn.Module):
    """Dropout, drawn for each replica: some values become zero, the others are scaled up."""

    def __init__(self, replicas: Replicas, rate: float) -> None:
        super().__init__()
        self.replicas, self.rate = replicas, rate

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (S, ...), in training with dropout."""
        return self._drop(x) if self.training and self.rate else x

    def _drop(self, x: Tensor) -> Tensor:
        (gain,) = self.replicas.ahead(self._gain, x.shape[1:])
        return x * gain

    def _gain(self, uniform: Tensor) -> tuple[Tensor]:
        return ((uniform >= self.rate).float() / (1 - self.rate),)


class AlphaDropout(Dropout):
    """Dropout that keeps mean 0 and variance 1 (Klambauer et al., 2017): dropped values become SELU's limit."""

    LIMIT = -1.7580993408473766
    """The limit of SELU at minus infinity: minus its scale times its alpha."""

    def _drop(self, x: Tensor) -> Tensor:
        gain, offset = self.replicas.ahead(self._affine, x.shape[1:])
        return torch.addcmul(offset, x, gain)

    def _affine(self, uniform: Tensor) -> tuple[Tensor, Tensor]:
        scale = ((1 - self.rate) * (1 + self.rate * self.LIMIT**2)) ** -0.5
        shift = -scale * self.rate * self.LIMIT
        kept = (uniform >= self.rate).float()
        # kept: scale * x + shift; dropped: scale * LIMIT + shift
        return scale * kept, (1 - kept) * (scale * self.LIMIT) + shift
