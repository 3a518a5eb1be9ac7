"""The cells of Tables I to VIII."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from statistics import fmean, pstdev

from ccl.evaluate import PROTOCOLS
from ccl.io.errors import InputError
from ccl.paper import Table, table1
from ccl.paper.ablations import DEFAULT, DISTANCES, rows_of
from ccl.paper.differences import add_differences
from ccl.results.cells import OVERALL_COLUMN, Cell, Row, fill, measure_c_index, name_cell
from ccl.results.gather import Cohort, Evaluation, evaluations_of
from ccl.results.published import comparable

TIMES = ("before", "after")
"""Rows of Table V: before and after alignment."""


@dataclass(frozen=True)
class Grid:
    """A printed table: rows down, cohorts across, and within each cohort the protocols."""

    rows: Sequence[Row]
    columns: Sequence[str]
    cells: Sequence[Cell]
    evaluations: Sequence[Evaluation]
    encoder: str = ""
    """Encoder of all rows; empty if each row names its own."""

    @property
    def protocols(self) -> list[str]:
        """The protocols of the cells; one with an empty name if they depend on none."""
        return list(dict.fromkeys(cell["protocol"] for cell in self.cells))

    def line(self, row: Row, protocol: str) -> list[Cell]:
        """Return the cells of a row under a protocol, with a blank where there is none."""
        found = {cell["cohort"]: cell for cell in self.cells if (cell["row"], cell["protocol"]) == (row, protocol)}
        return [found.get(column) or name_cell(row, column, protocol, None) for column in self.columns]

    def places(self, row: Row) -> list[tuple[Cell, ...]]:
        """Return for each column the cells of a row under all protocols."""
        return list(zip(*(self.line(row, protocol) for protocol in self.protocols), strict=True))


@dataclass(frozen=True)
class Filled:
    """A table of the paper with its cells."""

    table: Table
    grids: Sequence[Grid]

    @property
    def cells(self) -> list[Cell]:
        """All cells, row by row."""
        order = {row.label: place for grid in self.grids for place, row in enumerate(grid.rows)}
        cells = [cell for grid in self.grids for cell in grid.cells]
        return sorted(cells, key=lambda cell: order[cell["point"]]) if len(self.grids) > 1 else cells

    @property
    def evaluations(self) -> list[Evaluation]:
        """All evaluations that the table is made of."""
        return [one for grid in self.grids for one in grid.evaluations]


def compare_models(cohorts: Sequence[Cohort], blanks: Mapping[tuple[str, str], str]) -> list[Filled]:
    """Return Tables I to III.

    Parameters
    ----------
    cohorts : sequence of Cohort
        As :func:`ccl.results.gather.gather` reads them.
    blanks : mapping
        For (model, cohort), the reason why there is no evaluation.
    """
    evaluations = evaluations_of(cohorts)
    row_of = {
        one.key: Row(one.model, one.model, one.encoder, "native" * (one.track == "native"), (1, one.method))
        for one in evaluations
    }
    run = {one.model for one in evaluations}
    rows = list(dict.fromkeys([*row_of.values(), *(Row(model, model, "") for model, _ in blanks if model not in run)]))
    names = list(dict.fromkeys([*(cohort.name for cohort in cohorts), *(cohort for _, cohort in blanks)]))
    columns = [*names, OVERALL_COLUMN] if len(names) > 1 else names
    scores = fill(rows, columns, evaluations, measure_c_index, PROTOCOLS, compares=comparable, reasons=blanks)
    tests, costs = [], []
    for one in evaluations:
        costs.append(name_cell(row_of[one.key], one.cohort, "", one) | _measure_cost(one))
        for protocol in PROTOCOLS:
            found = one.facts["protocols"][protocol]["kaplan_meier"]
            tests.append(name_cell(row_of[one.key], one.cohort, protocol, one) | found | {"value": found["log_rank_p"]})
    return [
        Filled(table1.TABLES[number], [Grid(rows, across, cells, evaluations)])
        for number, across, cells in ((1, columns, _rank(scores)), (2, names, tests), (3, names, costs))
    ]


def _rank(cells: Sequence[Cell]) -> list[Cell]:
    """Add the rank of each number in its column: 1 is the highest, and ties share a rank.

    A model that has not learnt has no rank.
    """
    columns: dict[tuple[str, str], list[float]] = {}
    ranked = [cell["value"] is not None and all(one.learnt for one in cell["evaluations"]) for cell in cells]
    for cell, counts in zip(cells, ranked, strict=True):
        if counts:
            columns.setdefault((cell["cohort"], cell["protocol"]), []).append(cell["value"])
    ranks = [
        1 + sum(x > cell["value"] for x in columns[cell["cohort"], cell["protocol"]]) if counts else None
        for cell, counts in zip(cells, ranked, strict=True)
    ]
    return [cell | {"rank": rank} for cell, rank in zip(cells, ranks, strict=True)]


def _measure_cost(evaluation: Evaluation) -> Cell:
    """Return the cost of training one model, as a mean over folds."""
    runs = [run["cost"] for run in evaluation.runs]
    seeds = int(runs[0]["seeds_per_step"])

    def mean_ms(key: str) -> float | None:
        known = [run[key] for run in runs if run[key] is not None]
        return 1000 * fmean(known) / seeds if known else None

    return {
        "parameters": int(evaluation.facts["parameters"]),
        "train_ms": mean_ms("seconds_per_step"),
        "predict_ms": mean_ms("seconds_per_prediction"),
        "peak_memory_mb": fmean(run["peak_memory_mb"] for run in runs),
        "seeds_side_by_side": seeds,
        "device": str(runs[0]["device"]),
        "threads": int(runs[0]["threads"]),
    }


def ablate(table: Table, cohorts: Sequence[Cohort], base: Mapping[str, object]) -> Filled:
    """Return one of Tables IV to VIII.

    Parameters
    ----------
    cohorts : sequence of Cohort
        As :func:`ccl.results.gather.gather` reads them; models that the table does not have are ignored.
    base : mapping
        The default model's entry in the config's ``models`` section, with its clusters ``k``.

    Raises
    ------
    InputError
        The evaluation of a point is missing.
    """
    points = [Row(p.label, p.model, "", "default" * (p.model == DEFAULT), (p.table, p.name)) for p in rows_of(base)]
    points += [Row(f"{time} alignment", DEFAULT, "", "", (DISTANCES, time)) for time in TIMES]
    points = [point for point in points if point.paper[0] == table.number]
    wanted = {DEFAULT, *(point.model for point in points)}
    evaluations = [one for one in evaluations_of(cohorts) if one.model in wanted]
    places: dict[str, list[str]] = {}
    for one in evaluations:
        if one.model == DEFAULT:
            places.setdefault(one.encoder, []).append(one.cohort)
    _check_points({one.key for one in evaluations}, places, wanted)
    every = {cohort for names in places.values() for cohort in names}
    grids = []
    for encoder, names in places.items():
        mine = [one for one in evaluations if one.encoder == encoder]
        rows = [replace(point, encoder=encoder) for point in points]
        mean = [OVERALL_COLUMN] if len(every) > 1 and set(names) == every and table.number != DISTANCES else []
        grids.append(Grid(rows, names + mean, _fill(table, rows, names + mean, mine), mine, encoder))
    return Filled(table, grids)


def _fill(table: Table, rows: Sequence[Row], columns: Sequence[str], evaluations: Sequence[Evaluation]) -> list[Cell]:
    def compares(one: Evaluation) -> bool:
        return not one.caveats

    if table.number != DISTANCES:
        return add_differences(fill(rows, columns, evaluations, measure_c_index, PROTOCOLS, compares=compares))
    measures = [partial(_measure_distance, row.paper[1]) for row in rows]
    return [
        cell
        for row, measure in zip(rows, measures, strict=True)
        for cell in fill([row], columns, evaluations, measure, ("",), compares=compares)
    ]


def _check_points(found: set[tuple[str, str, str]], places: Mapping[str, Sequence[str]], wanted: set[str]) -> None:
    """Raise InputError if a point was not evaluated wherever the default model was."""
    pairs = [(encoder, cohort) for encoder, cohorts in places.items() for cohort in cohorts]
    missing = [(m, e, c) for m, (e, c) in product(sorted(wanted), pairs) if (c, e, m) not in found]
    if missing or not places:
        raise InputError(
            "the evaluation of a point is missing",
            found=", ".join("/".join(key) for key in missing[:5]) or f"no evaluation of {DEFAULT}",
            expected="every point of the tables, for each cohort and encoder of the default model",
            todo="run `snakemake ablations`, which makes them all",
        )


def _measure_distance(time: str, evaluation: Evaluation, protocol: str) -> Cell:
    """Return the mean distance between cluster centres, seeds averaged within each fold."""
    told = [run["facts"].get(f"distance_{time}_alignment") for run in evaluation.runs]
    folds = [fmean(seeds) for seeds in told if seeds]
    found = {"folds": len(folds), "seeds": max(len(seeds or ()) for seeds in told)}
    return found | {"value": fmean(folds), "std": pstdev(folds)} if folds else found
