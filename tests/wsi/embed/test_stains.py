"""Stain normalisation: against stains that are known, and as the papers define it."""

from __future__ import annotations

import numpy as np
import pytest

from ccl.io.errors import SlideError
from ccl.wsi.embed.stains import LIGHT, MEANS, NORMALISERS, STAINS, Macenko, Reinhard

OTHER = np.array([[0.65, 0.10], [0.70, 0.95], [0.29, 0.30]])


def stained(stains, *, strength=1.0, seed=0, side=128):
    """Return tissue with so much of each of two stains, and glass in one corner."""
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(2.0, 0.35, (side, side, 2)) * strength
    amounts[::7, :, 1], amounts[:, ::5, 0] = 0, 0  # pure hematoxylin, pure eosin
    amounts[: side // 4, : side // 4] = 0
    return np.clip(LIGHT * np.exp(-amounts @ stains.T) - 1, 0, 255).round().astype(np.uint8)


def lab(pixels):
    """Return l, alpha and beta by the numbers of Reinhard's paper, written out."""
    r, g, b = np.moveaxis(np.maximum(pixels, 1).astype(float), -1, 0)
    long = np.log(0.3811 * r + 0.5783 * g + 0.0402 * b)
    medium = np.log(0.1967 * r + 0.7244 * g + 0.0782 * b)
    short = np.log(0.0241 * r + 0.1288 * g + 0.8444 * b)
    return np.stack([(long + medium + short) / 3**0.5, (long + medium - 2 * short) / 6**0.5, (long - medium) / 2**0.5])


def test_macenko_finds_the_stains_and_moves_them_to_those_of_the_target():
    published = STAINS / np.linalg.norm(STAINS, axis=0)
    target, slide = stained(published), stained(OTHER, strength=0.7)
    np.testing.assert_allclose(Macenko(slide).stains, OTHER / np.linalg.norm(OTHER, axis=0), atol=0.05)
    moved = Macenko(target)(slide)(slide)
    apart = np.abs(slide.astype(int) - target).mean()
    assert np.abs(moved.astype(int) - target).mean() < 0.3 * apart


def test_macenko_leaves_the_target_as_it_is():
    target = stained(STAINS)
    assert np.abs(Macenko(target)(target)(target).astype(int) - target).max() <= 2


def test_reinhard_gives_tissue_the_mean_and_deviation_of_the_target():
    target, slide = stained(STAINS)[32:, 32:], stained(OTHER, strength=0.7)[32:, 32:]
    tissue = (slide <= 205).all(axis=2)
    moved = lab(Reinhard(target)(slide)(slide))[:, tissue]
    wanted = lab(target)[:, (target <= 205).all(axis=2)]
    np.testing.assert_allclose(moved.mean(axis=1), wanted.mean(axis=1), atol=0.03)
    np.testing.assert_allclose(moved.std(axis=1), wanted.std(axis=1), rtol=0.1)


def test_reinhard_without_a_target_gives_the_published_means():
    slide = stained(OTHER, strength=0.7)[32:, 32:]
    moved = lab(Reinhard()(slide)(slide))[:, (slide <= 205).all(axis=2)]
    np.testing.assert_allclose(moved.mean(axis=1), MEANS, atol=0.06)


@pytest.mark.parametrize("name", NORMALISERS)
def test_one_slide_in_two_stainings_looks_alike_after_it(name):
    normalise = NORMALISERS[name](None)
    one, other = stained(STAINS), stained(OTHER, strength=0.6)
    moved = [normalise(slide)(slide).astype(int) for slide in (one, other)]
    assert np.abs(moved[0] - moved[1])[32:, 32:].mean() < 0.6 * np.abs(one.astype(int) - other)[32:, 32:].mean()


@pytest.mark.parametrize("name", NORMALISERS)
@pytest.mark.parametrize("shade", [(250, 250, 250), (180, 60, 120)], ids=["glass", "one colour"])
def test_a_sample_without_two_stains_is_an_error(name, shade):
    with pytest.raises(SlideError, match="the stains cannot be determined"):
        NORMALISERS[name](None)(np.full((64, 64, 3), shade, np.uint8))
