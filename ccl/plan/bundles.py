"""The bundles that cohorts are predicted with, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccl.config import cohort_sections, sections
from ccl.config.keys import default_of, keys_of
from ccl.io.errors import ConfigError
from ccl.methods.declaration import Method
from ccl.plan.cohorts import Cohort
from ccl.plan.models import Run
from ccl.plan.tilings import DEFAULT, Tilings
from ccl.predict.card import Card, read_card

if TYPE_CHECKING:
    from ccl.plan.plan import Plan

FREE = {"tissue": set(keys_of(sections.TissueSettings)), "tile": {"artefact_weights"}, "cluster": {"k"}}
"""Keys that may differ from the bundle's: other slides may need other tissue settings, and the bundle has its own k."""


@dataclass(frozen=True)
class Bundle:
    """A bundle as far as the plan knows it; one of a model of the same config does not exist yet."""

    folder: Path
    method: Method
    encoder: str
    clusters: int | None
    """Clusters of each patient that it reads."""
    incomplete: bool
    """Whether it predicts patients who have slides or genes, but not both."""
    card: Card | None = None
    """Its ``bundle.json``; None for a bundle that this config makes."""

    @classmethod
    def of_card(cls, folder: Path, card: Card) -> Bundle:
        """Return a bundle that exists."""
        return cls(folder, card.declared, card.encoder, card.shape.get("clusters"), card.incomplete, card)


def read_bundles(plan: Plan) -> dict[tuple[str, str], Bundle]:
    """Return each bundle that a cohort is predicted with, by cohort and the bundle's name.

    Raises
    ------
    InputError
        A bundle is missing or was changed.
    ConfigError
        A bundle needs data that a cohort does not have, its slides or omics were prepared differently, or no such model
        is trained.
    """
    found: dict[tuple[str, str], Bundle] = {}
    for name, cohort in plan.cohorts.items():
        for given, source in (cohort.entry.predict_with or {}).items():
            place = f"cohorts: {name}: predict_with: {given}"
            if isinstance(source, cohort_sections.TrainedHere):
                bundle = _trained_here(plan, source, place=place)
            else:
                folder = Path(cohort.config.path(source))
                bundle = Bundle.of_card(folder, read_card(folder))
            _check_data(bundle, cohort, place=place)
            if bundle.card is not None:
                _check_card(bundle.card, cohort, plan.values, plan.tilings, place=place)
            found[name, given] = bundle
    return found


def _trained_here(plan: Plan, source: cohort_sections.TrainedHere, *, place: str) -> Bundle:
    """Return the bundle that the rule ``bundle_model`` will make."""
    run = Run(source.cohort, source.encoder, source.model)
    if run not in plan.runs:
        raise ConfigError(
            "no such model is trained by this config",
            where=f"config, {place}",
            found=f"cohort {run.cohort}, model {run.model}, encoder {run.encoder}",
            expected="; ".join(f"cohort {c}, model {m}, encoder {e}" for c, e, m in plan.runs) or "`models` to train",
            todo="name one of them, or the folder of a bundle",
        )
    model = plan.models[run.model]
    folder = Path(plan.config.results) / run.cohort / "bundle" / run.encoder / run.model
    clusters = model.k if "clusters" in model.reads else None
    return Bundle(folder, model.method, run.encoder, clusters, plan.config.train.incomplete == "keep")


def _check_data(bundle: Bundle, cohort: Cohort, *, place: str) -> None:
    lacking = cohort.lacks(bundle.method)
    enough = bundle.incomplete and "clinical" not in lacking and not {"slides", "omics"} <= set(lacking)
    if lacking and not enough:
        raise ConfigError(
            "a bundle needs data that a cohort does not have",
            where=f"config, {place}",
            found=f"no {' and no '.join(lacking)}",
            expected=f"what {bundle.method.name} reads",
            todo=f"give {cohort.name} the data, or remove the bundle",
        )
    known, read = cohort.features_for(bundle.method), "vectors" if "vectors" in bundle.method.reads else "slides"
    if read not in lacking and bundle.encoder not in known:
        raise ConfigError(
            "a bundle was trained with another encoder",
            where=f"config, {place}",
            found=", ".join(known),
            expected=bundle.encoder,
            todo="name it in the cohort's `vectors`"
            if read == "vectors"
            else "name it in `embed: encoders`, or in the cohort's `features`",
        )


def _check_card(card: Card, cohort: Cohort, values: Mapping[str, Any], tilings: Tilings, *, place: str) -> None:
    _check_transforms(card, cohort, place=place)
    if {"slides", "vectors"} & set(cohort.lacks(card.declared)):
        return
    for section, key, here, there in _differences(card, cohort, values, tilings):
        raise ConfigError(
            "the config prepares slides differently from those that a bundle was trained on",
            where=f"config, {section}: {key}, and {place}",
            found=str(here),
            expected=str(there),
            todo=f"set `{section}: {key}: {there}`",
        )
    if card.reads_slides and cohort.entry.features is None:
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


def _differences(
    card: Card, cohort: Cohort, values: Mapping[str, Any], tilings: Tilings
) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield the keys that prepare slides differently from the bundle's: section, key, value here and in the bundle.

    A key that did not exist when the bundle was made counts as its default.
    """
    for section in cohort.prepared_by(card.declared):
        if section not in card.preprocessing:
            continue
        own, place, cls = values[section], section, type(getattr(cohort.config, section))
        if section == DEFAULT:
            tiling = tilings.of[card.encoder]
            own, place, cls = tiling.values, tiling.section, sections.TileSettings
        for key, info in keys_of(cls).items():
            here, there = (found.get(key, default_of(info)) for found in (own, card.preprocessing[section]))
            if key not in FREE.get(section, ()) and _listed(here) != _listed(there):
                yield place, key, here, there
    if "tile" in card.preprocessing and cohort.entry.features is None:
        for key, info in keys_of(sections.Patches).items():
            here, there = values["embed"][key], card.preprocessing.get("embed", {}).get(key, default_of(info))
            if here != there:
                yield "embed", key, here, there


def _listed(value: Any) -> Any:
    """Return a list for a tuple, as JSON does."""
    return list(value) if isinstance(value, tuple) else value


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
