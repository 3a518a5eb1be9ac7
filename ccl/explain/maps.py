"""Attention on the slides of a patient: scores of patches, their file for QuPath, and example patches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ccl.explain.explanation import Explanation
from ccl.io.bags import read_features
from ccl.io.errors import ChangedError, SlideError
from ccl.io.files import write_text
from ccl.io.formats import Clusters, Features, ManifestRow, Tiles
from ccl.io.sheets import Slide
from ccl.wsi.reader.opening import check_outlined, open_slide
from ccl.wsi.reader.patches import patches
from ccl.wsi.reader.pictures import Picture, overview
from ccl.wsi.reader.protocol import SlideReader

EXAMPLE_PX = 112
"""Side of an example patch."""

MOST, LEAST = 6, 2
"""Number of examples: most and least typical of a cluster, or with the most and the least attention."""


NO_PLACES = (
    "there is no map, because the features have no coordinates of their patches; import files with coordinates and"
    " patch_size_level0 to get one"
)

NO_SLIDE = "the slide file is missing, so the map has no picture behind it"


@dataclass(frozen=True)
class Places:
    """Positions of the patches of a slide."""

    coords: NDArray[np.int64]
    """(N, 2) level-0 px."""
    attributes: Mapping[str, Any]
    """Attributes of :class:`ccl.io.formats.Tiles`."""
    sizes: NDArray[np.float64] | None = None
    """As in :class:`ccl.io.formats.Tiles`."""

    @property
    def tiles(self) -> Tiles:
        """The patches as tiles."""
        return Tiles(self.coords, self.attributes, self.sizes)

    @property
    def sides(self) -> NDArray[np.float64]:
        """(N,) side of each patch in level-0 px."""
        return self.tiles.sides

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of the slide in level-0 px; if unknown, those of the area that its patches cover."""
        least = (self.coords + self.sides[:, None]).max(axis=0)
        return (
            float(self.attributes.get("level0_width", least[0])),
            float(self.attributes.get("level0_height", least[1])),
        )

    @property
    def mpp(self) -> float | None:
        """Scale at level 0 in um/px, if it is known."""
        return float(self.attributes["level0_mpp"]) if "level0_mpp" in self.attributes else None


@dataclass(frozen=True)
class SlideMap:
    """A slide and the attention on its patches."""

    slide_id: str
    places: Places | None
    """None if the features have no coordinates."""
    scores: Mapping[str, NDArray[np.float64]]
    """(N,) by component: attention on each patch, divided by the mean over all patches of the patient."""
    labels: NDArray[np.int64] | None
    """(N,) cluster of each patch."""
    picture: Picture | None
    notes: tuple[str, ...]
    """What could not be shown, and why."""


@dataclass(frozen=True)
class Examples:
    """Example patches of a cluster, or by the attention of a component, in descending order."""

    label: str
    most: Sequence[NDArray[np.uint8]]
    least: Sequence[NDArray[np.uint8]]


def make_maps(
    rows: Sequence[ManifestRow], sheet: Mapping[str, Slide], explanation: Explanation, clusters: Clusters | None
) -> tuple[list[SlideMap], list[Examples]]:
    """Return the maps of a patient's slides, and example patches from all of them.

    Parameters
    ----------
    rows : sequence of ManifestRow
        Features of the slides, in the order of the bag.
    sheet : mapping
        Slides by identifier.
    explanation : Explanation
        The explanation of this patient.
    clusters : Clusters, optional
        The cohort's clusters, if the method reads them.
    """
    maps: list[SlideMap] = []
    typical: list[NDArray[np.float64]] = []
    start = 0
    scores, total = _scores(rows, explanation, clusters)
    for row in rows:
        stored = read_features(row)
        count = len(stored.features)
        here = {name: values[start : start + count] for name, values in scores.items()}
        start += count
        places, picture, notes = _locate(stored, sheet[row.slide_id])
        labels = clusters.labels[row.slide_id] if clusters is not None else None
        maps.append(SlideMap(row.slide_id, places, here, labels, picture, notes))
        typical.append(_closeness(stored.features, labels) if labels is not None else np.empty(count))
    assert start == total, "scores and features are of the same patches"
    try:
        return maps, _examples(maps, sheet, explanation, np.concatenate(typical))
    except SlideError as error:
        note = f"no patches can be shown: {error.line}"
        return [replace(maps[0], notes=(*maps[0].notes, note)), *maps[1:]], []


def _scores(
    rows: Sequence[ManifestRow], explanation: Explanation, clusters: Clusters | None
) -> tuple[dict[str, NDArray[np.float64]], int]:
    """Return the scores of all patches of a patient, and their number."""
    if clusters is None:
        total = len(next(iter(explanation.patches.values())))
        return {name: weights * total for name, weights in explanation.patches.items()}, total
    labels = np.concatenate([clusters.labels[row.slide_id] for row in rows])
    sizes = np.bincount(labels, minlength=clusters.centres.shape[1])
    # A cluster's share is divided among its patches.
    even = len(labels) / np.maximum(sizes, 1)
    return {name: (shares * even)[labels] for name, shares in explanation.clusters.items()}, len(labels)


