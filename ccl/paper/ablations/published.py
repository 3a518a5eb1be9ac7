"""The numbers of the paper's Tables IV to VIII, to stand beside one's own.

They are means over the five folds of each of five TCGA cohorts, with ResNet-50 features and, as everywhere in the
paper, the epoch chosen on the test folds: they compare with the protocol ``best-on-test`` alone.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ccl.io.files import read_table
from ccl.results.published import plain_name


def published(point: str, cohort: str) -> float | None:
    """Return the published number of a point on a cohort, or None if there is none.

    Parameters
    ----------
    point : str
        Name of a point; for Table V ``before`` or ``after``.
    cohort : str
        One of the five cohorts, in any case and with or without ``tcga_`` before it; or ``overall``.
    """
    return _table().get((point, plain_name(cohort)))


@cache
def _table() -> dict[tuple[str, str], float]:
    table = read_table(Path(__file__).with_name("published.csv"), text=("table", "point", "cohort"))
    return {(row["point"], row["cohort"]): float(row["published"]) for row in table.to_dict("records")}
