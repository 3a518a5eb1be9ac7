"""Tissue on drawn thumbnails: found whole, with its holes, without ink, borders and dirt."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from ccl.config.sections import TissueSettings
from ccl.wsi.tissue.mask import tissue_mask

SETTINGS = TissueSettings(mpp=8.0, threshold=0.06, min_area_mm2=0.05, min_hole_mm2=0.01, annotation="restrict")
GLASS = (243, 241, 244)
SIZE = (300, 400)
INKS = {
    "green": (30, 140, 70),
    "blue": (35, 60, 165),
    "navy": (20, 30, 100),
    "red": (200, 30, 45),
    "black": (40, 38, 44),
    "violet": (95, 40, 150),
    "yellow": (235, 200, 70),
}

# Optical densities (natural) of the two stains in red, green, blue.
STAINS = {
    "Ruifrok and Johnston 2001": ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11)),
    "Macenko 2009": ((0.5626, 0.7201, 0.4062), (0.2159, 0.8012, 0.5581)),
}


def stained(hematoxylin, eosin, vectors):
    """Return RGB uint8 of stain concentrations by Beer and Lambert."""
    density = np.multiply.outer(hematoxylin, vectors[0]) + np.multiply.outer(eosin, vectors[1])
    return np.rint(255 * np.exp(-density)).astype(np.uint8)


def glass():
    grain = np.random.default_rng(0).normal(scale=1.0, size=(*SIZE, 1))
    return np.clip(np.array(GLASS) + grain, 0, 255).astype(np.uint8)


def drawn(shape, colour, canvas):
    """Paint `colour` (or an image) where `shape` is set, with the soft edge that averaging gives."""
    weight = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 0.7)[..., None]
    return np.rint(canvas * (1 - weight) + np.array(colour) * weight).astype(np.uint8)


def tissue_shape():
    shape = np.zeros(SIZE, np.uint8)
    cv2.ellipse(shape, (150, 150), (110, 80), 20, 0, 360, 1, cv2.FILLED)
    cv2.circle(shape, (140, 150), 22, 0, cv2.FILLED)
    return shape > 0


def tissue_texture(vectors, seed=1):
    grain = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=SIZE).astype(np.float32), (0, 0), 2)
    grain /= grain.std()
    return stained(np.clip(0.6 + 0.3 * grain, 0.1, None), np.clip(0.5 - 0.2 * grain, 0.1, None), vectors)


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def stroke(points, thickness=22):
    shape = np.zeros(SIZE, np.uint8)
    cv2.polylines(shape, [np.array(points)], isClosed=False, color=1, thickness=thickness)
    return shape > 0


@pytest.mark.parametrize("stain", STAINS)
def test_tissue_is_found_with_its_hole(stain):
    shape = tissue_shape()
    found = tissue_mask(drawn(shape, tissue_texture(STAINS[stain]), glass()), SETTINGS)
    assert overlap(found, shape) >= 0.95
    assert not found[150, 140]


@pytest.mark.parametrize("colour", [(236, 214, 226), (222, 214, 236)], ids=["pale pink", "pale violet"])
def test_pale_tissue_is_found(colour):
    shape = tissue_shape()
    assert overlap(tissue_mask(drawn(shape, colour, glass()), SETTINGS), shape) >= 0.95


@pytest.mark.parametrize("ink", INKS)
def test_ink_beside_tissue_is_not_tissue(ink):
    shape, pen = tissue_shape(), stroke([(300, 40), (360, 150), (320, 270)])
    canvas = drawn(shape, tissue_texture(STAINS["Macenko 2009"]), glass())
    found = tissue_mask(drawn(pen, INKS[ink], canvas), SETTINGS)
    assert overlap(found, shape) >= 0.95
    assert not (found & pen).any()
    assert not found[:, 285:].any()


@pytest.mark.parametrize("ink", INKS)
def test_the_pale_rim_of_ink_is_not_tissue(ink):
    pen = cv2.GaussianBlur(stroke([(60, 40), (330, 150), (120, 250)]).astype(np.float32), (0, 0), 2.5)[..., None]
    picture = np.rint(glass() * (1 - pen) + np.array(INKS[ink]) * pen).astype(np.uint8)
    assert tissue_mask(picture, SETTINGS).mean() < 0.001


def test_a_thin_stroke_is_not_tissue():
    picture = drawn(stroke([(60, 40), (330, 150), (120, 250)], thickness=5), INKS["blue"], glass())
    assert not tissue_mask(picture, SETTINGS).any()


def test_the_gap_between_tissue_and_ink_is_not_closed():
    picture = glass()
    picture[50:250, 100:200] = (205, 130, 180)
    picture[50:250, 204:230] = INKS["green"]
    found = tissue_mask(picture, SETTINGS)
    assert found[55:245, 102:198].all()
    assert not found[:, 201:].any()


@pytest.mark.parametrize("ink", ["green", "blue", "navy", "black"])
def test_ink_over_tissue_is_cut_out(ink):
    shape, pen = tissue_shape(), stroke([(60, 110), (260, 200)], thickness=16)
    canvas = drawn(shape, tissue_texture(STAINS["Ruifrok and Johnston 2001"]), glass())
    through = np.rint(canvas * (np.array(INKS[ink]) / 255)).astype(np.uint8)
    found = tissue_mask(drawn(pen, through, canvas), SETTINGS)
    assert (found & pen).sum() / pen.sum() < 0.05
    assert (found & shape).sum() / (shape & ~pen).sum() > 0.85


@pytest.mark.parametrize("stain", STAINS)
def test_no_mix_of_the_stains_is_taken_for_ink(stain):
    """Large fields of every mix, up to the densities that the average over 8 um reaches, are tissue.

    Tissue is grainy, as pixels hold one nucleus or none; only ink is even.
    """
    mixes = np.meshgrid(*(np.repeat(np.linspace(least, 2.5, 15), 20) for least in (0.3, 0.0)))
    grain = np.random.default_rng(0).uniform(0.7, 1, size=(2, *mixes[0].shape))
    picture = stained(*(mixes * grain), STAINS[stain])
    assert tissue_mask(picture, SETTINGS).all()


def test_borders_shadows_and_coverslips_are_not_tissue():
    picture = glass()
    picture[:, :20] = (3, 2, 4)
    picture[-15:] = (0, 0, 0)
    picture[40:44] = (190, 190, 192)
    picture[100:200, 200:300] = (150, 149, 151)
    assert not tissue_mask(picture, SETTINGS).any()


TINTS = {
    "blue lowered by 7 %": (243, 241, 227),
    "pink": (243, 222, 234),
    "strong pink": (240, 205, 222),
    "brown": (232, 214, 196),
    "lavender": (228, 222, 245),
    "green": (226, 242, 228),
    "yellow": (244, 232, 195),
    "dim": (185, 183, 188),
}


@pytest.mark.parametrize("tint", TINTS)
@pytest.mark.parametrize("colour", [(205, 130, 180), (236, 214, 226)], ids=["stained", "pale"])
def test_tinted_glass_is_not_tissue(tint, colour):
    shape = tissue_shape()
    picture = drawn(shape, colour, glass()) * (np.array(TINTS[tint]) / GLASS)
    found = tissue_mask(np.rint(np.clip(picture, 0, 255)).astype(np.uint8), SETTINGS)
    assert overlap(found, shape) >= 0.95


def test_white_around_the_scanned_area_is_not_taken_for_the_glass():
    """The area that a scanner left out is white, its glass is not."""
    shape = tissue_shape()
    tinted = np.clip(drawn(shape, (205, 130, 180), glass()) * (np.array(TINTS["pink"]) / GLASS), 0, 255)
    picture = np.full((2 * SIZE[0], 2 * SIZE[1], 3), 255, np.uint8)
    picture[: SIZE[0], : SIZE[1]] = np.rint(tinted)
    found = tissue_mask(picture, SETTINGS)
    assert overlap(found[: SIZE[0], : SIZE[1]], shape) >= 0.95
    assert not found[SIZE[0] :].any()


@pytest.mark.parametrize("share", [1, 4])
def test_without_glass_all_is_tissue(share):
    """Nothing even and bright is on the thumbnail, or too little of it."""
    assert tissue_mask(tissue_texture(STAINS["Macenko 2009"])[::share, ::share], SETTINGS).mean() > 0.99


def test_empty_glass_holds_no_tissue():
    assert not tissue_mask(glass(), SETTINGS).any()
    assert not tissue_mask(np.full((50, 50, 3), 255, np.uint8), SETTINGS).any()


def test_the_threshold_decides_what_is_too_pale():
    picture = drawn(tissue_shape(), (238, 219, 231), glass())
    shares = [tissue_mask(picture, replace(SETTINGS, threshold=threshold)).mean() for threshold in (0.04, 0.07, 0.10)]
    assert shares[0] > 0.2
    assert shares[1] > 0.2
    assert shares[2] == 0
