"""The tile stage: the grid of one slide after the other."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from ccl.config.keys import recorded
from ccl.config.sections import TileSettings
from ccl.io.errors import SlideError
from ccl.io.files import digest
from ccl.io.formats import ManifestRow, Tiles, stored_count
from ccl.io.shards import SlideStage
from ccl.io.sheets import Slide
from ccl.wsi.reader.opening import check_outlined, open_slide
from ccl.wsi.reader.patches import best_level
from ccl.wsi.reader.pictures import Picture, overview
from ccl.wsi.reader.protocol import SlideReader
from ccl.wsi.tile import VERSION
from ccl.wsi.tile.filters import taken_by_filters
from ccl.wsi.tile.geometry import Geometry
from ccl.wsi.tissue.annotation import read_classes
from ccl.wsi.tissue.outlines import Outlines, pieces_of

FRAME_RGB = (40, 40, 40)
TAKEN_RGB = (210, 0, 0)

NOT_DRAWN = "not drawn"
"""What is said of patches beyond ``max_patches``."""

FADED = 0.65
"""Opacity of the white over areas outside all patches."""

LEAST_FRAME_PX = 6.0
"""Smaller patches are drawn without frames, which would hide the slide."""


@dataclass(frozen=True)
class TileStage(SlideStage):
    """The ``tile`` stage of :func:`ccl.io.shards.run_shard`."""

    out: Path
    settings: TileSettings
    name: str = field(default="tile", init=False)

    def output(self, slide: Slide) -> Path:
        """Return ``tile/{slide}.h5``."""
        return self.out / f"{slide.slide_id}.h5"

    def picture(self, slide: Slide) -> Path:
        """Return ``tile/{slide}.jpg``: the patches on the slide."""
        return self.out / f"{slide.slide_id}.jpg"

    def key(self, slide: Slide, upstream: ManifestRow | None) -> str:
        """Return the digest of the outlines and the settings."""
        assert upstream is not None, "tile follows tissue"
        return digest("tile", VERSION, upstream.key, self._recorded)

    @cached_property
    def _recorded(self) -> dict[str, Any]:
        """The settings, with the content of a file in the place of its path."""
        settings = recorded(self.settings)
        if self.settings.artefacts == "none":
            return settings
        from ccl.wsi.tile.artefacts import segmentation_key

        settings.pop("artefact_sha256", None)
        return {**settings, "artefact_weights": segmentation_key(self.settings)}

    def facts(self) -> dict[str, Any]:
        """Return ``version`` and ``settings``, for the record of the origin."""
        return {"version": VERSION, "settings": recorded(self.settings)}

    def stored(self, slide: Slide) -> tuple[str, int] | None:
        """Return the key and the number of patches of a finished slide."""
        return stored_count(self.output(slide), "coords") if self.picture(slide).exists() else None

    def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
        """Lay the grid over a slide's tissue, and draw it.

        Raises
        ------
        SlideError
            The slide cannot be read, is coarser than the patches, or no patch holds enough tissue.
        ChangedError
            The slide is not the one that was outlined.
        """
        assert upstream is not None, "tile follows tissue"
        outlines = Outlines.read(upstream.path, key=upstream.key)
        check_outlined(slide, outlines.fingerprint)
        scales = [Geometry(self.settings, mpp, outlines) for mpp in (self.settings.mpp, *self.settings.also_mpp)]
        polygons = self._polygons(slide, outlines)
        coords = [scale.coords(polygons) for scale in scales]
        with open_slide(slide) as reader:
            for scale in scales:
                best_level(reader, scale.target_mpp)
            picture = overview(reader)
            found = [self._filtered(reader, scale, own) for scale, own in zip(scales, coords, strict=True)]
        sizes = np.repeat([scale.side_px for scale in scales], [len(own) for own in coords])
        grid = Tiles(np.concatenate(coords), scales[0].attributes(str(self.out)), sizes if len(scales) > 1 else None)
        lost, counts = np.concatenate([taken for taken, _ in found]), sum((own for _, own in found), Counter())
        if lost.all():
            raise SlideError(
                "the filters took all patches",
                where=f"slide {slide.slide_id}",
                found=", ".join(f"{count} {name}" for name, count in counts.items()),
                todo="look at the picture of the tile stage; change the filters of the section `tile`",
            )
        kept = self._drawn(np.flatnonzero(~lost), outlines.fingerprint)
        draw_tiles(picture, grid.coords[kept], grid.sides[kept, None])
        mark_taken(picture, grid.coords[lost], grid.sides[lost, None])
        picture.outline(polygons)
        picture.scale_bar()
        picture.write(self.picture(slide))
        self._told(grid, kept, counts, beyond=int((~lost).sum()) - len(kept)).write(self.output(slide), key)
        return len(kept)

    def _polygons(self, slide: Slide, outlines: Outlines) -> tuple[Polygon, ...]:
        """Return the tissue that is cut into patches: all, or that of some classes of the slide's annotation."""
        if not self.settings.tissue_classes:
            return outlines.polygons
        size = (outlines.level0_width, outlines.level0_height)
        annotated = read_classes(slide, size, self.settings.tissue_classes)
        return pieces_of(shapely.union_all(outlines.polygons) & shapely.union_all(annotated))

    def _filtered(
        self, reader: SlideReader, scale: Geometry, coords: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], Counter[str]]:
        """Return which patches (N,) of one scale the filters take, and how many each of them takes."""
        taken = taken_by_filters(reader, coords, scale.attributes(str(self.out)), self.settings)
        lost = np.logical_or.reduce([np.zeros(len(coords), bool), *taken.values()])
        return lost, Counter({name: int(which.sum()) for name, which in taken.items()})

    def _drawn(self, kept: NDArray[np.intp], fingerprint: str) -> NDArray[np.intp]:
        """Return the patches that are kept, or as many of them as allowed, drawn by the seed and the slide's content.

        A larger number contains the patches of a smaller one.
        """
        if not self.settings.max_patches or len(kept) <= self.settings.max_patches:
            return kept
        rng = np.random.default_rng([self.settings.patch_seed, zlib.crc32(fingerprint.encode())])
        return np.sort(rng.permutation(kept)[: self.settings.max_patches])

    def _told(self, grid: Tiles, kept: NDArray[np.intp], counts: Counter[str], *, beyond: int) -> Tiles:
        """Return the kept patches, with what is left to say about the others in the attributes."""
        about: dict[str, Any] = dict(grid.attributes)
        if self.settings.also_mpp:
            about["also_mpp"] = list(self.settings.also_mpp)
        if beyond:
            about["patch_seed"] = self.settings.patch_seed
            counts = counts + Counter({NOT_DRAWN: beyond})
        if counts:
            about["filtered"] = json.dumps(counts)
        return replace(grid.only(kept), attributes=about)


