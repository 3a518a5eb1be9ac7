"""Rendering regions as pixels: stains, fibres and nuclei, by the Beer-Lambert law."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ccl.demo.anatomy import GRID_SIDE, GRID_UM, SIDE_UM, Anatomy, Look
from ccl.demo.noise import Field, Mask, noise, rough_noise
from ccl.demo.nuclei import LYMPHOCYTE, SPINDLE, TUMOUR, Scatter, strew
from ccl.demo.plan import PENS, SlidePlan

TEXTURE_UM = 0.5
"""Pixel size of the textures in um; finer slides enlarge them and differ in their nuclei and noise."""

TEXTURE_SIDE = round(SIDE_UM / TEXTURE_UM)

HAEMATOXYLIN = (0.65, 0.70, 0.29)
EOSIN = (0.08, 0.90, 0.30)
"""Optical density of the two stains in red, green and blue; eosin has the pink of scanned slides."""


@dataclass(frozen=True)
class Textures:
    """Fibres and grain, made once and shared by all slides: each (ATLAS, ATLAS) float32."""

    fibres: Field
    """0 to 1, in strands along x."""
    grain: Field
    """Zero mean, about unit variance."""


ATLAS = 2048


STRIP = 256
"""Number of rows of a slide that are developed at a time."""


def draw_textures(rng: np.random.Generator) -> Textures:
    """Draw the textures of a cohort."""
    strands, grain = np.zeros((2, ATLAS, ATLAS), np.float32)
    for weight, across, along in ((0.8, 16, 260), (0.9, 6, 140), (0.8, 3, 60)):
        strands += weight * noise(rng, (ATLAS, ATLAS), (across, along))
    for scale in (1.6, 4, 9):
        grain += noise(rng, (ATLAS, ATLAS), (scale, scale)) / math.sqrt(3)
    return Textures(1 / (1 + np.exp(-1.1 * strands)), grain)


def render(
    anatomy: Anatomy, look: Look, plan: SlidePlan, *, textures: Textures, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a slide as RGB uint8, (SIDE_UM / mpp, SIDE_UM / mpp, 3)."""
    side = round(SIDE_UM / plan.mpp)
    weights = _weights(anatomy)
    fibres, angles = _fibres(textures, rng)
    grain = _crop(textures.grain, rng)
    eosin, haematoxylin = _ground(weights, look, fibres, grain, rng)
    tissue = _edge(anatomy.tissue)
    thick = tissue * (1 + 0.9 * _enlarge(_soft(anatomy.fold, 0.7), TEXTURE_SIDE))
    eosin, haematoxylin, thick = (_enlarge(field, side) for field in (eosin, haematoxylin, thick))
    nuclei = np.zeros((side, side), np.float32)
    for scatter in _scatters(weights, look):
        strew(nuclei, scatter, angles, rng)
    np.maximum(haematoxylin, nuclei, out=haematoxylin)
    eosin *= 1 - 0.35 * np.clip(nuclei, 0, 1)
    stains = rng.normal(1.0, 0.04, 2).astype(np.float32) * np.array(plan.stains, np.float32)
    ink = _enlarge(_edge(anatomy.pen), side) * (0.9 + 0.06 * _enlarge(grain, side)) if plan.pen else None
    return _develop(haematoxylin * thick * stains[0], eosin * thick * stains[1], ink, plan, rng)


def _soft(mask: Mask, sigma: float) -> Field:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma))


def _enlarge(field: Field, side: int) -> Field:
    if field.shape[0] == side:
        return field
    return np.asarray(cv2.resize(field, (side, side), interpolation=cv2.INTER_LINEAR))


