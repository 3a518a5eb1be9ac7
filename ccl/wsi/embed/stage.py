"""The embed stage: passes the patches of a slide through the encoder, in batches that are read ahead."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ccl.config.keys import keys_of, recorded
from ccl.config.sections import EmbedSettings, Patches
from ccl.io.errors import SlideError
from ccl.io.files import digest
from ccl.io.formats import Features, ManifestRow, Tiles, stored_count
from ccl.io.progress import say
from ccl.io.shards import Job, SlideStage
from ccl.io.sheets import Slide
from ccl.wsi.embed import VERSION
from ccl.wsi.embed.ahead import Batch, ReadAhead
from ccl.wsi.embed.colours import target_key
from ccl.wsi.encoders import get_encoder
from ccl.wsi.encoders.build import PatchEncoder, build_encoder
from ccl.wsi.encoders.scale import scale_warning
from ccl.wsi.encoders.weights import weights_key
from ccl.wsi.reader.opening import check_outlined


@dataclass
class Meter:
    """Speed of the device, for the log."""

    patches: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    """Seconds in which the device waited for patches."""

    def __str__(self) -> str:
        """Return one line for the log."""
        share = self.waited / self.seconds if self.seconds else 0.0
        speed = self.patches / self.seconds if self.seconds else 0.0
        return f"{self.patches} patches, {speed:.1f} patches/s; the device waited {share:.0%} of the time"


@dataclass
class EmbedStage(SlideStage):
    """The ``embed`` stage of :func:`ccl.io.shards.run_shard`.

    The encoder is built before the first slide is read, and only if there is one to read.
    """

    out: Path
    settings: EmbedSettings
    batch_size: int
    """Patches per forward pass; permanently halved if they do not fit into the device's memory."""
    device: torch.device
    threads: int
    """Number of regions to decode at a time."""
    name: str = field(default="embed", init=False)
    meter: Meter = field(default_factory=Meter, init=False)
    _scale_checked: bool = field(default=False, init=False)

    @cached_property
    def weights(self) -> str:
        """``hub``, ``random`` or ``file:<sha256>``."""
        return weights_key(self.settings.weights, self.settings.sha256)

    @cached_property
    def patches(self) -> dict[str, str]:
        """How patches differ from the slide's pixels, for keys and labels; empty if they do not."""
        made = {name: value for name, value in recorded(self.settings).items() if name in keys_of(Patches)}
        return made | {"stain_target": target_key(self.settings)} if "stain" in made else made

    @cached_property
    def model(self) -> PatchEncoder:
        """The encoder on its device."""
        model = build_encoder(get_encoder(self.settings.encoder), self.settings.weights)
        if model.ignored:
            few = ", ".join(model.ignored[:3]) + (", ..." if len(model.ignored) > 3 else "")
            say(f"embed: {len(model.ignored)} weights of the file do not belong to {self.settings.encoder}: {few}")
        return model.to(self.device, memory_format=model.memory_format)  # type: ignore[call-overload, no-any-return]

    def output(self, slide: Slide) -> Path:
        """Return ``embed/{encoder}/{slide}.h5``."""
        return self.out / f"{slide.slide_id}.h5"

    def key(self, slide: Slide, upstream: ManifestRow | None) -> str:
        """Return the digest of the tiles, the encoder, its weights, the storage type and how patches are made."""
        assert upstream is not None, "embed follows tile"
        recipe = get_encoder(self.settings.encoder).recipe
        patches = [self.patches] if self.patches else []
        return digest("embed", VERSION, upstream.key, recipe, self.weights, self.settings.dtype, *patches)

    def facts(self) -> dict[str, Any]:
        """Return ``version`` and ``settings`` with the digest of the weights, for the record of the origin."""
        return {"version": VERSION, "settings": {**recorded(self.settings), "weights": self.weights}}

    def stored(self, slide: Slide) -> tuple[str, int] | None:
        """Return the key and the number of patches of a finished file."""
        return stored_count(self.output(slide), "features")

    @contextmanager
    def session(self, jobs: Sequence[Job]) -> Iterator[None]:
        """Build the encoder and read the patches of `jobs` ahead; log the speed at the end."""
        if not jobs:
            yield
            return
        _ = self.model
        pin = self.device.type == "cuda"
        self._ahead = ReadAhead(jobs, batch_size=self.batch_size, threads=self.threads, pin=pin, patches=self.settings)
        try:
            yield
        finally:
            self._ahead.stop()
            say(f"embed: {self.meter}")

    def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
        """Embed the slide's patches and write them.

        Raises
        ------
        SlideError
            The slide cannot be read, or the encoder gave values that are not finite.
        ChangedError
            The slide is not the one that was outlined.
        """
        assert upstream is not None, "embed follows tile"
        tiles = Tiles.read(upstream.path, key=upstream.key)
        self._check_scale(tiles)
        features = self._features(slide, len(tiles.coords))
        check_outlined(slide, str(tiles.attributes.get("slide_fingerprint", "")))  # nor was it replaced meanwhile
        if not np.isfinite(features).all():
            raise SlideError(
                "the encoder gave values that are not finite",
                where=f"slide {slide.slide_id}, encoder {self.settings.encoder}",
                todo="check the weights; with `dtype: float16` values above 65,504 overflow",
            )
        attributes = {**tiles.attributes, **self.patches}
        Features(features, tiles.coords, self.settings.encoder, self.weights, attributes, sizes=tiles.sizes).write(
            self.output(slide), key
        )
        return len(features)

    def _check_scale(self, tiles: Tiles) -> None:
        """Warn once if patches differ clearly from those that the encoder was trained on."""
        if not self._scale_checked:
            self._scale_checked = True
            encoder = get_encoder(self.settings.encoder)
            warning = scale_warning(encoder, tiles.attributes["patch_size"], tiles.attributes["target_mpp"])
            if warning:
                say(f"embed: {warning}")

    def _features(self, slide: Slide, count: int) -> NDArray[np.floating]:
        """Return the features (N, D) of the slide's `count` patches, and update the meter."""
        features = np.empty((count, get_encoder(self.settings.encoder).dim), self.settings.dtype)
        asked = time.perf_counter()
        for batch in self._ahead.batches(slide):
            came = time.perf_counter()
            features[batch.positions] = self._embed(batch)
            done = time.perf_counter()
            self.meter.patches += len(batch.positions)
            self.meter.waited += came - asked
            self.meter.seconds += done - asked
            asked = done
        return features

    @torch.inference_mode()
    def _embed(self, batch: Batch) -> NDArray[np.floating]:
        """Return the features (B, D) of a batch, in as many passes as the device's memory requires."""
        parts: list[Tensor] = []
        start = 0
        while start < len(batch.pixels):
            patches = batch.pixels[start : start + self.batch_size]
            try:
                # As bytes and channels last, as they were decoded; the encoder normalises them on the device.
                parts.append(self.model(patches.to(self.device, non_blocking=True).permute(0, 3, 1, 2)).cpu())
            except torch.OutOfMemoryError:
                if len(patches) == 1:
                    raise
                self.batch_size = len(patches) // 2
                torch.cuda.empty_cache()
                say(f"embed: the device's memory is full; batches of {self.batch_size} patches from now on")
                continue
            start += len(patches)
        embedded: NDArray[np.float32] = torch.cat(parts).numpy()
        return embedded.astype(self.settings.dtype)
