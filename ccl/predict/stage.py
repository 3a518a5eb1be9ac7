"""The predict stage: computes the risks of new patients with a bundle."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ccl import __version__
from ccl.config.sections import PredictSettings
from ccl.data.patients import read_patients
from ccl.evaluate import MONTHS
from ccl.io.bags import read_members
from ccl.io.covariates import coded_files
from ccl.io.devices import pick_device
from ccl.io.files import write_json, write_table
from ccl.io.origin import record
from ccl.methods.interface import risk, survival
from ccl.predict import VERSION
from ccl.predict.card import CARD, WEIGHTS
from ccl.predict.ensemble import Bundle, load_bundle, mean_survival
from ccl.predict.patients import Patients, match_patients, mean_patches, on_training_scale, read_new
from ccl.predict.ranges import WARN_ABOVE, other_scales


def predict_patients(
    *,
    bundle: Path,
    out: Path,
    genomics: Path | None = None,
    clusters: Path | None = None,
    clinical: Path | None = None,
    vectors: Path | None = None,
    slides: Path | None = None,
    manifests: Sequence[Path] = (),
    settings: PredictSettings,
    device: str,
    threads: int,
) -> None:
    """Write ``risk.csv``, ``survival.csv``, ``left_out.csv`` and ``predict.json`` as docs/formats.md describes them.

    Parameters
    ----------
    bundle : Path
        Folder that :func:`ccl.predict.bundle.make_bundle` wrote.
    genomics, clusters, clinical, vectors, slides, manifests
        Files of earlier stages, as far as the method reads them.  With slides and manifests, the scales of the slides
        are compared with those of the training slides, even if the method reads no slides.

    Raises
    ------
    InputError
        The bundle was changed, or the features, genes or covariates are of another kind than in training.
    ConfigError
        A file that the method reads is not given, a month is not above 0, or expression cannot be brought to the scale
        of the training.
    ModelError
        No patient has what the method reads.
    """
    torch.set_num_threads(threads)
    torch_device = pick_device(device)
    loaded = load_bundle(bundle, torch_device)
    card = loaded.card
    tables = read_new(
        card,
        genomics=genomics,
        clusters=clusters,
        slides=slides,
        manifests=manifests,
        clinical=clinical,
        vectors=vectors,
    )
    patients = on_training_scale(match_patients(tables, card), loaded.trained_genes, settings.expression)
    logits = loaded.logits(read_patients(patients.tables, patients.names, device=torch_device))
    risks = risk(logits).double().numpy()
    months = settings.months or _usual_months(loaded)
    functions, edges = survival(logits).double().numpy(), [network.edges for network in loaded.networks]
    curve = mean_survival(functions, edges, months)
    corners = loaded.corners.tolist()
    whole = pd.DataFrame(mean_survival(functions, edges, corners), columns=[f"{month:.10g}" for month in corners])
    slides_of = read_members(slides, manifests).bags if slides else {}
    lacking = [patients.lacking.get(name, "") for name in patients.names]
    found = (
        [[f"{lacks}: predicted without"] * bool(lacks) for lacks in lacking],
        _gene_warnings(loaded, patients),
        _covariate_warnings(patients),
        _feature_warnings(loaded, patients),
        [other_scales(slides_of.get(name, ()), card.scales) for name in patients.names],
    )
    warnings = [[*card.caveats, *chain(*own)] for own in zip(*found, strict=True)]
    table = pd.DataFrame({"patient_id": patients.names, "risk": risks.mean(axis=0)})
    # One network has no spread; zero would look like certainty.
    table["spread"] = risks.std(axis=0) if len(risks) > 1 else np.nan
    for month, values in zip(months, curve.T, strict=True):
        table[f"survival_{month:g}"] = values
    table["group"] = np.where(table["risk"] > card.cut, "high", "low")
    if card.incomplete:
        table["lacks"] = lacking
    table["warnings"] = ["; ".join(each) for each in warnings]
    write_table(out / "risk.csv", table, checksum=True)
    whole.insert(0, "patient_id", patients.names)
    write_table(out / "survival.csv", whole, checksum=True)
    write_table(
        out / "left_out.csv",
        pd.DataFrame(list(patients.left_out.items()), columns=["patient_id", "reason"]),
        checksum=True,
    )
    write_json(
        out / "predict.json",
        {
            **{name: getattr(card, name) for name in ("model", "method", "cohort", "encoder", "weights", "synthetic")},
            "bundle_sha256": card.sha256,
            "networks": card.networks,
            "cut": card.cut,
            "n_patients": len(patients.names),
            "n_left_out": len(patients.left_out),
            **({"n_incomplete": len(patients.lacking)} if card.incomplete else {}),
            "absent_columns": list(patients.absent),
            "expression": settings.expression,
            "intended_use": card.intended_use,
            "versions": {"ccl": __version__, "bundle": card.versions["ccl"]},
        },
        checksum=True,
    )
    record(
        "predict",
        VERSION,
        outputs=[out / name for name in ("risk.csv", "left_out.csv", "predict.json")],
        inputs={
            "bundle": [bundle / CARD, bundle / WEIGHTS],
            "genomics": genomics,
            "clusters": clusters,
            "vectors": vectors,
            "clinical": coded_files(clinical),
            "sheet": slides,
            "manifest": manifests,
        },
        settings={"months": list(months)},
    )
    _log(patients, warnings, curve, months)


def _usual_months(bundle: Bundle) -> tuple[float, ...]:
    """Return the usual months, as far as the training patients of every fold were followed."""
    followed = min(network.edges[-1] for network in bundle.networks)
    return tuple(month for month in MONTHS if month <= followed)


def _gene_warnings(bundle: Bundle, patients: Patients) -> list[list[str]]:
    """Return warnings about missing and unusual values among each patient's genes."""
    columns = [column for columns in bundle.card.families.values() for column in columns]
    if not columns:
        return [[] for _ in patients.names]
    # A gene of several families counts once.
    once = np.unique(columns, return_index=True)[1]
    values = np.concatenate(patients.genomics, axis=1)[:, once]
    expected = _in_tables(patients)[:, once]
    missing = (expected & np.isnan(values)).sum(axis=1)
    outside = [limits.outside(own) for limits, own in zip(bundle.genes, patients.genomics, strict=True)]
    known = (~np.isnan(values)).sum(axis=1)
    share = np.concatenate(outside, axis=1)[:, once].sum(axis=1) / np.maximum(known, 1)
    return [
        [f"{gone} of {len(once)} gene columns are missing, the training mean taken"] * bool(gone)
        + [f"{part:.0%} of the gene columns lie outside the training range"] * bool(part > WARN_ABOVE)
        for gone, part in zip(missing, share, strict=True)
    ]


