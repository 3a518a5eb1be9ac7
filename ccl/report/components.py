"""The knowledge components of one evaluation on the page: Figure 8 and the numbers behind its claims."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ccl.report.figures import figure_name
from ccl.results.gather import Evaluation

Number = tuple[float, float]
"""Mean and standard deviation over folds."""


def components(evaluation: Evaluation, drawn: Mapping[str, Markup]) -> dict[str, Any] | None:
    """Return what the page shows of the components of an evaluation; None if it has none."""
    found = evaluation.components
    if found is None:
        return None
    numbers: dict[tuple[str, str, str], Number | None] = {
        (row["statistic"], row["first"], row["second"]): None if math.isnan(row["mean"]) else (row["mean"], row["std"])
        for row in found.similarity.fillna({"first": "", "second": ""}).to_dict("records")
    }
    names = list(found.facts["components"])
    cosines = {
        (first, second): numbers["cosine", first, second]
        for at, first in enumerate(names)
        for second in names[at + 1 :]
    }
    return {
        "figure": drawn[figure_name(evaluation, "components")],
        "names": names,
        "cosines": cosines,
        "between": {name: numbers["between", name, ""] for name in names if ("between", name, "") in numbers},
        "groups": {name: numbers["silhouette_groups", name, ""] for name in names},
        "apart": numbers["silhouette_components", "", ""],
        "by_interval": found.facts["groups"] != "guidance",
        "seed": found.facts["embedded_seed"] if len(found.facts["seeds"]) > 1 else None,
    }
