"""The cells of the three tables: one for each model with an encoder, each cohort and protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import fmean

from ccl.evaluate import PROTOCOLS, Protocol
from ccl.results.gather import Cohort, Evaluation
from ccl.results.published import COHORTS, OVERALL, OVERALL_COLUMN, plain_name, published, published_beside


@dataclass(frozen=True)
class Row:
    """A model with the features of one encoder."""

    model: str
    encoder: str
    """``none`` for a model that reads no slides; empty for one that no cohort has the data for."""


@dataclass(frozen=True)
class Score:
    """A C-index (Table I); the fields are the columns of the file."""

    model: str
    method: str
    track: str
    encoder: str
    cohort: str
    protocol: Protocol
    c_index: float | None
    std: float | None
    """Population standard deviation over folds; None in the mean over cohorts."""
    rank: int | None
    """Among all rows with a number for this cohort and protocol; 1 is the highest C-index, and ties share a rank."""
    folds: int
    seeds: int
    published: float | None
    """Only beside the protocol that it compares with, and never for synthetic patients or an untrained encoder."""
    published_std: float | None
    data: str
    weights: str
    reason: str
    """Why there is no number."""


@dataclass(frozen=True)
class LogRank:
    """The log-rank test between those above and below the median pooled risk (Table II)."""

    model: str
    method: str
    encoder: str
    cohort: str
    protocol: Protocol
    n_high: int | None
    n_low: int | None
    log_rank_p: float | None
    data: str
    weights: str


@dataclass(frozen=True)
class Cost:
    """What training one model takes (Table III), the mean over folds."""

    model: str
    method: str
    track: str
    encoder: str
    cohort: str
    parameters: int
    train_ms: float | None
    """Of one patient; of replicas trained side by side, the share of one."""
    predict_ms: float | None
    peak_memory_mb: float
    """Of the process; on a GPU, of its memory."""
    seeds_side_by_side: int
    device: str
    threads: int
    data: str
    weights: str


class Comparison:
    """The evaluations of a config, by row and cohort.

    Parameters
    ----------
    cohorts : sequence of Cohort
        As :func:`ccl.results.gather.gather` reads them.
    blanks : mapping
        For (model, cohort), the reason why there is no evaluation.
    """

    def __init__(self, cohorts: Sequence[Cohort], blanks: Mapping[tuple[str, str], str]) -> None:
        evaluations = [evaluation for cohort in cohorts for evaluation in cohort.evaluations]
        self.evaluations: Sequence[Evaluation] = evaluations
        self.found = {(Row(e.model, e.encoder), e.cohort): e for e in evaluations}
        self.blanks = blanks
        names = [*(cohort.name for cohort in cohorts), *(cohort for _, cohort in blanks)]
        self.cohorts = list(dict.fromkeys(names))
        seen = {e.model for e in evaluations}
        lost = dict.fromkeys(Row(model, "") for model, _ in blanks if model not in seen)
        self.rows = [*dict.fromkeys(row for row, _ in self.found), *lost]

    def reason(self, row: Row, cohort: str) -> str:
        """Return why a row has no number for a cohort."""
        return self.blanks.get((row.model, cohort), f"the cohort has no features of {row.encoder}")


def scores(comparison: Comparison) -> list[Score]:
    """Return the cells of Table I, row by row: the cohorts in their order, then the mean where all have a number."""
    cells = []
    for row, protocol in product(comparison.rows, PROTOCOLS):
        mine = [_score(comparison, row, cohort, protocol) for cohort in comparison.cohorts]
        cells += [*mine, _mean(mine)] if len(mine) > 1 else mine
    return _ranked(cells)


def _score(comparison: Comparison, row: Row, cohort: str, protocol: Protocol) -> Score:
    evaluation = comparison.found.get((row, cohort))
    if evaluation is None:
        return Score(
            row.model, "", "", row.encoder, cohort, protocol,
            c_index=None, std=None, rank=None, folds=0, seeds=0, published=None, published_std=None,
            data="", weights="", reason=comparison.reason(row, cohort),
        )  # fmt: skip
    found = evaluation.facts["protocols"][protocol]
    theirs = published_beside(evaluation) if protocol == "best-on-test" else None
    return Score(
        model=row.model,
        method=evaluation.method,
        track=str(evaluation.runs[0]["track"]),
        encoder=row.encoder,
        cohort=cohort,
        protocol=protocol,
        c_index=found["mean"],
        std=found["std"],
        rank=None,
        folds=len({score["fold"] for score in found["folds"] if score["c_index"] is not None}),
        seeds=len(evaluation.seeds),
        published=theirs.mean if theirs else None,
        published_std=theirs.std if theirs else None,
        data=evaluation.data,
        weights=str(evaluation.facts["weights"]),
        reason="" if found["mean"] is not None else "no comparable pair of test patients",
    )


def _mean(cells: Sequence[Score]) -> Score:
    """Return the mean over cohorts; a blank where one of them is."""
    known = [cell for cell in cells if cell.c_index is not None]
    first = known[0] if known else cells[0]
    five = sorted(plain_name(cell.cohort) for cell in cells) == sorted(COHORTS)
    compares = five and all(cell.published is not None for cell in cells)
    theirs = published(first.method, first.encoder, OVERALL) if compares else None
    whole = len(known) == len(cells)
    return replace(
        first,
        cohort=OVERALL_COLUMN,
        c_index=fmean(cell.c_index for cell in known if cell.c_index is not None) if whole else None,
        std=None,
        folds=sum(cell.folds for cell in cells),
        published=theirs.mean if theirs else None,
        published_std=None,
        data=" and ".join(sorted({cell.data for cell in known})),
        weights=", ".join(dict.fromkeys(cell.weights for cell in known)),
        reason="" if whole else "not every cohort has a number",
    )


def _ranked(cells: Sequence[Score]) -> list[Score]:
    columns: dict[tuple[str, str], list[float]] = {}
    for cell in cells:
        if cell.c_index is not None:
            columns.setdefault((cell.cohort, cell.protocol), []).append(cell.c_index)
    return [
        cell
        if cell.c_index is None
        else replace(cell, rank=1 + sum(other > cell.c_index for other in columns[cell.cohort, cell.protocol]))
        for cell in cells
    ]


def log_ranks(comparison: Comparison) -> list[LogRank]:
    """Return the cells of Table II."""
    cells = []
    for ((row, cohort), evaluation), protocol in product(comparison.found.items(), PROTOCOLS):
        found = evaluation.facts["protocols"][protocol]["kaplan_meier"]
        cells.append(
            LogRank(
                row.model,
                evaluation.method,
                row.encoder,
                cohort,
                protocol,
                n_high=found["n_high"],
                n_low=found["n_low"],
                log_rank_p=found["log_rank_p"],
                data=evaluation.data,
                weights=str(evaluation.facts["weights"]),
            )
        )
    return cells


def costs(comparison: Comparison) -> list[Cost]:
    """Return the rows of Table III."""
    cells = []
    for (row, cohort), evaluation in comparison.found.items():
        runs = [run["cost"] for run in evaluation.runs]
        cells.append(
            Cost(
                model=row.model,
                method=evaluation.method,
                track=str(evaluation.runs[0]["track"]),
                encoder=row.encoder,
                cohort=cohort,
                parameters=int(evaluation.facts["parameters"]),
                train_ms=_mean_ms([run["seconds_per_step"] for run in runs], runs[0]["seeds_per_step"]),
                predict_ms=_mean_ms([run["seconds_per_prediction"] for run in runs], runs[0]["seeds_per_step"]),
                peak_memory_mb=fmean(run["peak_memory_mb"] for run in runs),
                seeds_side_by_side=int(runs[0]["seeds_per_step"]),
                device=str(runs[0]["device"]),
                threads=int(runs[0]["threads"]),
                data=evaluation.data,
                weights=str(evaluation.facts["weights"]),
            )
        )
    return cells


def _mean_ms(seconds: Sequence[float | None], seeds: int) -> float | None:
    known = [value for value in seconds if value is not None]
    return 1000 * fmean(known) / seeds if known else None
