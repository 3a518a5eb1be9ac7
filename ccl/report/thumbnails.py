"""Small pictures of slides for the quality gallery."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ccl.io.errors import InputError
from ccl.results.gather import Cohort, SlideFile

WIDTH_PX = 420
HEIGHT_PX = 420
"""Pictures on the page are shrunk to fit this box."""

JPEG_QUALITY = 78


@dataclass(frozen=True)
class Picture:
    """A picture as the page holds it."""

    source: str
    """A ``data:`` address."""
    width: int
    height: int


@dataclass(frozen=True)
class Thumbnail:
    """A slide of the gallery; a stage that made no picture of it leaves None."""

    cohort: str
    slide: SlideFile
    outline: Picture | None
    grid: Picture | None


def gallery(cohorts: Sequence[Cohort], count: int) -> list[Thumbnail]:
    """Return up to `count` slides that have pictures: as many of each cohort, evenly spread over its slides."""
    pictured = [[slide for slide in cohort.slides if slide.outline or slide.grid] for cohort in cohorts]
    return [
        Thumbnail(cohort.name, slides[place], _shrink(slides[place].outline), _shrink(slides[place].grid))
        for cohort, slides, share in zip(cohorts, pictured, _shares([*map(len, pictured)], count), strict=True)
        for place in np.linspace(0, len(slides) - 1, share).round().astype(int)
    ]


def _shares(sizes: Sequence[int], count: int) -> list[int]:
    """Deal `count` places to cohorts in turn, none of them more than its size."""
    shares = [0] * len(sizes)
    for turn in range(max(sizes, default=0)):
        for cohort, size in enumerate(sizes):
            if turn < size and sum(shares) < count:
                shares[cohort] += 1
    return shares


def _shrink(path: Path | None) -> Picture | None:
    if path is None:
        return None
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(
            "not a picture, or a damaged one",
            where=str(path),
            todo="delete the slide's files in this folder and run its stage again with --overwrite",
        )
    height, width = image.shape[:2]
    factor = min(1.0, WIDTH_PX / width, HEIGHT_PX / height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return Picture("data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode(), *size)
