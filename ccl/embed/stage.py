"""The embed stage: patches of a slide through the encoder, in batches."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ccl.embed import VERSION, EmbedSettings
from ccl.encoders import get_encoder
from ccl.encoders.build import PatchEncoder, build_encoder, weights_key
from ccl.errors import SlideError
from ccl.files import digest
from ccl.formats import Features, ManifestRow, Slide, Tiles, stored_key
from ccl.slides.patches import patches
from ccl.slides.reader import open_slide


@dataclass(frozen=True)
class EmbedStage:
    """The ``embed`` stage of :func:`ccl.shards.run_shard`; the encoder is built when the first slide needs it."""

    out: Path
    settings: EmbedSettings
    batch_size: int
    device: torch.device
    name: str = field(default="embed", init=False)

    @cached_property
    def weights(self) -> str:
        """``hub``, ``random`` or ``file:<sha256>``."""
        return weights_key(self.settings.weights, self.settings.sha256)

    @cached_property
    def model(self) -> PatchEncoder:
        """The encoder on its device."""
        model = build_encoder(get_encoder(self.settings.encoder), self.settings.weights)
        return model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def output(self, slide: Slide) -> Path:
        """Return ``embed/{encoder}/{slide}.h5``."""
        return self.out / f"{slide.slide_id}.h5"

    def key(self, slide: Slide, upstream: ManifestRow | None) -> str:
        """Return the digest of the tiles, the encoder, its weights and the storage type."""
        assert upstream is not None, "embed follows tile"
        return digest(
            "embed", VERSION, upstream.key, vars(get_encoder(self.settings.encoder)), self.weights, self.settings.dtype
        )

    def stored(self, slide: Slide) -> tuple[str, int] | None:
        """Return the key and the number of patches of a finished file."""
        path = self.output(slide)
        key = stored_key(path)
        if key is None:
            return None
        with h5py.File(path, "r") as file:
            return key, int(file["features"].shape[0])

    def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
        """Embed the slide's patches and write them."""
        assert upstream is not None, "embed follows tile"
        tiles = Tiles.read(upstream.path)
        with open_slide(slide) as reader:
            stream = patches(reader, tiles, size_px=int(tiles.attributes["patch_size"]))
            batches = []
            while batch := list(itertools.islice(stream, self.batch_size)):
                batches.append(self._embed(batch))
        features = np.concatenate(batches)
        if not np.isfinite(features).all():
            raise SlideError(
                "the encoder gave values that are not finite",
                where=f"slide {slide.slide_id}, encoder {self.settings.encoder}",
                todo="check the weights; with `dtype: float16` values above 65,504 overflow",
            )
        Features(features, tiles.coords, self.settings.encoder, self.weights, tiles.attributes).write(
            self.output(slide), key
        )
        return len(features)

    @torch.inference_mode()
    def _embed(self, batch: list[NDArray[np.uint8]]) -> NDArray[np.floating]:
        stacked: Tensor = torch.from_numpy(np.stack(batch)).to(self.device).permute(0, 3, 1, 2)
        embedded: NDArray[np.float32] = self.model(stacked).cpu().numpy()
        return embedded.astype(self.settings.dtype)
