"""The key numbers of the demo, compared with those of a published run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ccl.io.errors import InputError
from ccl.io.files import read_json, read_table
from ccl.io.formats import Clusters, Features, Genomics, Tiles
from ccl.io.origin import packages
from ccl.wsi.tissue.outlines import Outlines

GOLDEN = "golden.json"
"""The published run, beside this module; `python benchmarks/machines.py --golden` writes it."""

MOST = 5
"""Differing numbers of a stage that are shown."""

TINY = 1e-9
"""Difference that is none, for numbers that are 0."""

COHORT = "demo"
"""The cohort of the default config."""

Numbers = dict[str, float]


class Deviation(NamedTuple):
    """A number that is not the published one."""

    name: str
    found: float
    published: float


def key_numbers(results: Path) -> dict[str, Numbers]:
    """Return the key numbers of a finished demo by stage, in the order of the stages.

    Parameters
    ----------
    results : Path
        The ``results`` of the default config.

    Raises
    ------
    InputError
        The folder does not hold a finished demo, or a file is damaged.
    """
    folder = results / COHORT
    if not (folder / "evaluate").is_dir():
        raise InputError(
            "not the results of a finished demo",
            where=str(results),
            found=f"no {COHORT}/evaluate",
            expected="the results of the default config",
            todo="run `make demo` first, or name its folder of results",
        )
    return {stage: dict(measure(folder)) for stage, measure in STAGES.items()}


class Published(NamedTuple):
    """A number of the published run."""

    value: float
    tolerance: float
    """Largest difference, relative to the value: several times what other processors were measured to give."""


@dataclass(frozen=True)
class Golden:
    """The published run."""

    packages: Mapping[str, str]
    """The versions that it was made with."""
    numbers: Mapping[str, Mapping[str, Published]]
    """By stage and name."""

    @classmethod
    def read(cls) -> Golden:
        """Return the published run of this version of ccl."""
        content = json.loads(files("ccl.results").joinpath(GOLDEN).read_text(encoding="utf-8"))
        numbers = {
            stage: {name: Published(*number) for name, number in own.items()}
            for stage, own in content["numbers"].items()
        }
        return cls(content["packages"], numbers)


def deviations(found: Mapping[str, Numbers], golden: Golden) -> dict[str, list[Deviation]]:
    """Return by stage the numbers that differ by more than their tolerance, a missing one included."""
    return {
        stage: [
            Deviation(name, found[stage].get(name, np.nan), value)
            for name, (value, tolerance) in numbers.items()
            if not abs(found[stage].get(name, np.nan) - value) <= tolerance * abs(value) + TINY
        ]
        for stage, numbers in golden.numbers.items()
    }


def check_demo(results: Path) -> tuple[bool, list[str]]:
    """Return whether a finished demo has the published numbers, and a line for each stage.

    Raises
    ------
    InputError
        As :func:`key_numbers` says.
    """
    golden = Golden.read()
    found = deviations(key_numbers(results), golden)
    lines = []
    for stage, differing in found.items():
        count = len(golden.numbers[stage])
        lines.append(f"{stage}: {count - len(differing)} of {count} numbers as published")
        lines += [f"  {one.name}: {one.found:.9g} here, {one.published:.9g} published" for one in differing[:MOST]]
    first = next((stage for stage, differing in found.items() if differing), None)
    if first is None:
        return True, [*lines, "this installation computes what ours does"]
    here = packages()
    other = [
        f"{name} {here.get(name)} for {number}" for name, number in golden.packages.items() if here.get(name) != number
    ]
    lines.append(f"the first stage that differs is `{first}`; the later ones follow from it")
    lines.append(f"other versions of packages: {', '.join(other) or 'none'}")
    lines.append("a GPU gives other numbers: to compare, set `device: cpu` in the sections `embed` and `train`")
    return False, lines


def _cohort(folder: Path) -> Iterator[tuple[str, float]]:
    summary = read_json(folder / "cohort" / "summary.json", required=("patients", "events", "slides"))
    for name in ("patients", "events", "slides", "median_follow_up_months"):
        yield name, float(summary[name])
    folds = read_table(folder / "cohort" / "folds.csv", text=("patient_id",))
    tested = folds[folds["role"] == "test"]
    yield (
        "folds",
        float(sum(fold * int(name[-3:]) for fold, name in zip(tested["fold"], tested["patient_id"], strict=True))),
    )


def _tissue(folder: Path) -> Iterator[tuple[str, float]]:
    outlines = [Outlines.read(path) for path in sorted((folder / "tissue").glob("*.geojson"))]
    yield "slides", float(len(outlines))
    yield "area mm2", sum(one.area_mm2(polygon) for one in outlines for polygon in one.polygons)


def _tile(folder: Path) -> Iterator[tuple[str, float]]:
    coords = np.concatenate([Tiles.read(path).coords for path in sorted((folder / "tile").glob("*.h5"))])
    yield "patches", float(len(coords))
    yield "mean position", float(coords.mean())


def _embed(folder: Path) -> Iterator[tuple[str, float]]:
    for encoder in _folders(folder / "embed"):
        slides = [Features.read(path).features.astype(np.float64) for path in sorted(encoder.glob("*.h5"))]
        features = np.concatenate(slides)
        yield f"{encoder.name}: patches", float(len(features))
        yield f"{encoder.name}: mean", float(features.mean())
        yield f"{encoder.name}: standard deviation", float(features.std())
        yield (
            f"{encoder.name}: standard deviation between slides",
            float(np.std([one.mean(0) for one in slides], 0).mean()),
        )


def _genomics(folder: Path) -> Iterator[tuple[str, float]]:
    genomics = Genomics.read(folder / "genomics" / "genomics.h5")
    yield "columns", float(sum(len(family.columns) for family in genomics.families))
    yield (
        "mean",
        float(np.nanmean(np.concatenate([family.values.astype(np.float64) for family in genomics.families], 1))),
    )


def _clinical(folder: Path) -> Iterator[tuple[str, float]]:
    table = read_table(folder / "clinical" / "clinical.csv", text=("patient_id",))
    for name in table.select_dtypes("number"):
        yield f"mean {name}", float(table[name].mean())


def _cluster(folder: Path) -> Iterator[tuple[str, float]]:
    for encoder in _folders(folder / "cluster"):
        for path in sorted(encoder.glob("k*.h5")):
            clusters = Clusters.read(path)
            name = f"{encoder.name} {path.stem}"
            yield f"{name}: mean of centres", float(clusters.centres.astype(np.float64).mean())
            yield f"{name}: standard deviation of sizes", float(clusters.sizes.std())


def _train(folder: Path) -> Iterator[tuple[str, float]]:
    for encoder in _folders(folder / "train"):
        for model in _folders(encoder):
            runs = _folders(model)
            histories = [read_table(run / "history.csv") for run in runs]
            predictions = [read_table(run / "predictions.csv", text=("patient_id",)) for run in runs]
            last = pd.concat([table[table["epoch"] == table["epoch"].max()] for table in predictions])
            yield f"{model.name}: loss of the first epoch", float(np.mean([one["loss"].iloc[0] for one in histories]))
            yield f"{model.name}: loss of the last epoch", float(np.mean([one["loss"].iloc[-1] for one in histories]))
            yield f"{model.name}: mean risk", float(last["risk"].mean())
            yield f"{model.name}: standard deviation of risks", float(last["risk"].std())


def _evaluate(folder: Path) -> Iterator[tuple[str, float]]:
    for path in sorted((folder / "evaluate").glob("*/*/evaluation.json")):
        for protocol, facts in read_json(path, required=("protocols",))["protocols"].items():
            for name in ("mean", "pooled"):
                yield f"{path.parent.name}: {name} C-index, {protocol}", float(facts[name])


def _folders(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.glob("[!.]*") if path.is_dir())


STAGES: Mapping[str, Callable[[Path], Iterator[tuple[str, float]]]] = {
    "cohort": _cohort,
    "tissue": _tissue,
    "tile": _tile,
    "embed": _embed,
    "genomics": _genomics,
    "clinical": _clinical,
    "cluster": _cluster,
    "train": _train,
    "evaluate": _evaluate,
}
"""Key numbers of each stage, in the order of the graph."""
