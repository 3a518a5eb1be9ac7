"""The tissue stage: outlines of one slide after the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from ccl.config.keys import recorded
from ccl.config.sections import TissueSettings
from ccl.io.errors import ChangedError, SlideError
from ccl.io.files import digest, fingerprint, write_json
from ccl.io.formats import ManifestRow
from ccl.io.shards import SlideStage
from ccl.io.sheets import Slide
from ccl.wsi.reader.opening import open_slide, slide_fingerprint
from ccl.wsi.reader.patches import thumbnail
from ccl.wsi.reader.pictures import Picture, overview, refused_picture
from ccl.wsi.reader.protocol import SlideReader
from ccl.wsi.tissue import VERSION
from ccl.wsi.tissue.annotation import annotation_digest, read_annotation
from ccl.wsi.tissue.kind import fluorescence_channel, unusable_kind
from ccl.wsi.tissue.mask import tissue_mask
from ccl.wsi.tissue.outlines import Outlines, pieces_of, refused_file, stored_outlines, trace


@dataclass(frozen=True)
class TissueStage(SlideStage):
    """The ``tissue`` stage of :func:`ccl.io.shards.run_shard`."""

    out: Path
    settings: TissueSettings
    missing: Collection[str] = ()
    """Slides that were missing before the stage began; any other slide that is missing fails the stage."""
    name: str = field(default="tissue", init=False)

    def output(self, slide: Slide) -> Path:
        """Return ``tissue/{slide}.geojson``."""
        return self.out / f"{slide.slide_id}.geojson"

    def picture(self, slide: Slide) -> Path:
        """Return ``tissue/{slide}.jpg``: the outlines on the slide."""
        return self.out / f"{slide.slide_id}.jpg"

    def refused(self, slide: Slide) -> Path:
        """Return ``tissue/refused/{slide}.jpg``: a slide that was refused, without outlines."""
        return self.out / "refused" / f"{slide.slide_id}.jpg"

    def key(self, slide: Slide, upstream: ManifestRow | None) -> str:
        """Return the digest of the slide's content, the sheet's scale, the settings and the annotation.

        How an annotation is used matters only to a slide that has one.

        Raises
        ------
        ChangedError
            The slide was there when the run was planned, and is gone; it may be back at the next run.
        SlideError
            It was not there.
        """
        if slide.slide_id not in self.missing and not slide.path.exists():
            raise ChangedError(
                "the slide's file does not exist, and did when the run was planned",
                where=f"slide {slide.slide_id}, {slide.path}",
                todo="put the slide back, or correct its path in the sample sheet",
            )
        settings = recorded(self.settings)
        use = [settings.pop(name) for name in ("annotation", "tissue_classes", "cut_classes") if name in settings]
        annotation = [*use, annotation_digest(slide)] if slide.annotation else []
        return digest("tissue", VERSION, slide_fingerprint(slide), slide.mpp, settings, *annotation)

    def facts(self) -> dict[str, Any]:
        """Return ``version`` and ``settings``, for the record of the origin."""
        return {"version": VERSION, "settings": recorded(self.settings)}

    def sources(self, slides: Sequence[Slide]) -> dict[Path, str]:
        """Return the fingerprints of slides and annotations."""
        annotations = {slide.annotation: fingerprint(slide.annotation) for slide in slides if slide.annotation}
        return {slide.path: slide_fingerprint(slide) for slide in slides} | annotations

    def stored(self, slide: Slide) -> tuple[str, int] | None:
        """Return the key and the number of outlines of a finished slide."""
        return stored_outlines(self.output(slide)) if self.picture(slide).exists() else None

    def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
        """Outline the tissue of a slide, and draw it.

        Raises
        ------
        SlideError
            The slide cannot be read, has no scale, or shows no tissue; its annotation is missing or does not fit.
        ChangedError
            The slide or its annotation was replaced after the stage began.
        """
        refused = refused_file(self.out, slide.slide_id)
        for path in (self.refused(slide), refused):
            path.unlink(missing_ok=True)
        try:
            outlines, picture = self._outlined(slide)
        except Exception:
            # Whoever reads the reason wants to look at the slide; the plan notices when it is replaced.
            write_json(refused, {"slide_fingerprint": slide_fingerprint(slide)}, checksum=True)
            if shown := refused_picture(slide):
                shown.write(self.refused(slide))
            raise
        if self.key(slide, upstream) != key:
            raise ChangedError(
                "the slide or its annotation was replaced while the stage ran",
                where=f"slide {slide.slide_id}, {slide.path}",
                todo="run again when the files are complete",
            )
        picture.outline(outlines.polygons)
        picture.scale_bar()
        picture.write(self.picture(slide))
        outlines.write(self.output(slide), key)
        return len(outlines.polygons)

    def _outlined(self, slide: Slide) -> tuple[Outlines, Picture]:
        """Return the outlines of a slide, and its picture without them."""
        with open_slide(slide) as reader:
            try:
                seen = thumbnail(reader, self.settings.mpp)
                polygons = self._tissue(slide, reader, seen)
            except SlideError as error:
                # What is doubtful about the scale may be why.
                error.found = "; ".join([*filter(None, [error.found]), *(f"to check: {note}" for note in reader.notes)])
                raise
            outlines = Outlines(
                slide.slide_id,
                reader.mpp,
                *reader.dimensions,
                polygons,
                fingerprint=slide_fingerprint(slide),
                notes=tuple(reader.notes),
            )
            return outlines, overview(reader, seen)

    def _tissue(self, slide: Slide, reader: SlideReader, seen: NDArray[np.uint8]) -> tuple[Polygon, ...]:
        """Return the tissue of a slide with the thumbnail `seen`: found, annotated, or their intersection."""
        width, height = reader.dimensions
        rows, columns = seen.shape[:2]
        size, seen_size = (width, height), (columns, rows)
        annotated = read_annotation(slide, size, seen_size, self.settings) if slide.annotation else None
        if annotated is not None and self.settings.annotation == "replace":
            return annotated
        if kind := fluorescence_channel(reader.properties) or unusable_kind(seen):
            raise SlideError(
                "not a slide of stained tissue in bright light",
                where=f"slide {slide.slide_id}, {slide.path}",
                found=kind,
                expected="a brightfield slide in colour, such as hematoxylin and eosin; encoders know no others",
                todo="leave the slide out; if it is one, annotate its tissue and set `tissue: annotation: replace`",
            )
        mm2_per_px = (reader.mpp / 1000) ** 2
        min_area_px = self.settings.min_area_mm2 / mm2_per_px
        polygons = trace(
            tissue_mask(seen, self.settings),
            (width / columns, height / rows),
            min_area_px=min_area_px,
            min_hole_px=self.settings.min_hole_mm2 / mm2_per_px,
        )
        if annotated is not None:
            polygons = pieces_of(shapely.union_all(polygons) & shapely.union_all(annotated), min_area_px)
        if not polygons:
            raise SlideError(
                "no tissue on the slide" + (" where it is annotated" if annotated else ""),
                where=f"slide {slide.slide_id}, {slide.path}",
                found=f"nothing of saturation {self.settings.threshold:g} and {self.settings.min_area_mm2:g} mm2",
                todo="look at the slide; lower `tissue: threshold` for pale tissue, `min_area_mm2` for small ones"
                + (", or set `annotation: replace`" if annotated else ""),
            )
        return polygons