def draw_tiles(picture: Picture, coords: NDArray[np.int64], sides: NDArray[np.float64]) -> None:
    """Frame the patches with corners `coords` (N, 2) and `sides` (N, 1), in level-0 pixels, and fade the rest."""
    colours = picture.pixels.copy()
    picture.pixels[:] = np.rint(colours * (1 - FADED) + 255 * FADED)
    corners = list(zip(picture.points(coords).tolist(), picture.points(coords + sides).tolist(), strict=True))
    for (left, top), (right, bottom) in corners:
        picture.pixels[top:bottom, left:right] = colours[top:bottom, left:right]
    if sides.min() / max(picture.level0_px) >= LEAST_FRAME_PX:
        for first, last in corners:
            cv2.rectangle(picture.pixels, first, last, FRAME_RGB, 1)


def mark_taken(picture: Picture, coords: NDArray[np.int64], sides: NDArray[np.float64]) -> None:
    """Cross out the patches that filters took, with corners `coords` (N, 2) and `sides` (N, 1), in level-0 pixels."""
    corners = zip(picture.points(coords).tolist(), picture.points(coords + sides).tolist(), strict=True)
    for (left, top), (right, bottom) in corners:
        cv2.rectangle(picture.pixels, (left, top), (right, bottom), TAKEN_RGB, 1)
        cv2.line(picture.pixels, (left, top), (right, bottom), TAKEN_RGB, 1)
