"""Learned segmentations of artefacts and tissue, with weights from a local file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.segmentation import deeplabv3_resnet50

from ccl.config.sections import TileSettings
from ccl.wsi.encoders.entry import IMAGENET_MEAN, IMAGENET_STD
from ccl.wsi.encoders.weights import check_tensors, read_tensors, weights_key
from ccl.wsi.reader.patches import window
from ccl.wsi.reader.protocol import SlideReader

MAP_UM = 8.0
"""Scale of the map of classes (um/px)."""

PREFIX = "model."
"""Beginning of the names in checkpoints of PyTorch Lightning."""


@dataclass(frozen=True)
class Segmentation:
    """A network that gives each pixel a class."""

    network: Callable[[], nn.Module]
    classes: int
    taken: Mapping[int, str]
    """Classes that count against a patch, in the words of the contact sheet."""
    page: str
    licence: str
    citation: str
    mpp: float = 1.0
    """Scale that it was trained at (um/px)."""
    side_px: int = 512
    """Side of its input."""


def _grandqc() -> nn.Module:
    with warnings.catch_warnings():
        # This encoder is to be removed one day; the one named in its place has other skip connections.
        warnings.simplefilter("ignore", DeprecationWarning)
        network: nn.Module = smp.Unet("timm-efficientnet-b0", encoder_weights=None, classes=8)
    return network


def _hest() -> nn.Module:
    network: nn.Module = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=2, aux_loss=False)
    return network


SEGMENTATIONS = {
    "grandqc": Segmentation(
        _grandqc,
        8,  # 0 and 7 are background, 1 is clean tissue
        {2: "fold", 3: "dark spot", 4: "pen", 5: "edge or bubble", 6: "out of focus"},
        page="https://zenodo.org/records/14041538",
        licence="CC-BY-NC-SA-4.0",
        citation="Weng et al., Nat. Commun. 2024",
    ),
    "hest": Segmentation(
        _hest,
        2,
        {0: "no tissue"},
        page="https://huggingface.co/MahmoodLab/hest-tissue-seg",
        licence="CC-BY-NC-SA-4.0",
        citation="Jaume et al., NeurIPS 2024",
    ),
}
"""By their names in the config."""


def segmentation_key(settings: TileSettings) -> str:
    """Return the identity of the weights: ``file:<sha256>``.

    Raises
    ------
    ConfigError
        There is no such file, or its hash differs from that of the config.
    """
    assert settings.artefact_weights is not None, "the config is checked"
    return weights_key(settings.artefact_weights, settings.artefact_sha256)


@lru_cache(maxsize=1)
def load(settings: TileSettings) -> nn.Module:
    """Return the network of the config with its weights.

    Raises
    ------
    ConfigError
        The file does not hold the weights of this network.
    """
    assert settings.artefact_weights is not None, "the config is checked"
    path, network = Path(settings.artefact_weights), SEGMENTATIONS[settings.artefacts].network()
    state = {name.removeprefix(PREFIX): value for name, value in read_tensors(path).items()}
    own = network.state_dict()
    check_tensors(own, state, f"segmentation {settings.artefacts}", path)
    network.load_state_dict({name: state[name] for name in own})
    return network.eval()


def artefact_masks(
    reader: SlideReader, network: nn.Module, model: Segmentation, coords: NDArray[np.int64], side: float
) -> dict[str, NDArray[np.bool_]]:
    """Return where a slide shows each of the classes that count against a patch.

    Parameters
    ----------
    reader : SlideReader
        The slide.
    network : Module
        Of :func:`load`.
    model : Segmentation
        Its entry.
    coords : ndarray of int64, (N, 2)
        Corners of the patches in level-0 pixels; the rest of the slide is not read.
    side : float
        Side of a patch in level-0 pixels.

    Returns
    -------
    dict of ndarray of bool, (H, W)
        By the words for the class, on the whole slide at 8 um/px; False where no patch lies.

    Raises
    ------
    SlideError
        The slide cannot be read, or is coarser than the network's scale.
    """
    width, height = reader.dimensions
    pitch = model.side_px * model.mpp / reader.mpp
    cells = round(model.side_px * model.mpp / MAP_UM)
    columns, rows = int(np.ceil(width / pitch)), int(np.ceil(height / pitch))
    found = np.full((rows * cells, columns * cells), -1, np.int16)
    first, last = (np.floor(corner / pitch).astype(int) for corner in (coords, coords + side - 1))
    met = {
        (row, column)
        for (left, top), (right, bottom) in zip(first.tolist(), last.tolist(), strict=True)
        for row in range(top, bottom + 1)
        for column in range(left, right + 1)
    }
    for row, column in sorted(met):
        classes = _classes(network, model, _window(reader, model, column * pitch, row * pitch, pitch))
        found[row * cells : (row + 1) * cells, column * cells : (column + 1) * cells] = _coarse(classes, model, cells)
    shape = (max(1, round(height / pitch * cells)), max(1, round(width / pitch * cells)))
    return {name: found[: shape[0], : shape[1]] == index for index, name in model.taken.items()}


def _window(reader: SlideReader, model: Segmentation, x: float, y: float, side: float) -> NDArray[np.uint8]:
    """Return a window of the slide at the network's scale, white beyond the slide."""
    right, bottom = min(x + side, reader.dimensions[0]), min(y + side, reader.dimensions[1])
    width, height = (max(1, round(length / side * model.side_px)) for length in (right - x, bottom - y))
    pixels = window(reader, (x, y, right, bottom), size=(width, height))
    padding = ((0, model.side_px - height), (0, model.side_px - width), (0, 0))
    return np.pad(pixels, padding, constant_values=255)


@torch.inference_mode()
def _classes(network: nn.Module, model: Segmentation, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the class of each pixel of a window."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    scores = network(((torch.from_numpy(pixels).permute(2, 0, 1) / 255 - mean) / std)[None])
    logits: Tensor = scores["out"] if isinstance(scores, dict) else scores
    return np.asarray(logits[0].argmax(dim=0).numpy(), np.uint8)


def _coarse(classes: NDArray[np.uint8], model: Segmentation, cells: int) -> NDArray[np.int64]:
    """Return the most frequent class in each of `cells` by `cells` parts of a window."""
    shares = [
        cv2.resize((classes == index).astype(np.float32), (cells, cells), interpolation=cv2.INTER_AREA)
        for index in range(model.classes)
    ]
    return np.asarray(np.argmax(shares, axis=0))
