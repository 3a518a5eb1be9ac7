"""Nuclei of the synthetic slides: stamps of haematoxylin, and their positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ccl.demo.anatomy import GRID_UM, SIDE_UM
from ccl.demo.noise import Field

TURNS = 16
"""Orientations of each shape, over half a turn."""

SHAPES = 10


@dataclass(frozen=True)
class Kind:
    """A kind of nucleus; lengths in um, stain as optical density."""

    name: str
    length_um: float
    width_um: float
    irregularity: float
    stain: float
    rim: float
    """How much paler the inside is than the rim: 0 for a dense nucleus, towards 1 for a vesicular one."""


SPINDLE = Kind("spindle", 13.0, 3.2, 0.10, 1.0, 0.1)
TUMOUR = Kind("tumour", 10.5, 8.2, 0.06, 1.0, 0.5)
LYMPHOCYTE = Kind("lymphocyte", 6.6, 6.2, 0.05, 1.45, 0.1)


@lru_cache(maxsize=8)
def stamps(kind: Kind, um_per_px: float) -> NDArray[np.float32]:
    """Return pictures of a kind's nuclei as haematoxylin density, (SHAPES, TURNS, side, side).

    The shapes are the same for every slide and seed, as a kind's look does not depend on the patient.
    """
    rng = np.random.default_rng(list(kind.name.encode()))
    side = 2 * int(np.ceil(0.7 * kind.length_um / um_per_px)) + 1
    axis = (np.arange(side, dtype=np.float32) - side // 2) * um_per_px
    x, y = np.meshgrid(axis, axis)
    pictures = np.zeros((SHAPES, TURNS, side, side), np.float32)
    for shape in range(SHAPES):
        wobble, phase = rng.normal(0, kind.irregularity / np.arange(1, 4)), rng.uniform(0, 2 * np.pi, 3)
        length, width = np.array([kind.length_um, kind.width_um]) / 2 * rng.uniform(0.8, 1.15, 2)
        spots = rng.standard_normal((7, 7), dtype=np.float32)
        for turn in range(TURNS):
            angle = np.pi * turn / TURNS
            along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
            around = np.arctan2(across, along)
            radius = 1 + sum(
                w * np.cos((k + 2) * around + p) for k, (w, p) in enumerate(zip(wobble, phase, strict=True))
            )
            depth = np.hypot(along / length, across / width) / radius
            # The edge is soft over 1 um, as with a 20x lens.
            body = np.clip((1 - depth) * width / 1.0 + 0.5, 0, 1)
            chromatin = 1 + 0.18 * cv2.resize(spots, (side, side), interpolation=cv2.INTER_CUBIC)
            hollow = 1 - kind.rim * np.clip(1.15 - depth, 0, 1)
            pictures[shape, turn] = kind.stain * body * hollow * chromatin
    return pictures


@dataclass(frozen=True)
class Scatter:
    """How the nuclei of one region are scattered."""

    kind: Kind
    where: Field
    """(GRID_SIDE, GRID_SIDE) weight of the region, 0 to 1."""
    spacing_um: float
    stain: float = 1.0
    aligned: bool = False
    """Whether nuclei follow the fibres."""


def strew(canvas: Field, scatter: Scatter, angles: Field, rng: np.random.Generator) -> None:
    """Stamp the nuclei of one region into `canvas`, (H, W) haematoxylin density, keeping the darker of two.

    Positions are a jittered hexagonal grid, so that neighbours hardly overlap.
    """
    um_per_px = SIDE_UM / canvas.shape[0]
    pictures = stamps(scatter.kind, um_per_px)
    centres = _positions(scatter.spacing_um, rng)
    rows, columns = (np.clip(centres / GRID_UM, 0, scatter.where.shape[0] - 1)).astype(int).T
    keep = rng.uniform(size=len(centres)) < scatter.where[rows, columns]
    centres, rows, columns = centres[keep], rows[keep], columns[keep]
    half = pictures.shape[-1] // 2
    corners = np.rint(centres / um_per_px).astype(int) - half
    turns = rng.integers(TURNS, size=len(centres))
    if scatter.aligned:
        turns = np.rint(angles[rows, columns] / np.pi * TURNS + rng.normal(0, 0.8, len(centres))).astype(int) % TURNS
    shapes = rng.integers(SHAPES, size=len(centres))
    stains = (scatter.stain * rng.uniform(0.7, 1.15, len(centres))).astype(np.float32)
    side = 2 * half + 1
    for (top, left), shape, turn, stain in zip(corners.tolist(), shapes, turns, stains, strict=True):
        if min(top, left) >= 0 and max(top, left) + side <= canvas.shape[0]:
            view = canvas[top : top + side, left : left + side]
            np.maximum(view, pictures[shape, turn] * stain, out=view)


def _positions(spacing_um: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return (N, 2) points in um, (y, x)."""
    rows = np.arange(0, SIDE_UM, spacing_um * 0.866)
    columns = np.arange(0, SIDE_UM, spacing_um)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    x = x + (np.arange(rows.size) % 2)[:, None] * spacing_um / 2
    points = np.stack([y.ravel(), x.ravel()], axis=1)
    return np.asarray(points + rng.uniform(-0.4, 0.4, points.shape) * spacing_um)