def _edge(mask: Mask) -> Field:
    """Return a mask at texture scale with a smooth outline, soft over about 1 um."""
    large = cv2.resize(_soft(mask, 0.9), (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip((large - 0.5) * 4 + 0.5, 0, 1))


@dataclass(frozen=True)
class _Weights:
    """Share of each region at each grid pixel; they add up to 1."""

    tumour: Field
    lymphocytes: Field
    myxoid: Field
    collagen: Field
    tissue: Field


def _weights(anatomy: Anatomy) -> _Weights:
    tumour = _soft(anatomy.tumour, 0.8)
    lymphocytes = _soft(anatomy.lymphocytes, 2.0)
    myxoid = _soft(anatomy.myxoid, 3.0) * (1 - tumour) * (1 - lymphocytes)
    collagen = np.clip(1 - tumour - lymphocytes - myxoid, 0, 1)
    inside = cv2.erode(anatomy.tissue.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    return _Weights(tumour, lymphocytes, myxoid, collagen, inside)


def _fibres(textures: Textures, rng: np.random.Generator) -> tuple[Field, Field]:
    """Bend the strands into wavy bundles; return them at texture scale and their angles on the grid, 0 to pi."""
    axis = np.arange(GRID_SIDE, dtype=np.float32) * GRID_UM
    x, y = np.meshgrid(axis, axis)
    turn = rng.uniform(0, np.pi)
    shape = (GRID_SIDE, GRID_SIDE)
    bend = 45 * noise(rng, shape, (110, 110)) + 7 * noise(rng, shape, (22, 22))
    along = np.cos(turn) * x + np.sin(turn) * y
    across = np.cos(turn) * y - np.sin(turn) * x + bend
    slope_y, slope_x = np.gradient(across)
    angles = (np.arctan2(slope_y, slope_x) + np.pi / 2) % np.pi
    start = rng.uniform(0, ATLAS, 2)
    map_x, map_y = (
        _enlarge((field / TEXTURE_UM + offset).astype(np.float32), TEXTURE_SIDE)
        for field, offset in zip((along, across), start, strict=True)
    )
    strands = cv2.remap(textures.fibres, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(strands), angles.astype(np.float32)


def _crop(texture: Field, rng: np.random.Generator) -> Field:
    top, left = rng.integers(0, ATLAS - TEXTURE_SIDE, 2)
    return texture[top : top + TEXTURE_SIDE, left : left + TEXTURE_SIDE]


def _ground(
    weights: _Weights, look: Look, fibres: Field, grain: Field, rng: np.random.Generator
) -> tuple[Field, Field]:
    """Return eosin and haematoxylin without nuclei, at texture scale."""
    uneven = 1 + 0.08 * rough_noise(rng, GRID_SIDE, 90, 2)
    collagen = weights.collagen * (0.75 - 0.2 * look.myxoid) * uneven
    smooth = weights.tumour * 0.40 + weights.lymphocytes * 0.22 + weights.myxoid * 0.13
    strands = collagen + 0.16 * weights.myxoid
    blue = (
        weights.tumour * (0.17 + 0.15 * look.tumour)
        + weights.lymphocytes * 0.16
        + weights.myxoid * 0.10
        + weights.collagen * 0.03
    )
    smooth, strands, blue = (_enlarge(field.astype(np.float32), TEXTURE_SIDE) for field in (smooth, strands, blue))
    eosin = strands * (0.35 + 0.9 * fibres) * (1 + 0.1 * grain) + smooth * (1 + 0.16 * grain)
    return eosin, blue * (1 + 0.2 * grain)


def _scatters(weights: _Weights, look: Look) -> list[Scatter]:
    inside = weights.tissue
    return [
        Scatter(SPINDLE, 0.55 * weights.collagen * inside, 21.0, 0.95, aligned=True),
        Scatter(SPINDLE, 0.45 * weights.myxoid * inside, 27.0, 0.8),
        Scatter(LYMPHOCYTE, 0.03 * (weights.collagen + weights.myxoid) * inside, 12.0),
        Scatter(TUMOUR, 0.94 * weights.tumour * inside, 12.5 - 3.5 * look.tumour, 0.75 + 0.4 * look.tumour),
        Scatter(LYMPHOCYTE, 0.95 * weights.lymphocytes * inside, 9.5 - 2.3 * look.lymphocytes),
    ]


def _develop(
    haematoxylin: Field, eosin: Field, ink: Field | None, plan: SlidePlan, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Let white light through the stains: intensity = background * exp(-optical density)."""
    side = haematoxylin.shape[0]
    speckle = rng.standard_normal((STRIP, STRIP), dtype=np.float32) * 1.2
    speckle = np.tile(speckle, (1, side // STRIP))
    picture = np.empty((side, side, 3), np.uint8)
    # Strips stay in the processor's cache, whole slides do not.
    for top in range(0, side, STRIP):
        strip = slice(top, top + STRIP)
        for channel, white in enumerate(plan.glass):
            light = haematoxylin[strip] * -HAEMATOXYLIN[channel]
            light -= EOSIN[channel] * eosin[strip]
            if ink is not None and plan.pen:
                light -= PENS[plan.pen][channel] * ink[strip]
            np.exp(light, out=light)
            light *= white
            light += speckle
            np.clip(light, 0, 255, out=light)
            picture[strip, :, channel] = light
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.5 / (side / TEXTURE_SIDE) + 0.15))
