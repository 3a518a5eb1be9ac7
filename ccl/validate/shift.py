"""How the patients of the new cohort differ from those of the training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ccl.data.tables import kind_of
from ccl.io.bags import read_members
from ccl.io.covariates import Clinical
from ccl.io.files import number_or_none
from ccl.predict.card import Card
from ccl.predict.ensemble import Bundle
from ccl.predict.expression import GeneSummary
from ccl.predict.patients import Patients, mean_patches
from ccl.predict.ranges import SAME_SCALE
from ccl.predict.training import describe_covariates, describe_distances, describe_slides

LARGE = 0.2
"""A standardised difference above this is told (Austin, Statistics in Medicine 2009: 0.1 is small)."""

MOST = 10
"""Genes that a reader is shown."""

COLUMNS = ["kind", "name", "internal", "external", "difference"]

CHANNELS = ("red", "green", "blue")


def standardised_difference(internal: Mapping[str, Any], external: Mapping[str, Any]) -> float | None:
    """Return the standardised difference of a covariate between training and new patients.

    Of a numeric covariate it is the difference of means (new minus training) by the root mean square of the deviations.
    Of levels it is the Mahalanobis distance of their shares, without sign (Yang and Dalton, SAS Global Forum 2012).

    Parameters
    ----------
    internal, external : mapping
        As :func:`ccl.predict.training.describe_covariates` returns them.

    Returns
    -------
    float or None
        None if a side has no value.
    """
    if not internal["n"] or not external["n"]:
        return None
    if internal["kind"] == "numeric":
        spread = float(np.sqrt((internal["sd"] ** 2 + external["sd"] ** 2) / 2))
        difference = external["mean"] - internal["mean"]
        return difference / spread if spread else (0.0 if difference == 0 else None)
    first, second = (np.array(list(side["levels"].values())) / side["n"] for side in (internal, external))
    gap = (second - first)[1:]
    spreads = [np.diag(share[1:]) - np.outer(share[1:], share[1:]) for share in (first, second)]
    return float(np.sqrt(max(gap @ np.linalg.pinv(sum(spreads) / 2) @ gap, 0.0)))


def compare_covariates(
    known: Sequence[Mapping[str, Any]] | None, clinical: Clinical | None, patients: Sequence[str]
) -> list[dict[str, Any]] | None:
    """Return each covariate that training or new patients have, in numbers, with the standardised difference.

    ``reason`` says why there is no difference; None altogether if neither side has covariates.
    """
    if known is None or clinical is None:
        return None
    inside = {own["name"]: own for own in known}
    outside = {own["name"]: own for own in describe_covariates(clinical, patients)}
    rows = []
    for name in dict.fromkeys((*inside, *outside)):
        internal, external = inside.get(name), outside.get(name)
        row = {"name": name, "internal": internal, "external": external, "difference": None, "reason": None}
        if internal is None or external is None:
            row["reason"] = f"only {'the new' if internal is None else 'the training'} cohort has it"
        elif _coding(internal) != _coding(external):
            row["reason"] = f"coded otherwise: {_coding(internal)} in training, {_coding(external)} here"
        else:
            row["difference"] = standardised_difference(internal, external)
        rows.append(row)
    return rows


def _coding(facts: Mapping[str, Any]) -> str:
    return str(facts["kind"]) + (f" ({', '.join(facts['levels'])})" if "levels" in facts else "")


def compare_genes(bundle: Bundle, patients: Patients) -> pd.DataFrame | None:
    """Return a row for each gene column of the bundle, with its values as they are in the new tables.

    Returns
    -------
    DataFrame
        ``name``, ``internal`` and ``external`` (means), ``difference`` (of means, in standard deviations of
        the training), ``spread`` (deviation here by that of the training), ``missing`` (share of the patients); None if
        the bundle reads no genes or does not record its training.
    """
    if not bundle.trained_genes:
        return None
    parts = []
    for columns, values, trained in zip(
        bundle.card.families.values(), patients.genomics, bundle.trained_genes, strict=True
    ):
        own = GeneSummary.fit(values)
        difference = (own.scaler.mean - trained.scaler.mean) / trained.scaler.scale
        parts.append(
            pd.DataFrame(
                {
                    "name": list(columns),
                    "internal": trained.scaler.mean,
                    "external": own.scaler.mean,
                    "difference": difference,
                    "spread": own.scaler.scale / trained.scaler.scale,
                    "missing": np.isnan(values).mean(axis=0),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def summarise_genes(genes: pd.DataFrame | None) -> dict[str, Any] | None:
    """Return for each kind of omics how far its columns lie from the training, and the columns that lie farthest."""
    if genes is None:
        return None
    once = genes.drop_duplicates("name")
    kinds = [
        {
            "kind": str(kind),
            "columns": len(rows),
            "absent": int((rows["missing"] == 1).sum()),
            "median_difference": number_or_none(rows["difference"].abs().median()),
            "large": float((rows["difference"].abs() > LARGE).mean()),
            "median_spread": number_or_none(rows["spread"].median()),
        }
        for kind, rows in once.groupby(once["name"].map(kind_of), sort=False)
    ]
    order = once["difference"].abs().sort_values(ascending=False, kind="stable").dropna().index[:MOST]
    names = ["name", "internal", "external", "difference", "spread"]
    return {"kinds": kinds, "farthest": once.loc[order, names].to_dict("records")}


def compare_features(bundle: Bundle, patients: Patients) -> dict[str, Any] | None:
    """Return how far the new patients' mean patches lie from those of the training, in its standard deviations.

    Returns
    -------
    dict
        ``n``, ``median`` and ``internal_median`` (distances of patients from the training mean), ``limit`` (99 % of the
        training patients lie within), ``beyond`` (share of the new patients outside), ``centre`` (distance of the new
        patients' mean); None if the model reads no slides.
    """
    names = np.array(patients.names)
    if bundle.features is None:
        return None
    names = names[patients.tables.with_slides(patients.names)]
    if not len(names):
        return None
    means = mean_patches(patients.tables, names.tolist())
    distances = bundle.features.distance(means)
    known = (bundle.card.training or {}).get("distances")
    return {
        "n": len(names),
        "median": float(np.median(distances)),
        "internal_median": known and known["quantiles"][len(known["quantiles"]) // 2],
        "limit": bundle.features.limit,
        "beyond": float((distances > bundle.features.limit).mean()),
        "centre": float(bundle.features.distance(np.nanmean(means, axis=0, keepdims=True))[0]),
        "quantiles": describe_distances(distances)["quantiles"],
    }


def compare_slides(
    card: Card, slides: Path | None, manifests: Sequence[Path], tissue: Sequence[Path], patients: Sequence[str]
) -> dict[str, Any] | None:
    """Return scale and colour of the slides: ``internal`` (None if not recorded), ``external`` and ``other_scale``.

    ``other_scale`` is the share of the new slides whose level-0 scale no training slide has.  None without slides.
    """
    if slides is None:
        return None
    bags = read_members(slides, manifests).bags
    own = describe_slides([row for name in patients for row in bags.get(name, ())], tissue)
    known = [float(scale) for scale in card.scales.get("level0_mpp", ())]
    here = {float(scale): count for scale, count in own["scales"]["level0_mpp"].items()}
    strange = sum(n for x, n in here.items() if not any(abs(x / y - 1) <= SAME_SCALE for y in known))
    return {
        "internal": (card.training or {}).get("slides"),
        "external": own,
        "other_scale": strange / sum(here.values()) if here and known else None,
    }


def shift_table(facts: Mapping[str, Any], genes: pd.DataFrame | None) -> pd.DataFrame:
    """Return all numbers in which the two cohorts can be compared, a row for each (``shift.csv``)."""
    rows = pd.DataFrame(list(_rows(facts)), columns=COLUMNS)
    if genes is None:
        return rows
    of_genes = genes[["name", "internal", "external", "difference"]].assign(kind="gene")
    return pd.concat([part for part in (rows, of_genes[COLUMNS]) if len(part)], ignore_index=True)


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for row in facts["covariates"] or ():
        sides = [side and side.get("mean") for side in (row["internal"], row["external"])]
        yield "covariate", row["name"], *sides, row["difference"]
    if slides := facts["slides"]:
        colours = [side and side["colour"] for side in (slides["internal"], slides["external"])]
        if all(colours):
            for place, channel in enumerate(CHANNELS):
                inside, outside = (side["mean"][place] for side in colours)
                spread = np.hypot(*(side["sd"][place] for side in colours)) / np.sqrt(2)
                yield "colour", channel, inside, outside, (outside - inside) / spread if spread else None
    if features := facts["features"]:
        yield "features", "median distance", features["internal_median"], features["median"], None
