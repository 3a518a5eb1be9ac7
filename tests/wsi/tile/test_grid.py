"""The grid: no overlap, inside the slide, no accumulated error; tissue shares as geometry has them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, scale, translate
from shapely.geometry import Point, box

from ccl.wsi.tile.grid import grid_positions, tissue_fractions


@given(length_px=st.integers(0, 250_000), pitch_px=st.floats(16, 4000))
def test_patches_lie_inside_without_overlap_and_without_drift(length_px, pitch_px):
    starts = grid_positions(length_px, pitch_px)
    assert starts.dtype == np.int64
    assert (np.abs(starts - np.arange(len(starts)) * pitch_px) <= 0.5 + 1e-6).all()
    assert (starts >= 0).all()
    assert (starts + pitch_px <= length_px + 1e-5).all()
    # Rounding to whole pixels may overlap neighbours by less than one.
    assert (np.diff(starts) > pitch_px - 1 - 1e-6).all()
    # No patch is missing that would fit with half a pixel to spare.
    assert len(starts) >= int((length_px - 0.5) / pitch_px) if length_px else len(starts) == 0


@given(patch_size=st.sampled_from([224, 256, 512]), mpp=st.sampled_from([0.25, 0.5, 1.0]), n=st.integers(1, 400))
def test_a_slide_of_n_whole_patches_holds_n(patch_size, mpp, n):
    pitch_px = patch_size * mpp / 0.25
    assert grid_positions(round(n * pitch_px), pitch_px).tolist() == [round(i * pitch_px) for i in range(n)]


def test_a_pitch_whose_arithmetic_is_not_exact_loses_no_patch():
    pitch_px = 224 * 0.6 / 0.3
    assert pitch_px > 448
    assert [len(grid_positions(448 * n, pitch_px)) for n in (1, 2, 50)] == [1, 2, 50]


@settings(max_examples=25)
@given(
    x=st.floats(0, 4000),
    y=st.floats(0, 3000),
    width=st.floats(300, 1500),
    height=st.floats(300, 1500),
    angle=st.floats(0, 180),
    side_px=st.floats(300, 700),
    step=st.sampled_from([1.0, 0.75, 0.5, 1 / 7]),
)
def test_shares_are_those_of_exact_geometry(x, y, width, height, angle, side_px, step):
    mpp, pitch_px = 0.25, side_px * step
    shape = translate(rotate(scale(Point(0, 0).buffer(1), width, height), angle), x, y)
    shape = shape - shape.centroid.buffer(120)
    found = tissue_fractions([shape], 8, 6, pitch_px=pitch_px, mpp=mpp, side_px=side_px)
    assert found.shape == (6, 8)
    for row in range(6):
        for column in range(8):
            left, top = column * pitch_px, row * pitch_px
            cell = box(left, top, left + side_px, top + side_px)
            exact = cell.intersection(shape).area / cell.area
            # Half a raster pixel (2 um) along the outline in the patch and one raster pixel around it; another one if
            # the patch begins within a pixel.
            edge = cell.buffer((4 if step == 1 else 8) / mpp).intersection(shape.boundary).length * 2 / mpp / cell.area
            assert found[row, column] == pytest.approx(exact, abs=edge)


def test_pieces_add_up_and_emptiness_is_zero():
    pieces = [box(0, 0, 100, 50), box(0, 50, 50, 100), box(150, 0, 200, 100)]
    found = tissue_fractions(pieces, 2, 1, pitch_px=100, mpp=4.0)
    np.testing.assert_allclose(found, [[0.75, 0.5]], atol=0.015)
    assert tissue_fractions([], 3, 2, pitch_px=100, mpp=0.5).tolist() == [[0] * 3] * 2
    assert tissue_fractions(pieces, 0, 0, pitch_px=100, mpp=0.5).shape == (0, 0)


def test_tissue_beyond_the_grid_does_not_count():
    assert tissue_fractions([box(250, 0, 400, 400)], 2, 2, pitch_px=100, mpp=0.5).tolist() == [[0, 0], [0, 0]]
