"""Gene families as tokens, for methods that read genes family by family; S is the number of replicas."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ccl.nn.blocks import Activation, SnnLayer
from ccl.nn.replicas import AlphaDropout, InputLinear, Replicas


class FamilyTokens(nn.Module):
    """Two self-normalising layers for each family: MCAT's genomic encoder or, with a `shared` second layer, CCL's.

    Parameters
    ----------
    sizes : sequence of int
        Columns n_f of each of F families.
    hidden, width : int
        Channels of the first and of the second layer.
    """

    def __init__(
        self,
        replicas: Replicas,
        sizes: Sequence[int],
        width: int,
        *,
        hidden: int | None = None,
        dropout: float,
        activation: Activation,
        shared: bool = False,
    ) -> None:
        super().__init__()
        hidden = hidden or width
        self.first = InputLinear(replicas, sizes, hidden)
        self.activation = activation
        self.dropout = AlphaDropout(replicas, dropout)
        self.shared = shared
        maps = () if shared else (len(sizes),)
        self.second = SnnLayer(replicas, hidden, width, dropout=dropout, maps=maps, activation=activation)

    def forward(self, genomics: Sequence[Tensor]) -> Tensor:
        """Map F families (S, B, n_f), for one replica or all, to tokens (S, B, F, width)."""
        hidden = self.dropout(self.activation(self.first(genomics)))
        # (S, F, B, width)
        tokens = (
            self.second(hidden.flatten(1, 2)).unflatten(1, hidden.shape[1:3]) if self.shared else self.second(hidden)
        )
        out: Tensor = tokens.transpose(1, 2)
        return out
