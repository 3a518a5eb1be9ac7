"""Folds of the tissue: double bands are found, dense areas of other shapes are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ccl.wsi.tile.folds import fold_mask

MPP = 8.0
SIDE = 500  # 4 mm


def tissue(*, seed=0):
    """Return the optical density (H, W, 3) of tissue in which nuclei and fibres differ, on glass, without a fold."""
    rng = np.random.default_rng(seed)
    rough = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)), (0, 0), 1.5)
    smooth = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)), (0, 0), 25)
    amount = np.clip(1 + 0.15 * rough / rough.std() + 0.12 * smooth / smooth.std(), 0.3, None)
    inside = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(inside, (SIDE // 2, SIDE // 2), 220, 1, -1)
    return (amount * inside)[..., None] * np.array([0.25, 0.55, 0.30])


def picture(density, tint=(1.0, 1.0, 1.0)):
    return np.clip(245 * np.exp(-density) * np.array(tint), 0, 255).astype(np.uint8)


def band(width_px=10):
    """Return a curved band across the tissue."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    points = [(x, int(250 + 60 * np.sin(x / 60))) for x in range(120, 380)]
    cv2.polylines(drawn, [np.array(points)], False, 1, width_px)
    return drawn > 0


@pytest.mark.parametrize("tint", [(1, 1, 1), (0.95, 1, 0.93), (1, 0.93, 0.96)], ids=["clear", "green", "pink"])
@pytest.mark.parametrize("width_px", [6, 10, 20])
def test_a_band_of_double_tissue_is_a_fold(tint, width_px):
    where = band(width_px)
    found = fold_mask(picture(tissue() * np.where(where, 2, 1)[..., None], tint), MPP)
    assert (found & where).sum() > 0.7 * where.sum()
    near = cv2.dilate(where.astype(np.uint8), np.ones((11, 11))) > 0
    assert not (found & ~near).any()


@pytest.mark.parametrize("seed", range(5))
def test_tissue_without_a_fold_has_none(seed):
    assert not fold_mask(picture(tissue(seed=seed)), MPP).any()


def test_follicles_and_wide_dense_areas_are_no_folds():
    density = tissue()
    for centre, radius in (((150, 250), 20), ((330, 200), 45), ((250, 370), 12)):
        drawn = np.zeros((SIDE, SIDE), np.uint8)
        cv2.circle(drawn, centre, radius, 1, -1)
        density *= np.where(drawn, 2, 1)[..., None]
    assert not fold_mask(picture(density), MPP).any()


def test_dense_epithelium_is_no_fold():
    """It has more hematoxylin than the stroma beside it, and hardly more eosin."""
    more = band(20)[..., None] * np.array([0.60, 0.65, 0.26])
    assert not fold_mask(picture(tissue() + more), MPP).any()


def test_glass_alone_has_no_fold():
    assert not fold_mask(np.full((100, 100, 3), 245, np.uint8), MPP).any()
