"""The registry: complete, and every network in it gives what its entry says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ccl.io.errors import ConfigError
from ccl.wsi.encoders import ENCODERS, Encoder, check_source, get_encoder
from ccl.wsi.encoders.build import PatchEncoder, build_encoder, network
from ccl.wsi.encoders.pooling import POOLING
from ccl.wsi.encoders.scale import scale_warning

DOCS = Path(__file__).parents[3] / "docs" / "encoders.md"
RUN = ("resnet50", "hipt", "plip", "ctranspath", "kaiko-vits8", "lunit")
"""Small enough to be run in a test."""


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=lambda encoder: encoder.name)
def test_every_entry_is_complete(encoder: Encoder) -> None:
    assert encoder.licence
    assert encoder.citation
    assert bool(encoder.repo) == bool(encoder.file) != bool(encoder.url)
    assert encoder.page.startswith("https://")
    assert encoder.resize_px >= encoder.input_px
    assert all(0 < m < 1 for m in encoder.mean)
    assert all(0 < s < 1 for s in encoder.std)


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=lambda encoder: encoder.name)
def test_the_documentation_says_what_the_registry_does(encoder: Encoder) -> None:
    (row,) = [
        line for line in DOCS.read_text().splitlines() if line.startswith(f"| `{encoder.name}` | ") and "://" in line
    ]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:4] == [str(encoder.dim), str(encoder.input_px), f"{encoder.resize_px}, {encoder.interpolation}"]
    assert cells[6] == encoder.precision
    assert cells[7] == (
        f"{encoder.patch_px} px at {', '.join(f'{m:g}' for m in encoder.mpp)} um/px" if encoder.mpp else "-"
    )
    assert f"({encoder.page})" in cells[8]
    assert cells[9:] == [encoder.access, encoder.licence]


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=lambda encoder: encoder.name)
def test_every_network_gives_vectors_of_its_width(encoder: Encoder) -> None:
    with torch.device("meta"):  # shapes without memory: the largest would need 5 GB
        model = PatchEncoder(encoder, network(encoder)).eval()
        embedded = model(torch.empty(2, 3, 256, 256, dtype=torch.uint8))
    assert embedded.shape == (2, encoder.dim)
    assert embedded.dtype == torch.float32


@pytest.mark.parametrize("name", RUN)
def test_the_small_ones_embed(name: str) -> None:
    patches = torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        embedded = build_encoder(ENCODERS[name], "random")(patches)
    assert embedded.shape == (2, ENCODERS[name].dim)
    assert torch.isfinite(embedded).all()
    assert not torch.allclose(embedded[0], embedded[1])


def test_tokens_are_pooled_without_the_registers() -> None:
    tokens = np.random.default_rng(0).normal(size=(2, 1 + 4 + 9, 3)).astype(np.float32)
    found = POOLING["class+mean"](torch.from_numpy(tokens), 5)
    expected = [[*patch[0], *(sum(patch[5:, d]) / 9 for d in range(3))] for patch in tokens]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_array_equal(POOLING["class"](torch.from_numpy(tokens), 5), tokens[:, 0])


@pytest.mark.parametrize("name", ["resnet50-clam", "resnet50-trident", "prov-gigapath", "conch", "hipt", "virchow2"])
@pytest.mark.parametrize("side", [224, 256, 512])
def test_patches_are_prepared_as_with_pillow(name: str, side: int) -> None:
    encoder = ENCODERS[name]
    rows, columns = np.mgrid[0:side, 0:side]
    waves = [127 + 120 * np.sin(rows / (7 + 4 * c)) * np.cos(columns / (11 - 3 * c)) for c in range(3)]
    picture = np.stack(waves, axis=2).astype(np.uint8)
    how = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[encoder.interpolation]
    resized = np.asarray(Image.fromarray(picture).resize((encoder.resize_px, encoder.resize_px), how))
    margin = (encoder.resize_px - encoder.input_px) // 2
    seen = resized[margin : margin + encoder.input_px, margin : margin + encoder.input_px]
    expected = (seen / 255 - np.array(encoder.mean)) / np.array(encoder.std)
    prepared = PatchEncoder(encoder, torch.nn.Identity()).pixels(torch.from_numpy(picture).permute(2, 0, 1)[None])
    difference = np.abs(prepared[0].permute(1, 2, 0).numpy() - expected) * np.array(encoder.std) * 255
    assert difference.max() <= 2.01  # both round to grey levels, after each of two passes
    assert difference.mean() < 0.1


def test_a_citation_does_not_enter_what_features_depend_on() -> None:
    recipe = ENCODERS["uni"].recipe
    assert recipe["repo"] == "MahmoodLab/UNI"
    assert not {"citation", "licence", "access", "mpp"} & recipe.keys()


@pytest.mark.parametrize(
    ("name", "patch_px", "mpp", "warns"),
    [
        ("uni", 256, 0.5, False),
        ("uni", 512, 0.25, False),  # as wide on the slide
        ("uni", 256, 0.2525, True),
        ("conch", 256, 0.5, True),
        ("virchow2", 224, 2.0, False),
        ("virchow2", 224, 8.0, True),
        ("resnet50", 256, 4.0, False),  # was trained on no slide
    ],
)
def test_patches_of_another_extent_are_warned_of(name: str, patch_px: int, mpp: float, warns: bool) -> None:
    warning = scale_warning(ENCODERS[name], patch_px, mpp)
    assert bool(warning) == warns
    assert warning is None or f"{patch_px} px" in warning


def test_a_model_of_timm_goes_by_its_name() -> None:
    encoder = get_encoder("resnet18.a1_in1k")
    assert (encoder.dim, encoder.input_px, encoder.repo) == (512, 224, "timm/resnet18.a1_in1k")
    assert get_encoder("vit_tiny_patch16_224").mean == (0.5, 0.5, 0.5)
    patches = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    with torch.inference_mode():
        assert build_encoder(encoder, "random")(patches).shape == (1, 512)


@pytest.mark.parametrize("name", ["resnet51", "resnet18.nonesuch"])
def test_unknown_encoders_list_the_known(name: str) -> None:
    with pytest.raises(ConfigError, match="prov-gigapath"):
        get_encoder(name)


def test_weights_that_no_hub_has_must_be_brought() -> None:
    with pytest.raises(ConfigError, match=r"download https://github.com/mahmoodlab/HIPT.*hipt: weights:"):
        check_source("hipt", "hub")
    check_source("hipt", "random")
    check_source("uni", "hub")
