"""Every encoder on the GPU: it sees the same pixels as on the CPU and gives the same features within its precision."""

from __future__ import annotations

import pytest
import torch

from ccl.wsi.encoders import ENCODERS, Encoder
from ccl.wsi.encoders.build import build_encoder
from tests.gpu.conftest import difference

TOLERANCE = {"fp32": 2e-3, "fp16": 5e-3, "bf16": 3e-2}
"""Of features, by what the GPU computes in; its fp32 is TF32, whose factors have the digits of fp16."""


@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=lambda encoder: encoder.name)
def test_an_encoder_gives_the_features_of_the_cpu(encoder: Encoder, gpu: torch.device) -> None:
    with gpu:  # weights drawn there: those of the largest would take the CPU half a minute
        model = build_encoder(encoder, "random")
    for name, weight in model.named_parameters():
        if name.endswith(".gamma"):  # scales of 1e-5 would hide what the layers do
            weight.data.fill_(1.0)
    model.to(memory_format=model.memory_format)
    patches, ready = noise(300), noise(encoder.resize_px)
    with torch.inference_mode():
        pixels, features = model.pixels(patches.to(gpu)).cpu(), model(ready.to(gpu)).cpu()
        model.cpu()
        levels = float(((pixels - model.pixels(patches)).abs() * model.std).max())
        apart = difference(features, model(ready))
    print(f"{encoder.name} ({encoder.precision}): pixels {levels:.2f} grey levels apart, features {apart:.1e}")
    # The CPU resizes in two passes and rounds to whole grey levels in each, the GPU once.
    assert levels < 2.01
    assert apart < TOLERANCE[encoder.precision]


def noise(side: int) -> torch.Tensor:
    """Return two patches of that many pixels a side, none of them near black or white."""
    draw = torch.Generator().manual_seed(0)
    return torch.randint(64, 192, (2, 3, side, side), dtype=torch.uint8, generator=draw)
