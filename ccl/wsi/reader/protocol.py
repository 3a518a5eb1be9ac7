"""The interface of slide readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from PIL.ImageCms import ImageCmsProfile


@dataclass(frozen=True)
class Level:
    """One level of a slide's pyramid."""

    width: int
    """px of this level."""
    height: int
    downsample: float
    """Level-0 pixels per pixel of this level; 1 for level 0."""
    halved: bool = False
    """Whether its pixels are those of a stored level that is decoded at half size."""


class SlideReader(Protocol):
    """An open slide; a context manager that closes it."""

    @property
    def slide_id(self) -> str:
        """Name of the slide, for messages."""
        ...

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height in level-0 pixels."""
        ...

    @property
    def mpp(self) -> float:
        """Scale at level 0 in um/px."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What is doubtful about the scale, for the contact sheet."""
        ...

    @property
    def properties(self) -> Mapping[str, str]:
        """OpenSlide's properties of the file."""
        ...

    @property
    def profile(self) -> ImageCmsProfile | None:
        """The slide's ICC colour profile, if it has one; regions are not converted by it."""
        ...

    @property
    def levels(self) -> tuple[Level, ...]:
        """The pyramid, finest first."""
        ...

    def read_region(self, x: int, y: int, *, width: int, height: int, level: int) -> NDArray[np.uint8]:
        """Return a region as (height, width, 3) uint8 RGB.

        Areas that were not scanned, or lie outside the slide, are white.

        Parameters
        ----------
        x, y : int
            Top-left corner in pixels of `level`.
        width, height : int
            Size in pixels of `level`.
        level : int
            Index into :attr:`levels`.

        Raises
        ------
        SlideError
            The region cannot be read; it is never filled in.

        Notes
        -----
        Several threads may read at a time.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
