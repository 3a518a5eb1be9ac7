"""The C-indices of the publication's Table I, to stand beside one's own.

Zhou, Zhou and Chen, "Cohort-Individual Cooperative Learning for Multimodal Cancer Survival Analysis": five-fold
cross-validation on five TCGA cohorts; the epoch was chosen on the test folds, so the numbers compare with the
protocol ``best-on-test`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ccl.io.files import read_table
from ccl.report.choices import choices
from ccl.results.gather import Evaluation

COHORTS = ("blca", "brca", "gbmlgg", "luad", "ucec")

OVERALL = "overall"
"""What stands for all five in the place of a cohort's name in the published table."""

OVERALL_COLUMN = "Overall"
"""The same in one's own tables."""


@dataclass(frozen=True)
class Published:
    """One cell of Table I."""

    name: str
    """The method as the publication names it."""
    mean: float
    std: float | None
    """None for the mean over the five cohorts."""


PAPER_K = 6
"""Clusters of a patient in the paper."""


def comparable(evaluation: Evaluation) -> bool:
    """Whether published numbers may stand beside an evaluation.

    Its patients are real, its encoder was trained, it was trained as the paper trains all methods, its
    hyper-parameters are the method's defaults or one of its presets, and it reads as many clusters as in the paper: a
    method that has been changed is no longer the published one.
    """
    changed = choices(evaluation.method, evaluation.runs[0]["hyper"]).own
    native = evaluation.runs[0].get("track") == "native"
    return not (evaluation.caveats or changed or native) and evaluation.facts["k"] in (None, PAPER_K)


def published_beside(evaluation: Evaluation) -> Published | None:
    """Return the published C-index of an evaluation's method, encoder and cohort; None where nothing compares."""
    found = published(evaluation.method, evaluation.encoder, evaluation.cohort)
    return found if found and comparable(evaluation) else None


def published(method: str, encoder: str, cohort: str) -> Published | None:
    """Return the published C-index of a method with an encoder on a cohort, or None if there is none.

    Parameters
    ----------
    cohort : str
        One of the five cohorts, in any case and with or without ``tcga_`` before it; or ``overall``.
    """
    return _table().get((method, encoder, plain_name(cohort)))


def plain_name(cohort: str) -> str:
    """Return a cohort's name as the table writes it."""
    return cohort.lower().removeprefix("tcga_").removeprefix("tcga-")


@cache
def _table() -> dict[tuple[str, str, str], Published]:
    table = read_table(Path(__file__).with_name("published.csv"), text=("method", "encoder", "cohort", "name"))
    return {
        (row["method"], row["encoder"], row["cohort"]): Published(
            row["name"], float(row["mean"]), None if row["std"] != row["std"] else float(row["std"])
        )
        for row in table.to_dict("records")
    }