def _closeness(features: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return minus the distance (N,) of each patch to the mean of its cluster on this slide."""
    close = np.empty(len(labels))
    for cluster in np.unique(labels):
        own = features[labels == cluster].astype(np.float64)
        close[labels == cluster] = -np.linalg.norm(own - own.mean(axis=0), axis=1)
    return close


def _locate(stored: Features, slide: Slide) -> tuple[Places | None, Picture | None, tuple[str, ...]]:
    """Return the places of a slide's patches, the slide at low power, and notes on what is missing."""
    if stored.coords is None or "patch_size_level0" not in stored.attributes:
        return None, None, (NO_PLACES,)
    # Imported features need no path; DICOM slides may be named by their folder.
    if not slide.path.name or not (slide.path.is_file() or slide.path.with_suffix("").is_dir()):
        return Places(stored.coords, stored.attributes, stored.sizes), None, (NO_SLIDE,)
    try:
        check_outlined(slide, str(stored.attributes.get("slide_fingerprint", "")))
        with open_slide(slide) as reader:
            # Features of other tools lack some of these attributes.
            width, height = reader.dimensions
            own = {"level0_width": width, "level0_height": height, "level0_mpp": reader.mpp}
            return Places(stored.coords, {**own, **stored.attributes}, stored.sizes), overview(reader), ()
    except (ChangedError, SlideError) as error:
        note = f"the slide cannot be shown: {error.line}"
        return Places(stored.coords, stored.attributes, stored.sizes), None, (note,)


def _examples(
    maps: Sequence[SlideMap], sheet: Mapping[str, Slide], explanation: Explanation, typical: NDArray[np.float64]
) -> list[Examples]:
    """Return examples of each cluster, or of each component's attention; none if slides cannot be read."""
    if any(slide.picture is None for slide in maps):
        return []
    wanted: list[tuple[str, NDArray[np.intp]]] = []
    if maps[0].labels is not None:
        labels = np.concatenate([slide.labels for slide in maps if slide.labels is not None])
        attention = np.mean(list(explanation.clusters.values()), axis=0)
        moved = explanation.attributions.groupby("name")["attribution"].sum()
        for cluster in np.argsort(-attention):
            name = f"cluster {cluster + 1}"
            members = np.flatnonzero(labels == cluster)
            order = members[np.argsort(-typical[members], kind="stable")]
            if len(order):
                count = "1 patch" if len(order) == 1 else f"{len(order)} patches"
                told = f"{name}\n{100 * attention[cluster]:.0f} %, {count}"
                change = f"\nrisk {moved[name]:+.4f}".replace("-", "\N{MINUS SIGN}") if name in moved else ""
                wanted.append((told + change, order))
    else:
        for name in maps[0].scores:
            values = np.concatenate([slide.scores[name] for slide in maps])
            wanted.append((name, np.argsort(-values, kind="stable")))
    ends = [(order[:MOST], order[MOST:][-LEAST:]) for _, order in wanted]
    pixels = _read(maps, sheet, np.unique(np.concatenate([part for pair in ends for part in pair])))
    return [
        Examples(label, [pixels[n] for n in most], [pixels[n] for n in least])
        for (label, _), (most, least) in zip(wanted, ends, strict=True)
    ]


def _read(
    maps: Sequence[SlideMap], sheet: Mapping[str, Slide], numbers: NDArray[np.intp]
) -> dict[int, NDArray[np.uint8]]:
    """Return the pixels of some patches by their numbers, which run through all slides of the patient."""
    found: dict[int, NDArray[np.uint8]] = {}
    start = 0
    for slide in maps:
        assert slide.places is not None, "slides with a picture have places"
        own = numbers[(numbers >= start) & (numbers < start + len(slide.places.coords))]
        if len(own):
            tiles = slide.places.tiles.only(own - start)
            with open_slide(sheet[slide.slide_id]) as reader:
                found |= {int(own[place]): image for place, image in _cut(reader, tiles)}
        start += len(slide.places.coords)
    return found


def _cut(reader: SlideReader, tiles: Tiles) -> list[tuple[int, NDArray[np.uint8]]]:
    return [
        (int(place), image)
        for group in patches(reader, tiles, min(EXAMPLE_PX, int(tiles.sides.min())))
        for place, image in zip(group.positions, group.pixels, strict=True)
    ]


def write_geojson(path: Path, slide: SlideMap) -> None:
    """Write the patches of a slide as QuPath tiles in level-0 px, with the scores as measurements.

    QuPath shows them as an overlay with `Measure > Show measurement maps`.
    """
    assert slide.places is not None, "only a slide with places has a file"
    places = slide.places
    width, height = places.extent
    features = []
    for number, ((x, y), side) in enumerate(zip(places.coords.tolist(), places.sides.tolist(), strict=True)):
        right, bottom = min(x + side, width), min(y + side, height)
        ring = [[x, y], [right, y], [right, bottom], [x, bottom], [x, y]]
        properties: dict[str, Any] = {
            "objectType": "tile",
            "measurements": {
                f"Attention {name}": float(f"{values[number]:.6g}") for name, values in slide.scores.items()
            },
        }
        if slide.labels is not None:
            properties["classification"] = {"name": f"Cluster {slide.labels[number] + 1}"}
        features.append(
            {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}
        )
    about = {"slide_id": slide.slide_id, "level0_width": width, "level0_height": height, "level0_mpp": places.mpp}
    write_text(path, json.dumps({"type": "FeatureCollection", "features": features, "ccl": about}) + "\n")
