"""The bundles that cohorts are predicted with, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ccl.config import sections
from ccl.config.keys import default_of, keys_of
from ccl.io.errors import ConfigError
from ccl.plan.cohorts import Cohort
from ccl.predict.card import Card, read_card

FREE = {"tissue": set(keys_of(sections.TissueSettings)), "cluster": {"k"}}
"""Keys that may differ from the bundle's: other slides may need other tissue settings, and the bundle has its own k."""


def bundle_folder(cohort: Cohort, bundle: str) -> Path:
    """Return the folder of a bundle."""
    assert cohort.entry.predict_with is not None
    return Path(cohort.config.path(cohort.entry.predict_with[bundle]))


def read_cards(cohorts: Mapping[str, Cohort], values: Mapping[str, Any]) -> dict[tuple[str, str], Card]:
    """Return the card of each bundle, by cohort and the bundle's name.

    Raises
    ------
    InputError
        A bundle is missing or was changed.
    ConfigError
        A bundle needs data that a cohort does not have, or its slides or omics were prepared differently.
    """
    cards: dict[tuple[str, str], Card] = {}
    for name, cohort in cohorts.items():
        for bundle in cohort.entry.predict_with or {}:
            card = read_card(bundle_folder(cohort, bundle))
            _check_card(card, cohort, values, place=f"cohorts: {name}: predict_with: {bundle}")
            cards[name, bundle] = card
    return cards


def _check_card(card: Card, cohort: Cohort, values: Mapping[str, Any], *, place: str) -> None:
    lacking = cohort.lacks(card.declared)
    enough = card.incomplete and "clinical" not in lacking and not {"slides", "omics"} <= set(lacking)
    if lacking and not enough:
        raise ConfigError(
            "a bundle needs data that a cohort does not have",
            where=f"config, {place}",
            found=f"no {' and no '.join(lacking)}",
            expected=f"what {card.method} reads",
            todo=f"give {cohort.name} the data, or remove the bundle",
        )
    _check_transforms(card, cohort, place=place)
    if not card.reads_slides or "slides" in lacking:
        return
    if card.encoder not in cohort.encoders:
        raise ConfigError(
            "a bundle was trained with another encoder",
            where=f"config, {place}",
            found=", ".join(cohort.encoders),
            expected=card.encoder,
            todo="name it in `embed: encoders`, or in the cohort's `features`",
        )
    for section, key, here, there in _differences(card, cohort, values):
        raise ConfigError(
            "the config prepares slides differently from those that a bundle was trained on",
            where=f"config, {section}: {key}, and {place}",
            found=str(here),
            expected=str(there),
            todo=f"set `{section}: {key}: {there}`",
        )
    if cohort.entry.features is None:
        _check_weights_kind(card, cohort, place=place)


def _check_transforms(card: Card, cohort: Cohort, *, place: str) -> None:
    """Raise ConfigError if the values of a public download are changed otherwise than those of the training cohort."""
    there = card.preprocessing.get("from", {})
    for kind, here in cohort.transforms.items():
        for key, value in here.items():
            if kind in there and value != there[kind].get(key, value):
                raise ConfigError(
                    "omics are transformed differently from those that a bundle was trained on",
                    where=f"config, cohorts: {cohort.name}: from: {kind}: {key}, and {place}",
                    found=str(value),
                    expected=str(there[kind][key]),
                    todo=f"set `{kind}: {key}: {there[kind][key]}`",
                )


def _differences(card: Card, cohort: Cohort, values: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield the keys that prepare slides differently from the bundle's: section, key, value here and in the bundle.

    A key that did not exist when the bundle was made counts as its default.
    """
    for section in cohort.prepared_by(card.declared):
        if section not in card.preprocessing:
            continue
        for key, info in keys_of(type(getattr(cohort.config, section))).items():
            here, there = (made.get(key, default_of(info)) for made in (values[section], card.preprocessing[section]))
            if key not in FREE.get(section, ()) and here != there:
                yield section, key, here, there
    if "tile" in card.preprocessing and cohort.entry.features is None:
        for key, info in keys_of(sections.Patches).items():
            here, there = values["embed"][key], card.preprocessing.get("embed", {}).get(key, default_of(info))
            if here != there:
                yield "embed", key, here, there


def _check_weights_kind(card: Card, cohort: Cohort, *, place: str) -> None:
    """Raise ConfigError if the source of the weights differs from the bundle's; the stage compares their hash."""
    weights = cohort.config.embed.encoders[card.encoder].weights
    kind = weights if weights in sections.NO_FILE else "file"
    if kind not in [each.split(":")[0] for each in card.weights.split(", ")]:
        raise ConfigError(
            "a bundle was trained with other weights of the encoder",
            where=f"config, embed: encoders: {card.encoder}: weights, and {place}",
            found=weights,
            expected=card.weights,
            todo="name the weights that the bundle was trained with",
        )
