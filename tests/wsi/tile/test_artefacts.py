"""The learned segmentation: a slot for weights that the user brings, tested on weights made here."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ccl.config.sections import TileSettings
from ccl.io.checksums import sha256
from ccl.io.errors import ConfigError
from ccl.io.formats import Tiles
from ccl.wsi.tile import artefacts
from ccl.wsi.tile.artefacts import SEGMENTATIONS
from tests.wsi.tile.test_stage import FINE, run

TISSUE_RGB, SPOT_RGB = (205, 130, 180), (150, 40, 120)


def by_colour():
    """Return a network of which dark red is class 3 and everything else class 1."""
    network = nn.Conv2d(3, 8, 1)
    nn.init.zeros_(network.weight)
    nn.init.constant_(network.bias, -100.0)
    with torch.no_grad():
        network.bias[1], network.bias[3] = 0.0, -0.8
        network.weight[3, 1] = -1.0  # green, in deviations from its mean
    return network


@pytest.fixture
def slide(write_slide):
    """Return a slide of 1 um/px, larger than a window, with a dark area across the border of two windows."""
    rng = np.random.default_rng(0)
    picture = np.full((900, 1400, 3), 243, np.uint8)
    picture[64:-64, 64:-64] = TISSUE_RGB
    picture[400:640, 400:640] = SPOT_RGB
    noise = rng.normal(scale=4, size=(900, 1400, 1))
    return write_slide(np.clip(picture + noise, 0, 255).astype(np.uint8), file_mpp=1.0, compression="deflate")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setitem(SEGMENTATIONS, "grandqc", replace(SEGMENTATIONS["grandqc"], network=lambda: nn.Conv2d(3, 8, 1)))
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": {f"model.{name}": value for name, value in by_colour().state_dict().items()}}, path)
    return replace(FINE, artefacts="grandqc", artefact_weights=str(path))


def test_patches_with_more_than_the_share_are_taken_and_counted_by_class(tmp_path, slide, settings):
    (every,) = run(tmp_path / "all", slide, settings=FINE)
    (row,) = run(tmp_path / "some", slide, settings=settings)
    kept = set(map(tuple, Tiles.read(row.path).coords.tolist()))
    dark = np.zeros((900, 1400), bool)
    dark[400:640, 400:640] = True
    shares = {(x, y): dark[y : y + 128, x : x + 128].mean() for x, y in Tiles.read(every.path).coords.tolist()}
    assert kept == {corner for corner, share in shares.items() if share <= 0.5}
    counts = json.loads(Tiles.read(row.path).attributes["filtered"])
    assert counts == {"grandqc: dark spot": len(shares) - len(kept)}
    assert cv2.imread(str(tmp_path / "some/tile/slide.jpg")) is not None


def test_a_whole_slide_is_read_once_where_patches_lie(tmp_path, slide, settings, monkeypatch):
    seen = []
    whole = artefacts._classes
    monkeypatch.setattr(artefacts, "_classes", lambda *given: seen.append(given[2].shape) or whole(*given))
    run(tmp_path, slide, settings=settings)
    assert seen == [(512, 512, 3)] * 6


def test_the_key_knows_the_content_of_the_weights_not_their_path(tmp_path, slide, settings):
    (first,) = run(tmp_path / "a", slide, settings=settings)
    moved = tmp_path / "moved.pth"
    moved.write_bytes((tmp_path / "weights.pth").read_bytes())
    checked = replace(settings, artefact_weights=str(moved), artefact_sha256=sha256(moved))
    (same,) = run(tmp_path / "b", slide, settings=checked)
    save_file({name: value + 1 for name, value in by_colour().state_dict().items()}, tmp_path / "other.safetensors")
    (other,) = run(
        tmp_path / "c", slide, settings=replace(settings, artefact_weights=str(tmp_path / "other.safetensors"))
    )
    (plain,) = run(tmp_path / "d", slide, settings=FINE)
    assert first.key == same.key
    assert len({first.key, other.key, plain.key}) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"no weights", "not a state dictionary"),
        ({"weight": torch.zeros(8, 3, 1, 1)}, "not complete"),
        ({"weight": torch.zeros(2, 3, 1, 1), "bias": torch.zeros(2)}, "do not fit"),
    ],
    ids=["missing", "damaged", "incomplete", "another network"],
)
def test_bad_weights_stop_the_stage(tmp_path, slide, settings, content, message):
    path = tmp_path / "bad.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        torch.save(content, path)
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, slide, settings=replace(settings, artefact_weights=str(path)))


def test_another_sha256_than_the_configs_stops_the_stage(tmp_path, slide, settings):
    with pytest.raises(ConfigError, match="not the ones expected"):
        run(tmp_path, slide, settings=replace(settings, artefact_sha256="0" * 64))


def test_a_segmentation_without_weights_is_refused():
    with pytest.raises(ValueError, match="artefact_weights"):
        TileSettings(artefacts="grandqc")


@pytest.mark.parametrize("name", SEGMENTATIONS)
def test_weights_of_each_network_load_and_give_its_classes(tmp_path, name):
    model = SEGMENTATIONS[name]
    torch.save(model.network().state_dict(), tmp_path / "weights.pth")
    network = artefacts.load(TileSettings(artefacts=name, artefact_weights=str(tmp_path / "weights.pth")))
    found = artefacts._classes(network, model, np.full((64, 64, 3), 200, np.uint8))
    assert found.shape == (64, 64)
    assert max(model.taken) < model.classes
    assert model.licence
    assert model.page.startswith("https://")
    with torch.inference_mode():
        scores = network(torch.zeros(1, 3, 64, 64))
    assert (scores["out"] if isinstance(scores, dict) else scores).shape[1] == model.classes
