"""The numbers of the paper's Tables I and IV to VIII, shown beside the user's own.

Zhou, Zhou and Chen, "Cohort-Individual Cooperative Learning for Multimodal Cancer Survival Analysis": five-fold
cross-validation on five TCGA cohorts.  The epoch was chosen on the test folds, so the C-indices compare only with the
protocol ``best-on-test``.  Tables IV to VIII were made with ResNet-50 features.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ccl.io.files import read_table
from ccl.results.choices import choices
from ccl.results.gather import Evaluation

COHORTS = ("blca", "brca", "gbmlgg", "luad", "ucec")

OVERALL = "overall"
"""Cohort name of a published mean over all five cohorts."""

PAPER_K = 6
"""Number of clusters per patient in the paper."""


@dataclass(frozen=True)
class Published:
    """One published number."""

    name: str
    """The method as the publication names it; empty in Tables IV to VIII."""
    mean: float
    std: float | None
    """None for a mean over the five cohorts, and in Tables IV to VIII."""


def published(table: int, row: str, encoder: str, cohort: str) -> Published | None:
    """Return a published number, or None if there is none.

    Parameters
    ----------
    table : int
        1, or 4 to 8.
    row : str
        A method (Table I), the name of a point (Tables IV and VI to VIII), or ``before`` or ``after`` (Table V).
    encoder : str
        Encoder of the features; ``none`` for a method that reads no slides.
    cohort : str
        One of the five cohorts, in any case and with or without ``tcga_`` before it; or ``overall``.
    """
    return _numbers().get((table, row, encoder, plain_name(cohort)))


def comparable(evaluation: Evaluation) -> bool:
    """Return whether an evaluation compares with the published C-index of its method.

    Its patients are real and its encoder was trained.  It was trained by the recipe that the paper uses for all
    methods, with the hyper-parameters of the method's defaults or of a preset, on complete patients, and with as many
    clusters as in the paper.
    """
    run = evaluation.runs[0]
    other = choices(evaluation.method, run["hyper"]).own or evaluation.track == "native" or "lacking" in run
    return not (evaluation.caveats or other) and evaluation.facts["k"] in (
        None,
        PAPER_K,
    )


def published_beside(evaluation: Evaluation) -> Published | None:
    """Return the published C-index of an evaluation's method, encoder and cohort; None if there is none to compare."""
    found = published(1, evaluation.method, evaluation.encoder, evaluation.cohort)
    return found if found and comparable(evaluation) else None


def are_the_five(cohorts: Iterable[str]) -> bool:
    """Return whether these are the five cohorts of the paper."""
    return sorted(map(plain_name, cohorts)) == sorted(COHORTS)


def plain_name(cohort: str) -> str:
    """Return a cohort's name as the published tables write it."""
    return cohort.lower().removeprefix("tcga_").removeprefix("tcga-")


@cache
def _numbers() -> dict[tuple[int, str, str, str], Published]:
    table = read_table(Path(__file__).with_name("published.csv"), text=("row", "encoder", "cohort", "name"))
    return {
        (int(row["table"]), row["row"], row["encoder"], row["cohort"]): Published(
            row["name"] if row["name"] == row["name"] else "",
            float(row["mean"]),
            None if row["std"] != row["std"] else float(row["std"]),
        )
        for row in table.to_dict("records")
    }
