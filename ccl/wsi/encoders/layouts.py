"""Renaming weights to the names of our networks: dictionaries in, dictionaries out.

A layout only renames, joins and reshapes, and leaves unknown weights as they are.  :mod:`ccl.wsi.encoders.weights`
checks that all weights are present.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

State = dict[str, Tensor]

WRAPPERS = ("teacher", "state_dict", "model", "student")
PREFIXES = re.compile(r"^(?:(?:module|backbone|model|_orig_mod)\.)+")

HUGGINGFACE = (
    (r"^(?:vit|dinov2|dinov2_with_registers)\.", ""),
    (r"^embeddings\.cls_token", "cls_token"),
    (r"^embeddings\.register_tokens", "reg_token"),
    (r"^embeddings\.position_embeddings", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.(?:layernorm_before|norm1)\.", ".norm1."),
    (r"\.(?:layernorm_after|norm2)\.", ".norm2."),
    (r"\.attention\.attention\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.(?:intermediate\.dense|mlp\.weights_in)\.", ".mlp.fc1."),
    (r"\.(?:output\.dense|mlp\.weights_out)\.", ".mlp.fc2."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
    (r"^layernorm\.", "norm."),
)

CLIP = (
    (r"^vision_model\.embeddings\.class_embedding$", "cls_token"),
    (r"^vision_model\.embeddings\.position_embedding\.weight$", "pos_embed"),
    (r"^vision_model\.embeddings\.patch_embedding\.", "patch_embed.proj."),
    (r"^vision_model\.pre_layrnorm\.", "norm_pre."),  # spelt so in the files
    (r"^vision_model\.post_layernorm\.", "norm."),
    (r"^vision_model\.encoder\.layers\.", "blocks."),
    (r"^(blocks\.\d+\.)layer_norm([12])\.", r"\1norm\2."),
    (r"^(blocks\.\d+\.)self_attn\.([qkv])_proj\.", r"\1attn.\2."),
    (r"^(blocks\.\d+\.)self_attn\.out_proj\.", r"\1attn.proj."),
    (r"^visual_projection\.", "head."),
)

CONCH = (
    (r"^visual\.", ""),
    (r"^ln_contrast\.", "norm."),
    (r"^attn_pool_contrast\.ln_q\.", "pool.norm_query."),
    (r"^attn_pool_contrast\.ln_k\.", "pool.norm_tokens."),
    (r"^attn_pool_contrast\.attn\.out_proj\.", "pool.out."),
    (r"^attn_pool_contrast\.to_out\.", "pool.out."),
    (r"^attn_pool_contrast\.to_q\.", "pool.to_query."),
    (r"^attn_pool_contrast\.to_kv\.", "pool.to_key_value."),
    (r"^attn_pool_contrast\.", "pool."),
)


def rename(state: State, table: Sequence[tuple[str, str]]) -> State:
    """Return the weights with each expression of `table`, in turn, replaced in their names."""
    renamed = {}
    for name, value in state.items():
        for pattern, text in table:
            name = re.sub(pattern, text, name)
        renamed[name] = value
    return renamed


def join_attention(state: State, parts: Sequence[str]) -> State:
    """Join the separate query, key and value of every block to timm's `qkv`."""
    first = re.compile(rf"^(.*\.attn\.){parts[0]}\.(weight|bias)$")
    joined = dict(state)
    for match in filter(None, map(first.match, state)):
        prefix, kind = match.groups()
        names = [f"{prefix}{part}.{kind}" for part in parts]
        if all(name in joined for name in names):
            joined[f"{prefix}qkv.{kind}"] = torch.cat([joined.pop(name) for name in names])
    return joined


def from_huggingface(state: State) -> State:
    """ViT, DINOv2 and DINOv2 with registers, as the `transformers` library saves them."""
    state = join_attention(rename(state, HUGGINGFACE), ("query", "key", "value"))
    if "reg_token" in state and {"cls_token", "pos_embed"} <= state.keys():
        # timm's variant with registers has position embeddings for patches only.
        state["cls_token"] = state["cls_token"] + state["pos_embed"][:, :1]
        state["pos_embed"] = state["pos_embed"][:, 1:]
    return state


def from_clip(state: State) -> State:
    """Keep the image side of CLIP, as the `transformers` library saves it; its projection becomes timm's head."""
    state = join_attention(rename(state, CLIP), ("q", "k", "v"))
    if {"cls_token", "pos_embed", "head.weight"} <= state.keys():
        state["cls_token"] = state["cls_token"].view(1, 1, -1)
        state["pos_embed"] = state["pos_embed"][None]
        state["head.bias"] = torch.zeros(len(state["head.weight"]))  # timm's head has a bias, unlike CLIP
    return state


def from_conch(state: State) -> State:
    """CONCH, which pools by torch's attention, and CONCH v1.5, which pools by three linear layers."""
    state = rename(state, CONCH)
    if {"pool.attn.q_proj_weight", "pool.attn.in_proj_bias"} <= state.keys():
        state["pool.to_query.weight"] = state.pop("pool.attn.q_proj_weight")
        state["pool.to_key_value.weight"] = torch.cat([state.pop(f"pool.attn.{k}_proj_weight") for k in "kv"])
        bias = state.pop("pool.attn.in_proj_bias")
        width = len(bias) // 3
        state["pool.to_query.bias"], state["pool.to_key_value.bias"] = bias[:width], bias[width:]
    return state


def from_swin(state: State) -> State:
    """Move each down-sampling to the next stage, where timm has had it since 0.8."""
    if not any(name.startswith("layers.0.downsample.") for name in state):
        return dict(state)
    return {
        re.sub(r"^layers\.(\d)\.downsample\.", lambda m: f"layers.{int(m[1]) + 1}.downsample.", name): value
        for name, value in state.items()
    }


LAYOUTS: dict[str, Callable[[State], State]] = {
    "timm": dict,
    "huggingface": from_huggingface,
    "clip": from_clip,
    "conch": from_conch,
    "swin": from_swin,
}


def fit_positions(
    positions: Tensor, wanted: Tensor, how: Literal["exact", "dino", "bicubic", "bilinear"], *, prefix: int
) -> Tensor:
    """Fit learnt position embeddings to the network's grid, as the encoder's authors do.

    Parameters
    ----------
    positions, wanted : Tensor
        (1, prefix + n^2, D) of the file and of the network.
    how : str
        `dino` interpolates by a slightly too large factor, as DINO's code does, which shifts each position slightly.
        The others interpolate to the wanted size.
    prefix : int
        Number of leading positions that belong to no patch.
    """
    old, new = ((tensor.shape[1] - prefix) ** 0.5 for tensor in (positions, wanted))
    if how == "exact" or old == new or not old.is_integer() or not new.is_integer():
        return positions
    head, grid = positions[:, :prefix], positions[:, prefix:]
    grid = grid.reshape(1, int(old), int(old), -1).permute(0, 3, 1, 2).float()
    if how == "dino":
        grid = functional.interpolate(grid, scale_factor=(new + 0.1) / old, mode="bicubic")
    else:
        grid = functional.interpolate(grid, size=(int(new), int(new)), mode=how)
    return torch.cat([head, grid.flatten(2).transpose(1, 2).to(head.dtype)], dim=1)
