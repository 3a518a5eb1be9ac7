"""Weights under others' names: the renamed network computes what the original does."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ccl.io.errors import ConfigError
from ccl.wsi.encoders import ENCODERS, Encoder
from ccl.wsi.encoders.build import network
from ccl.wsi.encoders.layouts import fit_positions, from_conch
from ccl.wsi.encoders.networks import AttentionPool, Conch
from ccl.wsi.encoders.weights import load_weights

TINY = {"embed_dim": 16, "depth": 2, "num_heads": 2, "img_size": 32}


def tiny(name: str, *, without: Collection[str] = (), **options: Any) -> Encoder:
    """Return an entry of the registry with a network that is small."""
    kept = {key: value for key, value in ENCODERS[name].options.items() if key not in without}
    return replace(ENCODERS[name], options={**kept, **TINY, **options})


@pytest.fixture(scope="module")
def recorded() -> dict[str, Tensor]:
    """What the `transformers` library computed (record_transformers.py)."""
    return load_file(Path(__file__).with_name("transformers.safetensors"))


@pytest.mark.parametrize(
    ("original", "encoder"),
    [
        ("vit", tiny("phikon", patch_size=16, mlp_ratio=2)),
        ("dinov2", tiny("midnight", patch_size=8, mlp_ratio=6)),
        ("registers", tiny("hibou-l", patch_size=8, without=["mlp_ratio", "mlp_layer", "act_layer"])),
        ("clip", tiny("plip", patch_size=16, mlp_ratio=2, num_classes=12)),
    ],
)
def test_the_library_transformers_agrees(
    tmp_path: Path, recorded: dict[str, Tensor], original: str, encoder: Encoder
) -> None:
    state = {key.removeprefix(f"{original}/"): v for key, v in recorded.items() if key.startswith(f"{original}/")}
    expected = state.pop("output")
    save_file(state, tmp_path / "model.safetensors")
    model = network(encoder).eval()
    ignored = load_weights(model, encoder, tmp_path / "model.safetensors")
    beside = ("text_", "logit_scale", "embeddings.mask_token")
    assert all(name.startswith(beside) for name in ignored)
    with torch.inference_mode():
        np.testing.assert_allclose(model(recorded["pixels"]), expected, rtol=1e-4, atol=1e-4)


class Original(nn.Module):
    """CONCH's pooling in torch's own attention, under the names of its checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 16))
        self.attn = nn.MultiheadAttention(16, 8, kdim=24, vdim=24, batch_first=True)
        self.ln_q, self.ln_k = nn.LayerNorm(16), nn.LayerNorm(24)

    def forward(self, tokens: Tensor) -> Tensor:
        """Pool tokens (B, T, 24) to (B, 16)."""
        keys = self.ln_k(tokens)
        return self.attn(self.ln_q(self.query).expand(len(tokens), 1, -1), keys, keys)[0][:, 0]


def random_weights(module: nn.Module) -> None:
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.5)


def test_conch_pools_as_torch_attends() -> None:
    torch.manual_seed(3)
    pool, norm = Original(), nn.LayerNorm(16)
    random_weights(pool)
    random_weights(norm)
    state = {f"visual.attn_pool_contrast.{name}": value for name, value in pool.state_dict().items()}
    state |= {f"visual.ln_contrast.{name}": value for name, value in norm.state_dict().items()}
    ours = Conch(nn.Identity(), AttentionPool(16, 24, heads=8, bias=True), 16)
    ours.load_state_dict(from_conch(state))
    tokens = torch.randn(2, 7, 24)
    with torch.inference_mode():
        np.testing.assert_allclose(ours(tokens), norm(pool(tokens)), rtol=1e-4, atol=1e-5)


