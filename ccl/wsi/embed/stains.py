"""Stain normalisation: the colours of a slide are moved to those of a target, by a map fitted on samples of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ccl.io.errors import SlideError

Pixels = NDArray[np.uint8]
"""(H, W, 3) RGB."""

Fit = tuple[NDArray[np.float64], NDArray[np.float64]]

Recolour = Callable[[Pixels], Pixels]

LIGHT = 240.0
"""Macenko: intensity of the light without tissue (0 to 255), as in the authors' code."""

TRANSPARENT = 0.15
"""Least optical density of a pixel of tissue in every channel: beta of Macenko's paper."""

EXTREME = 1.0
"""Macenko: percentile of the angles that are the two stains, alpha of the paper; 100 minus it of the concentrations."""

STAINS = np.array([[0.5626, 0.2159], [0.7201, 0.8012], [0.4062, 0.5581]])
STRENGTHS = np.array([1.9705, 1.0308])
"""Macenko's published target: columns of hematoxylin and eosin, and their concentrations."""

MEANS, DEVIATIONS = np.array([8.74108109, -0.12440419, 0.0444982]), np.array([0.6135447, 0.10989545, 0.0286032])
"""Reinhard's published target: a region of TCGA-A2-A3XS (Amgad et al., Bioinformatics 2019), in l, alpha and beta."""

LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
"""RGB to the response of the eye's cones (Reinhard et al. 2001, equation 4)."""

LAB = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])
"""Logarithms of the cones' response to l, alpha and beta (equation 6)."""

LEAST_DEVIATION = 1e-4
"""Smaller deviations of l, alpha or beta are rounding errors of one colour."""

LEAST_PIXELS = 1000
"""Fewer pixels of tissue tell nothing about the stains."""


class Normaliser(Protocol):
    """Fits the map from the colours of a slide to those of the target."""

    def __call__(self, sample: Pixels) -> Recolour:
        """Return the map for a slide with the tissue `sample`."""
        ...


class Macenko:
    """Stains are the extreme directions of optical density; each is scaled to the target's (Macenko et al., ISBI 2009).

    Parameters
    ----------
    target : ndarray of uint8, (H, W, 3), optional
        Picture of stained tissue; without it, the published target.
    """

    def __init__(self, target: Pixels | None = None) -> None:
        fitted: Fit = (STAINS, STRENGTHS) if target is None else _stains(target)
        self.stains, self.strengths = fitted

    def __call__(self, sample: Pixels) -> Recolour:
        """Return the map for a slide with the tissue `sample` (H, W, 3)."""
        stains, strengths = _stains(sample)
        # Concentrations by least squares, scaled, and mixed again: one linear map of optical density.
        change = (self.stains * (self.strengths / strengths)) @ np.linalg.pinv(stains)
        density = -np.log((np.arange(256) + 1) / LIGHT).astype(np.float32)

        def recolour(pixels: Pixels) -> Pixels:
            mixed = cv2.transform(cv2.LUT(pixels, density), -change.astype(np.float32))
            return _bytes(LIGHT * cv2.exp(mixed))

        return recolour


class Reinhard:
    """Mean and deviation of each of l, alpha and beta become the target's (Reinhard et al., IEEE CG&A 2001).

    Parameters
    ----------
    target : ndarray of uint8, (H, W, 3), optional
        Picture of stained tissue; without it, the published target.
    """

    def __init__(self, target: Pixels | None = None) -> None:
        fitted: Fit = (MEANS, DEVIATIONS) if target is None else _moments(target)
        self.means, self.deviations = fitted

    def __call__(self, sample: Pixels) -> Recolour:
        """Return the map for a slide with the tissue `sample` (H, W, 3)."""
        means, deviations = _moments(sample)
        back = np.linalg.inv(LAB)
        change = back @ np.diag(self.deviations / deviations) @ LAB
        shift = back @ (self.means - self.deviations / deviations * means)
        of_logarithms = np.column_stack([change, shift]).astype(np.float32)
        to_rgb = np.linalg.inv(LMS).astype(np.float32)

        def recolour(pixels: Pixels) -> Pixels:
            cones = cv2.exp(cv2.transform(_log_cones(pixels), of_logarithms))
            return _bytes(cv2.transform(cones, to_rgb))

        return recolour


NORMALISERS: dict[str, Callable[[Pixels | None], Normaliser]] = {"macenko": Macenko, "reinhard": Reinhard}
"""By their names in the config."""


def _stains(sample: Pixels) -> Fit:
    """Return hematoxylin and eosin as columns (3, 2) of optical density, and their strengths (2,).

    Raises
    ------
    SlideError
        The sample has too little tissue, or one stain only.
    """
    density = _tissue_density(sample)
    _, vectors = np.linalg.eigh(np.cov(density.T))
    plane = vectors[:, [2, 1]]
    plane = plane * np.where(plane[0] < 0, -1, 1)
    along = density @ plane
    angles = np.percentile(np.arctan2(along[:, 1], along[:, 0]), [EXTREME, 100 - EXTREME])
    first, last = (plane @ np.array([np.cos(angle), np.sin(angle)]) for angle in angles)
    # Hematoxylin absorbs more red light than eosin does.
    stains = np.column_stack([first, last] if first[0] > last[0] else [last, first])
    strengths = np.percentile(density @ np.linalg.pinv(stains).T, 100 - EXTREME, axis=0)
    if not (strengths > 0).all() or np.linalg.cond(stains) > 1 / np.finfo(np.float32).eps:
        raise _unfit("one stain only")
    return stains, strengths


def _moments(sample: Pixels) -> Fit:
    """Return the means and deviations (3,) of l, alpha and beta of the tissue in a sample.

    Raises
    ------
    SlideError
        The sample has too little tissue, or one colour only.
    """
    lab = _log_cones(sample)[_is_tissue(sample)].astype(np.float64) @ LAB.T
    if len(lab) < LEAST_PIXELS:
        raise _unfit(f"{len(lab)} pixels of tissue")
    deviations = lab.std(axis=0)
    if not (deviations > LEAST_DEVIATION).all():
        raise _unfit("one colour only")
    return lab.mean(axis=0), deviations


def _tissue_density(sample: Pixels) -> NDArray[np.float64]:
    """Return the optical density (N, 3) of the pixels of tissue."""
    tissue = sample[_is_tissue(sample)]
    if len(tissue) < LEAST_PIXELS:
        raise _unfit(f"{len(tissue)} pixels of tissue")
    return np.asarray(-np.log((tissue + 1.0) / LIGHT))


def _is_tissue(sample: Pixels) -> NDArray[np.bool_]:
    return np.asarray((sample + 1.0 <= LIGHT * np.exp(-TRANSPARENT)).all(axis=-1))


def _log_cones(pixels: Pixels) -> NDArray[np.float32]:
    """Return the logarithm of the cones' response to each pixel; black counts as 1 of 255."""
    rgb = np.maximum(pixels, 1).astype(np.float32)
    return np.asarray(cv2.log(cv2.transform(rgb, LMS.astype(np.float32))), np.float32)


def _bytes(values: NDArray[Any]) -> Pixels:
    return np.asarray(np.rint(np.clip(values, 0, 255)), np.uint8)


def _unfit(found: str) -> SlideError:
    return SlideError(
        "the stains cannot be determined",
        found=found,
        expected=f"{LEAST_PIXELS} pixels of tissue with two stains",
        todo="look at the picture; leave the slide out, or set `embed: stain: none`",
    )
