"""The layout of a synthetic slide: tissue, its regions, folds and pen, on a grid of 2 um."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from scipy.stats import norm

from ccl.demo.noise import Field, Mask, highest, noise, rough_noise, without_specks

SIDE_UM = 768.0
"""Side of every slide."""

GRID_UM = 2.0
"""Pixel of the grid that regions are drawn on."""

GRID_SIDE = round(SIDE_UM / GRID_UM)

SMALLEST_PIECE_UM2 = 25_000.0
SMALLEST_HOLE_UM2 = 600.0
SMALLEST_REGION_UM2 = 1_200.0


@dataclass(frozen=True)
class Look:
    """How the latents shape a slide; each value is between 0 and 1."""

    tumour: float
    """``shared``: how far tumour nests extend, and how crowded and dark their nuclei are."""
    lymphocytes: float
    """``pathology``: how far lymphocytes extend, and how densely they lie."""
    myxoid: float
    """``synergy_slide``: how much of the stroma is pale and loose instead of dense collagen."""

    @classmethod
    def of(cls, latents: pd.Series[float]) -> Look:
        """Return the look of a patient's slides; normal scores become uniform values."""
        return cls(*(float(norm.cdf(latents[name])) for name in ("shared", "pathology", "synergy_slide")))


@dataclass(frozen=True)
class Anatomy:
    """The regions of a slide, each (GRID_SIDE, GRID_SIDE) bool."""

    tissue: Mask
    """True tissue, including areas under pen; it contains the three regions below, which do not overlap."""
    tumour: Mask
    lymphocytes: Mask
    myxoid: Mask
    fold: Mask
    pen: Mask


def draw_anatomy(look: Look, rng: np.random.Generator, *, fold: bool, pen: bool) -> Anatomy:
    """Draw the regions of a slide; tissue covers a bit less than half of it."""
    tissue = _tissue(rng)
    tumour = highest(_nests(rng), 0.12 + 0.43 * look.tumour, tissue)
    tumour = without_specks(tumour, _pixels(SMALLEST_REGION_UM2))
    lymphocytes = _lymphocytes(look, tissue, tumour, rng)
    stroma = tissue & ~tumour & ~lymphocytes
    loose = highest(rough_noise(rng, GRID_SIDE, 45, 3), 0.05 + 0.85 * look.myxoid, stroma)
    nothing = np.zeros_like(tissue)
    return Anatomy(
        tissue,
        tumour,
        lymphocytes,
        without_specks(loose, _pixels(SMALLEST_REGION_UM2)),
        _fold(tissue, rng) if fold else nothing,
        _pen(tissue, rng) if pen else nothing,
    )


def _pixels(area_um2: float) -> int:
    return round(area_um2 / GRID_UM**2)


def _axes() -> tuple[Field, Field]:
    """Return x and y of each grid pixel, 0 to 1."""
    axis = (np.arange(GRID_SIDE, dtype=np.float32) + 0.5) / GRID_SIDE
    return np.tile(axis, (GRID_SIDE, 1)), np.tile(axis[:, None], (1, GRID_SIDE))


def _tissue(rng: np.random.Generator) -> Mask:
    x, y = _axes()
    field = np.full_like(x, -10)
    pieces = int(rng.integers(1, 4))
    turn = rng.uniform(0, 2 * np.pi)
    for piece in range(pieces):
        angle = turn + 2 * np.pi * piece / pieces
        offset = 0.0 if pieces == 1 else 0.24
        dx, dy = x - 0.5 - offset * np.cos(angle), y - 0.5 - offset * np.sin(angle)
        tilt = rng.uniform(0, np.pi)
        along = (np.cos(tilt) * dx + np.sin(tilt) * dy) / rng.uniform(1.0, 1.5)
        across = (np.cos(tilt) * dy - np.sin(tilt) * dx) / rng.uniform(0.7, 1.0)
        field = np.maximum(field, -np.hypot(along, across) * (4 if pieces == 1 else 6))
    field += 0.2 * rough_noise(rng, GRID_SIDE, 90, 5)
    border = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    field -= 2 * np.clip(0.14 - border, 0, None) / 0.14
    everywhere = np.ones_like(x, dtype=bool)
    tissue = highest(field.astype(np.float32), rng.uniform(0.46, 0.50), everywhere)
    tissue &= ~_holes(rng, x, y) & ~_clefts(rng)
    tissue = without_specks(tissue, _pixels(SMALLEST_PIECE_UM2))
    return ~without_specks(~tissue, _pixels(SMALLEST_HOLE_UM2))


