"""Tables IV to VIII: a row of the file for each point, cohort, encoder and protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from ccl.evaluate import PROTOCOLS, Protocol
from ccl.io.errors import InputError
from ccl.paper.ablations import DEFAULT, Row
from ccl.paper.ablations.differences import Difference, overall, paired
from ccl.paper.ablations.published import published
from ccl.results.gather import Cohort, Evaluation
from ccl.results.published import COHORTS, OVERALL, OVERALL_COLUMN, plain_name


@dataclass(frozen=True)
class Cell:
    """The C-index of a point on a cohort under a protocol; its fields are the columns of the file."""

    point: str
    model: str
    protocol: Protocol
    cohort: str
    encoder: str
    c_index: float | None
    std: float | None
    """Population standard deviation over folds; None in the mean over cohorts."""
    folds: int
    seeds: int
    difference: float | None
    """How much higher than the default's; None for the default."""
    se: float | None
    lower: float | None
    upper: float | None
    published: float | None
    """Only beside the protocol that it compares with, and never for synthetic patients or an untrained encoder."""
    published_difference: float | None
    """The same of the paper's own difference to its default."""
    data: str
    """``real``, ``synthetic``, or over cohorts of both kinds both."""
    weights: str


@dataclass(frozen=True)
class Distance:
    """A mean L2 distance between cluster centres of two patients in one place (Table V)."""

    point: str
    cohort: str
    encoder: str
    distance: float | None
    std: float | None
    folds: int
    seeds: int
    published: float | None
    data: str
    weights: str


class Results:
    """The evaluations that the tables need, by model, encoder and cohort."""

    def __init__(self, cohorts: Sequence[Cohort], models: Iterable[str]) -> None:
        wanted = {DEFAULT, *models}
        evaluations = [e for cohort in cohorts for e in cohort.evaluations if e.model in wanted]
        self.found = {(e.model, e.encoder, e.cohort): e for e in evaluations}
        places = dict.fromkeys((e, c) for model, e, c in self.found if model == DEFAULT)
        self.encoders = list(dict.fromkeys(encoder for encoder, _ in places))
        self.cohorts = list(dict.fromkeys(cohort for _, cohort in places))
        self.places = {e: [c for c in self.cohorts if (e, c) in places] for e in self.encoders}
        missing = [(m, e, c) for m, (e, c) in product(sorted(wanted), places) if (m, e, c) not in self.found]
        if missing or not places:
            raise InputError(
                "the evaluation of a point is missing",
                found=", ".join("/".join(key) for key in missing[:5]) or f"no evaluation of {DEFAULT}",
                expected="every point of the tables, on each cohort and encoder that the default was judged on",
                todo="run `snakemake ablations`, which makes and names them all",
            )

    @property
    def evaluations(self) -> list[Evaluation]:
        """All evaluations of the default and its points."""
        return list(self.found.values())

    def has_overall(self, encoder: str) -> bool:
        """Whether there is a mean over cohorts: there are several, and all have the encoder."""
        return len(self.cohorts) > 1 and self.places[encoder] == self.cohorts

    def of(self, model: str, encoder: str) -> list[Evaluation]:
        """Return the evaluations of a model with an encoder, a cohort each."""
        return [self.found[model, encoder, cohort] for cohort in self.places[encoder]]


def c_indices(rows: Sequence[Row], results: Results) -> list[Cell]:
    """Return the cells of one table, point by point: the cohorts in their order, then their mean."""
    cells = []
    for row, encoder, protocol in product(rows, results.encoders, PROTOCOLS):
        mine, default = results.of(row.model, encoder), results.of(DEFAULT, encoder)
        own = row.model == DEFAULT
        apart = [None if own else paired(*pair, protocol) for pair in zip(mine, default, strict=True)]
        found = [_cell(row, e, protocol, d, rows) for e, d in zip(mine, apart, strict=True)]
        if results.has_overall(encoder):
            found.append(_overall_cell(row, found, None if own else overall(apart), rows))
        cells += found
    return cells


