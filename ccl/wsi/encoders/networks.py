"""The networks that timm lacks, entirely or in part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import timm
import torch
from timm.layers.helpers import to_2tuple
from torch import Tensor, nn
from torch.nn import functional


class AttentionPool(nn.Module):
    """Attention of one learnt query to all tokens: (B, T, context) to (B, D).

    Yu et al., CoCa, TMLR 2022.
    """

    def __init__(self, dim: int, context: int, *, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Parameter(torch.randn(1, dim))
        self.norm_query = nn.LayerNorm(dim)
        self.norm_tokens = nn.LayerNorm(context)
        self.to_query = nn.Linear(dim, dim, bias=bias)
        self.to_key_value = nn.Linear(context, 2 * dim, bias=bias)
        self.out = nn.Linear(dim, dim, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Pool the tokens."""
        batch, count, _ = tokens.shape
        query = self.to_query(self.norm_query(self.query)).view(1, 1, self.heads, -1).expand(batch, -1, -1, -1)
        pairs = self.to_key_value(self.norm_tokens(tokens)).view(batch, count, 2, self.heads, -1)
        query, key, value = query.transpose(1, 2), pairs[:, :, 0].transpose(1, 2), pairs[:, :, 1].transpose(1, 2)
        return self.out(functional.scaled_dot_product_attention(query, key, value).flatten(1))  # type: ignore[no-any-return]


class Conch(nn.Module):
    """A vision transformer whose tokens are pooled by attention: (B, 3, H, W) to (B, D).

    The embedding is taken before the projection into the space shared with text, as TRIDENT, CLAM and slide2vec do.
    """

    def __init__(self, trunk: nn.Module, pool: AttentionPool, dim: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.pool = pool
        self.norm = nn.LayerNorm(dim)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed normalised patches."""
        return self.norm(self.pool(self.trunk(pixels)))  # type: ignore[no-any-return]


def conch() -> nn.Module:
    """Return the image side of CONCH (Lu et al., Nat. Med. 2024)."""
    trunk = timm.create_model("vit_base_patch16_224", img_size=448, num_classes=0, global_pool="")
    return Conch(trunk, AttentionPool(512, 768, heads=8, bias=True), 512)


def conch_v1_5() -> nn.Module:
    """Return CONCH v1.5, the patch encoder of TITAN (Ding et al., Nat. Med. 2025)."""
    trunk = timm.create_model("vit_large_patch16_224", img_size=448, num_classes=0, global_pool="", init_values=1.0)
    return Conch(trunk, AttentionPool(768, 1024, heads=8, bias=False), 768)


class ConvStem(nn.Module):
    """Convolutions that replace a Swin transformer's patch embedding: (B, 3, H, W) to (B, H/4, W/4, D).

    timm's Swin transformer calls its `embed_layer` with this signature.
    """

    def __init__(self, *, img_size: Any, embed_dim: int, norm_layer: Callable[[int], nn.Module], **_: Any) -> None:
        super().__init__()
        self.grid_size = tuple(side // 4 for side in to_2tuple(img_size))
        eighth, quarter = embed_dim // 8, embed_dim // 4
        self.proj = nn.Sequential(
            nn.Conv2d(3, eighth, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(eighth),
            nn.ReLU(),
            nn.Conv2d(eighth, quarter, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(quarter),
            nn.ReLU(),
            nn.Conv2d(quarter, embed_dim, 1),
        )
        self.norm = norm_layer(embed_dim)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed each square of 4 x 4 pixels."""
        return self.norm(self.proj(pixels).permute(0, 2, 3, 1))  # type: ignore[no-any-return]


def ctranspath() -> nn.Module:
    """Return CTransPath (Wang et al., Med. Image Anal. 2022): a Swin-T behind a convolutional stem."""
    model: nn.Module = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0, embed_layer=ConvStem)
    return model


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "conch": conch,
    "conch-v1.5": conch_v1_5,
    "ctranspath": ctranspath,
}
