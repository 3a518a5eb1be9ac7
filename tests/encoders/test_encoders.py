"""Encoders: their geometry, and where their weights come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from ccl.encoders import ENCODERS, get_encoder
from ccl.encoders.build import build_encoder
from ccl.encoders.weights import weights_key
from ccl.errors import ConfigError, InputError
from ccl.files import sha256

RESNET = ENCODERS["resnet50"]


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """The state dictionary of a whole ResNet-50 with a classifier, as people have it on disk."""
    torch.manual_seed(7)
    return timm.create_model("resnet50", pretrained=False).state_dict()


@pytest.fixture
def patches() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8, generator=generator)


def test_resnet50_gives_the_third_block_averaged(state: dict[str, torch.Tensor], patches: torch.Tensor) -> None:
    model = build_encoder(RESNET, "random")
    model.backbone.load_state_dict(state, strict=False)
    with torch.inference_mode():
        found = model(patches)
        # The same arithmetic, written out with the whole network up to its third block.
        whole = timm.create_model("resnet50", pretrained=False).eval()
        whole.load_state_dict(state)
        pixels = torch.nn.functional.interpolate(
            patches.float(), size=(224, 224), mode="bilinear", antialias=True, align_corners=False
        )
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        x = whole.maxpool(whole.act1(whole.bn1(whole.conv1((pixels / 255 - mean) / std))))
        expected = whole.layer3(whole.layer2(whole.layer1(x))).mean(dim=(2, 3))
    assert found.shape == (2, RESNET.dim) == (2, 1024)
    assert found.dtype == torch.float32
    # Resizing rounds to whole grey levels where the reference keeps fractions.
    assert torch.nn.functional.cosine_similarity(found, expected).min() > 0.999


def test_random_weights_are_the_same_everywhere(patches: torch.Tensor) -> None:
    with torch.inference_mode():
        first, second = (build_encoder(RESNET, "random")(patches) for _ in range(2))
    np.testing.assert_array_equal(first.numpy(), second.numpy())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_local_weights_are_loaded(
    tmp_path: Path, state: dict[str, torch.Tensor], patches: torch.Tensor, suffix: str
) -> None:
    path = tmp_path / f"weights{suffix}"
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    model = build_encoder(RESNET, str(path))
    np.testing.assert_array_equal(model.backbone.state_dict()["conv1.weight"], state["conv1.weight"])
    assert weights_key(str(path), sha256(path)) == f"file:{sha256(path)}"
    with pytest.raises(ConfigError, match="not the ones expected"):
        weights_key(str(path), "0" * 64)


class Hostile:
    """What unpickling would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("unpickled",))


def test_weights_are_never_unpickled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"conv1.weight": Hostile()}, path)
    with pytest.raises(ConfigError, match="do not fit the encoder"):
        build_encoder(RESNET, str(path))
    assert "unpickled" not in capsys.readouterr().out


def test_unfit_weights_are_refused(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    lacking = {name: value for name, value in state.items() if not name.startswith("layer2.0")}
    save_file(lacking, tmp_path / "lacking.safetensors")
    with pytest.raises(ConfigError, match="not complete"):
        build_encoder(RESNET, str(tmp_path / "lacking.safetensors"))
    save_file({**state, "conv1.weight": torch.zeros(1)}, tmp_path / "misshapen.safetensors")
    with pytest.raises(ConfigError, match="do not fit"):
        build_encoder(RESNET, str(tmp_path / "misshapen.safetensors"))
    with pytest.raises(InputError, match="no such file"):
        weights_key(str(tmp_path / "nowhere.pth"), None)


def test_an_unreachable_hub_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="on a machine with a connection download"):
        build_encoder(RESNET, "hub")


def test_unknown_encoders_list_the_known() -> None:
    with pytest.raises(ConfigError, match="resnet50"):
        get_encoder("resnet51")