def _cell(row: Row, evaluation: Evaluation, protocol: Protocol, apart: Difference | None, rows: Sequence[Row]) -> Cell:
    found = evaluation.facts["protocols"][protocol]
    compares = protocol == "best-on-test" and not evaluation.caveats
    return Cell(
        point=row.label,
        model=row.model,
        protocol=protocol,
        cohort=evaluation.cohort,
        encoder=evaluation.encoder,
        c_index=found["mean"],
        std=found["std"],
        folds=len({score["fold"] for score in found["folds"] if score["c_index"] is not None}),
        seeds=len({score["seed"] for score in found["folds"]}),
        **_numbers(apart),
        **_published(row, evaluation.cohort, rows if compares else ()),
        data=evaluation.data,
        weights=str(evaluation.facts["weights"]),
    )


def _overall_cell(row: Row, cells: Sequence[Cell], apart: Difference | None, rows: Sequence[Row]) -> Cell:
    means = [cell.c_index for cell in cells if cell.c_index is not None]
    five = sorted(plain_name(cell.cohort) for cell in cells) == sorted(COHORTS)
    compares = five and all(cell.published is not None for cell in cells)
    return replace(
        cells[0],
        cohort=OVERALL_COLUMN,
        c_index=sum(means) / len(means) if len(means) == len(cells) else None,
        std=None,
        folds=sum(cell.folds for cell in cells),
        **_numbers(apart),
        **_published(row, OVERALL, rows if compares else ()),
        data=" and ".join(sorted({cell.data for cell in cells})),
        weights=", ".join(dict.fromkeys(cell.weights for cell in cells)),
    )


def _numbers(apart: Difference | None) -> dict[str, Any]:
    """Return the entries of a cell that hold a difference to the default."""
    if apart is None:
        return dict.fromkeys(("difference", "se", "lower", "upper"))
    lower, upper = apart.interval or (None, None)
    return {"difference": apart.mean, "se": apart.se, "lower": lower, "upper": upper}


def _published(row: Row, cohort: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the entries of a cell that hold the published number of a row, and its difference to the default's.

    `rows` are those of the same table; none where nothing published compares.
    """
    if not rows:
        return dict.fromkeys(("published", "published_difference"))
    own = {published(other.name, cohort) for other in rows if other.model == DEFAULT}
    theirs, default = published(row.name, cohort), own.pop()
    # A config can make one model of two rows that the paper tells apart: then neither is its default.
    apart = None if theirs is None or default is None or own or row.model == DEFAULT else theirs - default
    return {"published": theirs, "published_difference": apart}


def distances(results: Results) -> list[Distance]:
    """Return the cells of Table V: what the default's runs tell of its cluster centres, seeds averaged in each fold."""
    cells = []
    for time, encoder in product(("before", "after"), results.encoders):
        for evaluation in results.of(DEFAULT, encoder):
            told = [run["facts"].get(f"distance_{time}_alignment") for run in evaluation.runs]
            folds = [sum(seeds) / len(seeds) for seeds in told if seeds]
            mean = sum(folds) / len(folds) if folds else None
            cells.append(
                Distance(
                    point=f"{time} alignment",
                    cohort=evaluation.cohort,
                    encoder=encoder,
                    distance=mean,
                    std=None if mean is None else (sum((x - mean) ** 2 for x in folds) / len(folds)) ** 0.5,
                    folds=len(folds),
                    seeds=max(len(seeds or ()) for seeds in told),
                    # Distances are in the units of the features, and the paper's are ResNet-50's.
                    published=None
                    if evaluation.caveats or evaluation.encoder != "resnet50"
                    else published(time, evaluation.cohort),
                    data=evaluation.data,
                    weights=str(evaluation.facts["weights"]),
                )
            )
    return cells


def caveats(cells: Sequence[Cell | Distance]) -> list[str]:
    """Return the labels that must stand beside some numbers."""
    synthetic, untrained = (any(word in f"{c.data}, {c.weights}" for c in cells) for word in ("synthetic", "random"))
    return ["synthetic data"] * synthetic + ["random encoder weights"] * untrained
