"""The colours of patches: from the scanner's colour space to sRGB, and from a slide's stains to those of a target."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from ccl.config.sections import PUBLISHED, Patches
from ccl.io.checksums import sha256
from ccl.io.errors import ConfigError, SlideError
from ccl.wsi.embed.stains import NORMALISERS, Normaliser, Pixels, Recolour
from ccl.wsi.reader.patches import PatchCutter
from ccl.wsi.reader.protocol import SlideReader

SAMPLE = 64
"""Patches of a slide, spread evenly over it, on which its stains are fitted."""

MOST_PX = 4096 * 4096
"""A larger picture is no target but a slide."""


def target_key(settings: Patches) -> str:
    """Return the identity of the target of stain normalisation: ``published`` or ``file:<sha256>``.

    Raises
    ------
    ConfigError
        There is no such file.
    """
    if settings.stain_target == PUBLISHED:
        return PUBLISHED
    try:
        return f"file:{sha256(Path(settings.stain_target))}"
    except OSError as error:
        raise _bad_target(settings.stain_target, error.strerror or str(error)) from error


def normaliser(settings: Patches) -> Normaliser | None:
    """Return what fits the stains of slides, or None if they are left as they are.

    Raises
    ------
    ConfigError
        The target cannot be read, or shows no stained tissue.
    """
    if settings.stain == "none":
        return None
    try:
        return NORMALISERS[settings.stain](_target(settings.stain_target))
    except SlideError as error:
        raise _bad_target(settings.stain_target, error.found) from error


def colour(cutter: PatchCutter, stains: Normaliser | None, *, srgb: bool) -> None:
    """Make `cutter` convert the colours of its patches.

    Parameters
    ----------
    cutter : PatchCutter
        An open slide and its patches.
    stains : Normaliser or None
        Fits the slide's stains, on a sample of its patches in sRGB.
    srgb : bool
        Whether the slide's colour profile is used.

    Raises
    ------
    SlideError
        A patch cannot be read, the profile does not fit, or the slide has too little stained tissue.
    """
    steps = _to_srgb(cutter.reader) if srgb else []
    if steps or stains:
        cutter.recolour = partial(_each, steps)
    if stains is not None:
        try:
            steps.append(stains(_sample(cutter)))
        except SlideError as error:
            error.where = error.where or f"slide {cutter.reader.slide_id}"
            raise


def _each(steps: Sequence[Recolour], pixels: Pixels) -> Pixels:
    for step in steps:
        pixels = step(pixels)
    return pixels


def _to_srgb(reader: SlideReader) -> list[Recolour]:
    """Return the map of a slide's colour profile to sRGB, or nothing if it has none."""
    try:
        if (profile := reader.profile) is None:
            return []
        # Without its cache, one transform serves several threads.
        transform = ImageCms.buildTransform(
            profile, ImageCms.createProfile("sRGB"), "RGB", "RGB", flags=ImageCms.Flags.NOCACHE
        )
    except ImageCms.PyCMSError as error:
        raise SlideError(
            "the slide's colour profile cannot be used",
            where=f"slide {reader.slide_id}",
            found=str(error),
            expected="an ICC profile of RGB",
            todo="leave the slide out, or set `embed: profile: ignore`",
        ) from error
    return [lambda pixels: np.asarray(ImageCms.applyTransform(Image.fromarray(pixels), transform))]


def _sample(cutter: PatchCutter) -> Pixels:
    """Return some patches, spread evenly over the slide, one below the other."""
    members = np.sort(np.concatenate(cutter.regions)) if cutter.regions else np.empty(0, np.intp)
    chosen = members[np.unique(np.linspace(0, members.size - 1, min(SAMPLE, members.size)).astype(int))]
    sample = np.empty((len(chosen), cutter.size_px, cutter.size_px, 3), np.uint8)
    for position, patch in zip(chosen, sample, strict=True):
        cutter.cut(np.array([position]), [patch])
    return sample.reshape(-1, cutter.size_px, 3)


def _target(path: str) -> Pixels | None:
    """Return the picture at a path, or None for the published target."""
    if path == PUBLISHED:
        return None
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PX:
                raise _bad_target(path, f"{image.width} x {image.height} px, a whole slide")
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _bad_target(path, str(error)) from error


def _bad_target(path: str, found: str) -> ConfigError:
    return ConfigError(
        "the target of stain normalisation cannot be used",
        where=path,
        found=found,
        expected="a PNG, JPEG or TIFF of stained tissue, cut from a slide, of at most 16 million pixels",
        todo="correct `embed: stain_target`, or leave it out for the published target",
    )
