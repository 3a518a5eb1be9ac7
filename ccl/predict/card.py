"""The description of a bundle, ``bundle.json``; it is read without torch, so that Snakemake can plan with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ccl.config.check import strictly
from ccl.config.keys import Name
from ccl.io.checksums import sha256
from ccl.io.errors import InputError
from ccl.io.files import digest, existing, read_json, write_json
from ccl.methods import get_method
from ccl.methods.declaration import Method
from ccl.wsi.encoders.published import departure

VERSION = 2
"""Version of bundles: raise it when the output of ``ccl bundle`` changes for the same input."""

FORMAT = 1
"""Format of the folder; a bundle of another format is refused."""

OPTIONAL = {"covariates", "training", "vector_columns"}
"""Entries that a bundle may lack."""

LARGEST = 1 << 20
"""Largest number of layers, neurons or columns that a network of a bundle may have."""

CARD, WEIGHTS = "bundle.json", "model.safetensors"


@dataclass(frozen=True)
class Card:
    """``bundle.json``."""

    model: Name
    method: str
    hyper: Mapping[str, Any]
    shape: Mapping[str, Any]
    """The sizes that the networks were built for: see :class:`ccl.data.batch.Shape`."""
    seeds: Sequence[int]
    folds: Sequence[Mapping[str, Any]]
    """``fold`` and its ``interval_edges`` (months)."""
    families: Mapping[str, Sequence[str]]
    """The columns of each gene family; families and columns are in order."""
    encoder: Name
    """Name of the encoder in the training config; ``none`` if no slides are read."""
    features_encoder: str
    """Name of the encoder in the files of features."""
    weights: str
    """Weights of the encoder, as in ``run.json``."""
    scales: Mapping[str, Sequence[float]]
    """``level0_mpp`` and ``target_mpp`` (um/px) of the training slides, as far as known."""
    distance_limit: float | None
    """The 99th percentile of the training patients' :meth:`ccl.predict.ranges.FeatureRange.distance`."""
    cut: float
    """A risk above it is high: the median of the training cohort's out-of-fold risks."""
    cohort: Name
    synthetic: bool
    n_patients: int
    """Number of training patients of all folds together."""
    n_events: int
    preprocessing: Mapping[str, Any]
    """Sections of the training config that made the inputs; empty if they were not given."""
    encoder_licence: str
    licence: str
    intended_use: str
    versions: Mapping[str, str]
    sha256: str
    """Digest of the file of weights."""

    covariates: Sequence[Mapping[str, Any]] = ()
    """Covariates of the training (:class:`ccl.io.covariates.Covariate`); the file omits the entry if there are none."""
    training: Mapping[str, Any] | None = None
    """What :mod:`ccl.predict.training` tells of the training; None in a bundle of an earlier version."""
    vector_columns: Sequence[str] = ()
    """Columns of the table of vectors; the file omits the entry if there was none."""

    @property
    def declared(self) -> Method:
        """The declaration of the method, with covariates if the bundle has any."""
        return get_method(self.method, clinical=bool(self.covariates))

    @property
    def reads(self) -> tuple[str, ...]:
        """What the model reads: see :class:`ccl.methods.declaration.Method`."""
        return self.declared.reads

    @property
    def reads_slides(self) -> bool:
        """Whether its method reads slides, as bags or as clusters."""
        return self.declared.reads_slides

    @property
    def incomplete(self) -> bool:
        """Whether it predicts patients who have slides or genes, but not both or not every omics table."""
        return bool(self.shape.get("tables"))

    @property
    def networks(self) -> int:
        """Number of networks."""
        return len(self.folds) * len(self.seeds)

    @property
    def caveats(self) -> list[str]:
        """Warnings that accompany every number that the bundle gives."""
        tile = {"also_mpp": (), **self.preprocessing.get("tile", {})}
        patches = ""
        if {"patch_size", "mpp"} <= tile.keys():
            patches = departure(self.features_encoder, tile["patch_size"], tile["mpp"], *tile["also_mpp"])
        return [
            *["trained on a synthetic cohort"] * self.synthetic,
            *["encoder with random weights"] * ("random" in self.weights),
            *[f"encoder reads {patches}"] * bool(patches),
        ]

    def write(self, folder: Path) -> None:
        """Write ``bundle.json``, with a key over all its entries."""
        entries = {"format": FORMAT, **asdict(self)}
        for name in OPTIONAL:
            if not entries[name]:
                del entries[name]
        write_json(folder / CARD, {**entries, "key": digest(entries)})


def read_card(folder: Path) -> Card:
    """Read ``bundle.json`` and check it by its key; the weights are for :func:`check_weights`.

    Raises
    ------
    InputError
        There is no such bundle, it is of another format, it was changed, or an entry is of another kind.
    """
    path = folder / CARD
    entries = read_json(existing(path))
    names = {"format", "key", *(item.name for item in fields(Card))}
    if not isinstance(entries, dict) or entries.get("format") != FORMAT or set(entries) | OPTIONAL != names:
        raise _misformed(path, f"format {entries.get('format')}" if isinstance(entries, dict) else "no JSON object")
    key = entries.pop("key")
    if key != digest(entries):
        raise _changed(path, str(key), digest(entries))
    try:
        card = strictly(Card, {name: value for name, value in entries.items() if name != "format"})
    except ValidationError as error:
        first = error.errors()[0]
        raise _misformed(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if too_large := _too_large([card.hyper, card.shape]):
        raise _misformed(path, f"a network with a size of {too_large}")
    if "clusters" in card.reads and not isinstance(card.shape.get("clusters"), int):
        raise _misformed(path, "shape: no number of clusters")
    return card


def _too_large(value: Any) -> int:
    """Return a whole number above :data:`LARGEST` in nested entries, or 0."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return next(filter(None, map(_too_large, value)), 0)
    return value if isinstance(value, int) and value > LARGEST else 0


def _misformed(path: Path, found: str) -> InputError:
    return InputError(
        "not a bundle that this version of ccl reads",
        where=str(path),
        found=found,
        expected=f"format {FORMAT}, with the entries that docs/formats.md lists",
        todo="make the bundle again with `ccl bundle`, or use the version of ccl that made it",
    )


def check_weights(folder: Path, card: Card) -> Path:
    """Return the file of weights, or raise :class:`InputError` if it is not the one that the card was written for."""
    path = existing(folder / WEIGHTS)
    if (found := sha256(path)) != card.sha256:
        raise _changed(path, card.sha256, found)
    return path


def _changed(path: Path, expected: str, found: str) -> InputError:
    return InputError(
        "the bundle was changed or damaged",
        where=str(path),
        found=f"sha256 {found}",
        expected=f"sha256 {expected}",
        todo="copy the whole folder again from its source",
    )
