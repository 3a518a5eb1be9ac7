"""ResNet-50's arithmetic, and weights: wrapped, damaged, hostile, gated or out of reach."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from huggingface_hub.errors import GatedRepoError, RemoteEntryNotFoundError
from safetensors.torch import save_file

from ccl.io.errors import ConfigError
from ccl.io.files import sha256
from ccl.wsi.encoders import ENCODERS
from ccl.wsi.encoders.build import build_encoder
from ccl.wsi.encoders.weights import weights_key

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


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": {f"module.{name}": value for name, value in state.items()}, "epoch": 3},
        lambda state: {"model": {f"backbone.{name}": value for name, value in state.items()}},
        # As DINO saves: two networks, the training's arguments, prefixes of two wrappers.
        lambda state: {
            "student": {f"module.backbone.{name}": torch.zeros_like(value) for name, value in state.items()},
            "teacher": {f"module.backbone.{name}": value for name, value in state.items()},
            "args": Namespace(arch="resnet50"),
        },
    ],
)
def test_weights_are_found_in_their_wrappers(
    tmp_path: Path, state: dict[str, torch.Tensor], wrap: Callable[[dict[str, torch.Tensor]], object]
) -> None:
    torch.save(wrap(state), tmp_path / "weights.pth")
    model = build_encoder(RESNET, str(tmp_path / "weights.pth"))
    np.testing.assert_array_equal(model.backbone.state_dict()["conv1.weight"], state["conv1.weight"])
    assert {"fc.weight", "layer4.2.conv3.weight"} <= set(model.ignored)
    assert "layer3.0.conv1.weight" not in model.ignored


class Hostile:
    """What unpickling would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("unpickled",))


def test_weights_are_never_unpickled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"conv1.weight": Hostile()}, path)
    with pytest.raises(ConfigError, match="do not fit the network"):
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
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "text.pth").write_text("404: not found")
    for name in ("list.pth", "text.pth"):
        with pytest.raises(ConfigError, match="do not fit"):
            build_encoder(RESNET, str(tmp_path / name))
    with pytest.raises(ConfigError, match="No such file"):
        weights_key(str(tmp_path / "nowhere.pth"), None)


@pytest.mark.parametrize("name", ["phikon", "plip", "hipt", "ctranspath"])
def test_weights_of_another_encoder_are_refused(tmp_path: Path, state: dict[str, torch.Tensor], name: str) -> None:
    save_file(state, tmp_path / "resnet50.safetensors")
    with pytest.raises(ConfigError, match=r"not complete(.|\n)*encoder " + name):
        build_encoder(ENCODERS[name], str(tmp_path / "resnet50.safetensors"))


def test_an_unreachable_hub_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="on a machine with a connection download"):
        build_encoder(RESNET, "hub")


def test_weights_of_the_hub_are_loaded_as_a_file_is(
    tmp_path: Path, state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def give(repo: str, file: str) -> str:
        assert (repo, file) == ("timm/resnet50.tv_in1k", "model.safetensors")
        save_file(state, tmp_path / file)
        return str(tmp_path / file)

    monkeypatch.setattr("ccl.wsi.encoders.hub.hf_hub_download", give)
    model = build_encoder(RESNET, "hub")
    np.testing.assert_array_equal(model.backbone.state_dict()["conv1.weight"], state["conv1.weight"])


def refused(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the message for UNI2-h if the hub answers with `error`."""

    def refuse(repo: str, file: str) -> str:
        raise error("no", response=SimpleNamespace(headers={}, request=None))

    monkeypatch.setattr("ccl.wsi.encoders.hub.hf_hub_download", refuse)
    with pytest.raises(ConfigError) as caught:
        build_encoder(ENCODERS["uni2-h"], "hub")
    return str(caught.value)


def test_a_gate_says_which_licence_to_accept_and_how(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(GatedRepoError, monkeypatch)
    for words in ("https://huggingface.co/MahmoodLab/UNI2-h", "CC-BY-NC-ND-4.0", "hf auth login", "HF_TOKEN"):
        assert words in said
    assert "MahmoodLab/UNI2-h/pytorch_model.bin" in said
    assert "`embed: encoders: uni2-h: weights:`" in said


def test_a_file_that_the_hub_does_not_have_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot be downloaded" in refused(RemoteEntryNotFoundError, monkeypatch)