def test_conch_v1_5_pools_as_its_three_products_say() -> None:
    generator = torch.Generator().manual_seed(4)
    shapes = {"query": (1, 16), "to_q.weight": (16, 16), "to_kv.weight": (32, 24), "to_out.weight": (16, 16)}
    shapes |= {"ln_q.weight": (16,), "ln_q.bias": (16,), "ln_k.weight": (24,), "ln_k.bias": (24,)}
    weights = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    state = {f"attn_pool_contrast.{name}": value for name, value in weights.items()}
    ours = Conch(nn.Identity(), AttentionPool(16, 24, heads=8, bias=False), 16)
    ours.load_state_dict(
        from_conch({**state, "ln_contrast.weight": torch.ones(16), "ln_contrast.bias": torch.zeros(16)})
    )
    tokens = torch.randn(1, 5, 24, generator=generator)
    norm = nn.functional.layer_norm
    query = norm(weights["query"], (16,), weights["ln_q.weight"], weights["ln_q.bias"]) @ weights["to_q.weight"].T
    keys = norm(tokens[0], (24,), weights["ln_k.weight"], weights["ln_k.bias"]) @ weights["to_kv.weight"].T
    heads = []
    for head in range(8):
        part = slice(2 * head, 2 * head + 2)
        attention = torch.softmax(query[:, part] @ keys[:, :16][:, part].T / 2**0.5, dim=1)
        heads.append(attention @ keys[:, 16:][:, part])
    expected = norm(torch.cat(heads, dim=1) @ weights["to_out.weight"].T, (16,))
    with torch.inference_mode():
        np.testing.assert_allclose(ours(tokens), expected, rtol=1e-4, atol=1e-5)


def test_ctranspath_is_read_with_its_old_and_its_new_names(tmp_path: Path) -> None:
    encoder = ENCODERS["ctranspath"]
    model = network(encoder)
    new = model.state_dict()
    moved = {f"layers.{stage}.downsample": f"layers.{stage - 1}.downsample" for stage in (1, 2, 3)}
    old = {next((to + n.removeprefix(a) for a, to in moved.items() if n.startswith(a)), n): v for n, v in new.items()}
    assert old.keys() != new.keys()
    for name, state in (("new", new), ("old", {**old, "layers.0.blocks.1.attn_mask": torch.zeros(2)})):
        torch.save({"model": state}, tmp_path / f"{name}.pth")
        other = network(encoder)
        load_weights(other, encoder, tmp_path / f"{name}.pth")
        for key, value in other.state_dict().items():
            torch.testing.assert_close(value, new[key], rtol=0, atol=0)


def cubic(values: np.ndarray, at: float) -> float:
    """Interpolate as torch's bicubic does, by Keys' kernel with a = -0.75."""
    distance = np.abs(np.arange(len(values)) - at)
    near = 1.25 * distance**3 - 2.25 * distance**2 + 1
    far = -0.75 * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return float(values @ np.select([distance <= 1, distance < 2], [near, far]))


def linear(values: np.ndarray, at: float) -> float:
    return float(np.interp(at, np.arange(len(values)), values))


@pytest.mark.parametrize(
    ("how", "factor", "interpolate"),
    [("dino", 16.1 / 14, cubic), ("bicubic", 16 / 14, cubic), ("bilinear", 16 / 14, linear)],
)
def test_positions_are_fitted_as_their_authors_do(
    how: Any, factor: float, interpolate: Callable[[np.ndarray, float], float]
) -> None:
    profile = np.random.default_rng(0).normal(size=14)
    rows, columns = (
        torch.from_numpy(profile).float().repeat_interleave(14),
        torch.from_numpy(profile).float().repeat(14),
    )
    positions = torch.cat([torch.full((1, 2), -7.0), torch.stack([rows, columns], dim=1)])[None]
    fitted = fit_positions(positions, torch.empty(1, 257, 2), how, prefix=1)
    assert fitted.shape == (1, 257, 2)
    assert fitted[0, 0].tolist() == [-7, -7]
    middle = fitted[0, 1:].unflatten(0, (16, 16))[4:12, 4:12]
    expected = np.array([interpolate(profile, (place + 0.5) / factor - 0.5) for place in range(4, 12)])
    np.testing.assert_allclose(middle[..., 0], np.repeat(expected[:, None], 8, axis=1), atol=1e-4)
    np.testing.assert_allclose(middle[..., 1], np.repeat(expected[None], 8, axis=0), atol=1e-4)


def test_positions_of_another_grid_are_refused_where_no_author_fits_them(tmp_path: Path) -> None:
    encoder = tiny("phikon", patch_size=16)
    state = network(encoder).state_dict()
    save_file({**state, "pos_embed": torch.zeros(1, 10, 16)}, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match="pos_embed of shape"):
        load_weights(network(encoder), replace(encoder, layout="timm"), tmp_path / "model.safetensors")
