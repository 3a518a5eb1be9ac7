"""Making a bundle from the trained folds of one model."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from ccl import __version__
from ccl.config.sections import BundleSettings
from ccl.data.fold import Fold, Inputs, load_fold
from ccl.data.tables import Tables
from ccl.evaluate.folds import FoldRun, read_folds
from ccl.io.bags import read_members
from ccl.io.checksums import sha256
from ccl.io.covariates import Clinical
from ccl.io.errors import InputError
from ccl.io.files import atomic_path, read_table
from ccl.io.formats import ManifestRow
from ccl.io.origin import record
from ccl.predict.card import CARD, VERSION, WEIGHTS, Card
from ccl.predict.ensemble import GENE_PARTS
from ccl.predict.expression import GeneSummary
from ccl.predict.model_card import write_model_card
from ccl.predict.patients import mean_patches, source_of
from ccl.predict.ranges import QUANTILE, FeatureRange, GeneRange, scales_of
from ccl.predict.training import (
    describe_covariates,
    describe_distances,
    describe_slides,
    fingerprints,
    internal_results,
)
from ccl.train.store import read_tensors
from ccl.vectors.registry import licence_of

SPLIT = ("intervals", "intervals_from", "inner", "incomplete", "drop_modality")
"""Settings of training that :func:`ccl.data.fold.load_fold` takes."""


def make_bundle(
    *,
    runs: Sequence[Path],
    inputs: Inputs,
    out: Path,
    settings: BundleSettings,
    preprocessing: Mapping[str, Any],
    tissue: Sequence[Path] = (),
    about: str = "",
) -> None:
    """Write ``model.safetensors`` and ``bundle.json``: all networks of the folds, and all that is needed to use them.

    A model card beside them tells readers what the model is.

    Parameters
    ----------
    runs : sequence of Path
        The fold folders of one model, in any order; every fold and seed becomes a network of the bundle.
    inputs : Inputs
        The files that these folds were trained on.  The ranges of the training data are computed from them.  With
        slides and manifests, the scales of the slides are recorded, even if the method reads no slides; likewise
        what covariates the patients have.
    preprocessing : mapping
        Sections of the config that made the inputs, for the record.
    tissue : sequence of Path
        Manifests of the tissue stage, if the colour of the slides should be recorded.
    about : str
        Whose patients these are, for readers.

    Raises
    ------
    InputError
        The folds do not belong together, or the inputs are not the files that they were trained on.
    ConfigError, ModelError
        As :func:`ccl.data.fold.load_fold` says.
    """
    folds = read_folds(runs)
    facts = folds[0].facts
    reads = folds[0].reads
    settings_of = facts["settings"]
    split = {name: settings_of[name] for name in SPLIT if name in settings_of}
    tensors: dict[str, Tensor] = {}
    learnt_from: set[str] = set()
    for run in folds:
        metadata, own = read_tensors(run.folder / "model.safetensors")
        fold = load_fold(reads, inputs, run.fold, **split)
        _check_inputs(run, fold, own)
        tensors |= {f"fold{run.fold}/{name}": value for name, value in own.items()}
        learnt_from |= set(fold.train.patients)
    tables = inputs.tables(reads, incomplete=settings_of.get("incomplete") == "keep")
    patients = sorted(learnt_from)
    ranges, distances = _ranges(tables, patients)
    outcomes = read_table(inputs.patients, text=("patient_id",)).set_index("patient_id").loc[patients]
    bags = read_members(inputs.slides, inputs.manifests).bags if inputs.slides else {}
    slides = [row for patient in patients for row in bags.get(patient, ())]
    encoders = (facts["encoder"], source_of(tables).encoder)
    with atomic_path(out / WEIGHTS) as temporary:
        temporary.write_bytes(
            save({name: value.contiguous() for name, value in (tensors | ranges).items()}, {"ccl": "{}"})
        )
        digest = sha256(temporary)
    card = Card(
        **{name: facts[name] for name in ("model", "method", "seeds", "encoder", "weights", "cohort", "synthetic")},
        hyper=metadata["hyper"],
        shape=metadata["shape"],
        folds=[{"fold": run.fold, "interval_edges": run.facts["interval_edges"]} for run in folds],
        families=facts["families"],
        features_encoder=encoders[1],
        vector_columns=source_of(tables).columns,
        scales=scales_of(slides),
        distance_limit=None if distances is None else float(np.quantile(distances, QUANTILE)),
        cut=_median_risk(folds),
        n_patients=len(patients),
        n_events=int((outcomes["censorship"] == 0).sum()),
        preprocessing=preprocessing,
        encoder_licence=next(filter(None, map(licence_of, encoders)), ""),
        licence=settings.licence,
        intended_use=settings.intended_use,
        versions={
            "ccl": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in ("torch", "numpy", "safetensors")},
        },
        sha256=digest,
        covariates=[asdict(covariate) for covariate in tables.clinical.covariates] if tables.clinical else (),
        training={
            "about": about,
            **_training(folds, inputs, patients, slides, tissue),
            "distances": None if distances is None else describe_distances(distances),
            "fingerprints": fingerprints(tables, patients, digest) if settings.fingerprints else None,
        },
    )
    card.write(out)
    write_model_card(out, card)
    record(
        "bundle",
        VERSION,
        outputs=[out / CARD, out / WEIGHTS],
        inputs={"fold": [file for run in folds for file in run.files], **inputs.by_use},
        settings={"seeds": facts["seeds"], "preprocessing": dict(preprocessing)},
    )


def _training(
    folds: Sequence[FoldRun],
    inputs: Inputs,
    patients: Sequence[str],
    slides: Sequence[ManifestRow],
    tissue: Sequence[Path],
) -> dict[str, Any]:
    """Return results in cross-validation, and numbers about the training patients."""
    clinical = Clinical.read(inputs.clinical) if inputs.clinical else None
    return {
        "internal": internal_results(folds, clinical),
        "covariates": None if clinical is None else describe_covariates(clinical, patients),
        "slides": describe_slides(slides, tissue) if slides else None,
    }


def _check_inputs(run: FoldRun, fold: Fold, tensors: Mapping[str, Tensor]) -> None:
    """Raise InputError if intervals, scalers or features differ from those that the fold was trained with."""
    edges = np.asarray(run.facts["interval_edges"])
    alike = {
        "months of follow-up": edges.shape == fold.edges.shape and np.allclose(edges, fold.edges),
        "gene families": run.facts["families"] == {name: list(columns) for name, columns in fold.families.items()},
        "weights of the encoder": run.facts["weights"] == fold.weights,
        "clusters": run.facts["k"] == (fold.shape.clusters or None),
        "covariates": run.facts.get("covariates", []) == list(fold.covariates),
        "width of the vectors": len(tensors.get("vectors/mean", ())) == fold.shape.vectors,
    }
    if alike["gene families"]:
        alike["gene values"] = all(
            np.allclose(tensors[f"scaler/{family}/mean"].numpy(), scaler.mean, equal_nan=True)
            for family, scaler in fold.scalers.families.items()
        )
    if alike["covariates"] and fold.scalers.clinical:
        mean = tensors["covariates/mean"].numpy()
        alike["values of covariates"] = np.allclose(mean, fold.scalers.clinical.mean, equal_nan=True)
    if alike["width of the vectors"] and fold.scalers.vectors:
        mean = tensors["vectors/mean"].numpy()
        alike["vectors"] = np.allclose(mean, fold.scalers.vectors.mean, equal_nan=True)
    different = [what for what, same in alike.items() if not same]
    if different:
        raise InputError(
            "these are not the files that the fold was trained on",
            where=str(run.folder),
            found=f"different {', different '.join(different)}",
            expected="the files of the cohort, genomics, clinical, cluster, vectors and embed stages, as in training",
            todo="name the files of the training, or train the fold again on these files",
        )


def _ranges(tables: Tables, patients: Sequence[str]) -> tuple[dict[str, Tensor], NDArray[np.float64] | None]:
    """Return ranges and distributions of the training data, and each patient's distance from the mean features."""
    ranges: dict[str, Tensor] = {}
    for family, own in zip(tables.families, tables.genes_of(patients), strict=True):
        found = GeneRange.fit(own)
        for end, values in (("low", found.low), ("high", found.high)):
            ranges[f"range/genes/{family.name}/{end}"] = torch.from_numpy(values)
        summary = GeneSummary.fit(own)
        for part, tensor in zip(GENE_PARTS, summary.tensors(), strict=True):
            ranges[f"training/genes/{family.name}/{part}"] = tensor
    if tables.vectors is None and not tables.reads_slides:
        return ranges, None
    with_slides = np.array(patients)[tables.with_slides(patients)].tolist()
    means = mean_patches(tables, with_slides)
    features = FeatureRange.fit(means)
    for part, values in (("mean", features.scaler.mean), ("scale", features.scaler.scale)):
        ranges[f"range/features/{part}"] = torch.from_numpy(values)
    return ranges, features.distance(means)


def _median_risk(folds: Sequence[FoldRun]) -> float:
    """Return the median risk of the test patients after the last epoch; a risk is the mean over seeds and folds."""
    last = [run.predictions[run.predictions["epoch"] == run.epochs] for run in folds]
    return float(pd.concat(last).groupby("patient_id")["risk"].mean().median())