def _holes(rng: np.random.Generator, x: Field, y: Field) -> Mask:
    """Draw one to three vessels or tears, 60 to 140 um wide, near the centre."""
    wobble = 0.12 * rough_noise(rng, GRID_SIDE, 30, 2)
    holes = np.zeros_like(x, dtype=bool)
    for _ in range(int(rng.integers(1, 4))):
        centre, radius = rng.uniform(0.25, 0.75, 2), rng.uniform(30, 70) / SIDE_UM
        holes |= np.hypot((x - centre[0]) * rng.uniform(0.8, 1.6), y - centre[1]) / radius + wobble < 1
    return holes


def _clefts(rng: np.random.Generator) -> Mask:
    """Draw the thin cracks of cutting: zero lines of a field, where another field is high."""
    crack = np.abs(noise(rng, (GRID_SIDE, GRID_SIDE), (60, 60))) < 0.025
    return np.asarray(crack & (noise(rng, (GRID_SIDE, GRID_SIDE), (70, 70)) > 0.9))


def _nests(rng: np.random.Generator) -> Field:
    """Return a field that is high in tumour nests: cords of about 60 um in territories of about 250 um."""
    territory = noise(rng, (GRID_SIDE, GRID_SIDE), (110, 110))
    cords = -np.abs(noise(rng, (GRID_SIDE, GRID_SIDE), (38, 38)))
    return territory + 1.7 * cords + 0.15 * rough_noise(rng, GRID_SIDE, 10, 2)


def _lymphocytes(look: Look, tissue: Mask, tumour: Mask, rng: np.random.Generator) -> Mask:
    """Place lymphocytes beside the tumour; their extent is a share of the whole tissue."""
    room = tissue & ~tumour
    near = cv2.GaussianBlur(tumour.astype(np.float32), (0, 0), 12)
    field = noise(rng, (GRID_SIDE, GRID_SIDE), (28, 28)) + 1.5 * near
    field += 0.3 * rough_noise(rng, GRID_SIDE, 8, 2)
    share = (0.02 + 0.22 * look.lymphocytes) * tissue.sum() / room.sum()
    return without_specks(highest(field, min(share, 0.6), room), _pixels(SMALLEST_REGION_UM2))


def _fold(tissue: Mask, rng: np.random.Generator) -> Mask:
    """Draw a wavy band of 16 um across the tissue, where it is folded."""
    rows, columns = np.nonzero(tissue)
    pick = rng.integers(rows.size)
    angle = rng.uniform(0, np.pi)
    x, y = _axes()
    dx, dy = x - (columns[pick] + 0.5) / GRID_SIDE, y - (rows[pick] + 0.5) / GRID_SIDE
    across = np.cos(angle) * dy - np.sin(angle) * dx + 0.025 * noise(rng, (GRID_SIDE, GRID_SIDE), (60, 60))
    along = np.cos(angle) * dx + np.sin(angle) * dy
    band = (np.abs(across) * SIDE_UM < 8) & (np.abs(along) < rng.uniform(0.18, 0.3))
    return np.asarray(band & tissue)


def _pen(tissue: Mask, rng: np.random.Generator) -> Mask:
    """Draw a marker's stroke of 36 um along the emptiest side of the slide, where it may touch the tissue."""
    side = int(np.argmin([rotated[: GRID_SIDE // 5].sum() for rotated in (np.rot90(tissue, k) for k in range(4))]))
    t = np.linspace(0.1, rng.uniform(0.65, 0.9), 40)
    wave = 0.09 + 0.03 * np.sin(2 * np.pi * (t * rng.uniform(0.8, 2.0) + rng.uniform()))
    points = np.stack([t, wave + rng.uniform(-0.02, 0.02)], axis=1) * GRID_SIDE
    canvas = np.zeros(tissue.shape, np.uint8)
    cv2.polylines(canvas, [points.round().astype(np.int32)], False, 1, thickness=round(36 / GRID_UM))
    return np.asarray(np.rot90(canvas, -side), dtype=bool)