def _in_tables(patients: Patients) -> NDArray[np.bool_]:
    """Return whether each patient is in the omics table of each column, (P, columns); True for all complete ones."""
    there, numbers = patients.tables.in_tables(patients.names), patients.tables.table_numbers
    if not patients.tables.incomplete:
        there = np.ones_like(there)
    return np.concatenate([there[:, list(own)] for own in numbers], axis=1)


def _covariate_warnings(patients: Patients) -> list[list[str]]:
    """Return warnings about each patient's missing covariates."""
    if patients.tables.clinical is None:
        return [[] for _ in patients.names]
    clinical = patients.tables.clinical
    missing = clinical.table.loc[list(patients.names), [each.name for each in clinical.covariates]].isna()
    absent = [list(missing.columns[row]) for row in missing.to_numpy()]
    return [[f"no value of {', '.join(names)}, the training mean taken"] if names else [] for names in absent]


def _feature_warnings(bundle: Bundle, patients: Patients) -> list[list[str]]:
    """Return warnings about each patient's features."""
    if bundle.features is None:
        return [[] for _ in patients.names]
    limit, with_slides = bundle.features.limit, patients.tables.with_slides(patients.names)
    distances = np.zeros(len(patients.names))
    if with_slides.any():
        names = np.array(patients.names)[with_slides].tolist()
        distances[with_slides] = bundle.features.distance(mean_patches(patients.tables, names))
    return [
        [f"features lie {distance:.3g} from the training mean, 99 % of the training patients within {limit:.3g}"]
        * bool(distance > limit)
        for distance in distances
    ]


def _log(
    patients: Patients, warnings: Sequence[Sequence[str]], curve: NDArray[np.float64], months: Sequence[float]
) -> None:
    """Write a summary of the tables to the log."""
    unknown = [f"{month:g}" for month, values in zip(months, curve.T, strict=True) if np.isnan(values).any()]
    few = ", ".join(patients.absent[:5]) + (", ..." if len(patients.absent) > 5 else "")
    lines = {
        f"{len(patients.absent)} gene columns of the bundle are not in the omics tables: {few}": patients.absent,
        f"{len(patients.left_out)} patients left out: see left_out.csv": patients.left_out,
        f"no survival at {', '.join(unknown)} months: the training cohort was not followed that long": unknown,
        f"warnings for {sum(map(bool, warnings))} of {len(warnings)} patients: see risk.csv": any(warnings),
    }
    for line, there in lines.items():
        if there:
            print(f"predict: {line}", file=sys.stderr)
