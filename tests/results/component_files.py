"""What the stage `components` leaves, none of it computed."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import pandas as pd

from ccl.io.files import write_json, write_table

NAMES = ("common", "synergistic", "genomic-specific", "pathology-specific")


def write_components(folder: Path, *, folds: int = 2, names: tuple[str, ...] = NAMES, encoder: str = "uni") -> Path:
    """What the stage `components` leaves, every second patient censored, none of it computed."""
    rows = [
        (fold, f"P{patient}", name, float(patient), float(place), patient % 2 + 1, patient % 2, -0.5)
        for fold in range(folds)
        for patient in range(6)
        for place, name in enumerate(names)
    ]
    columns = ["fold", "patient_id", "component", "x", "y", "group", "censorship", "risk"]
    write_table(folder / "components.csv", pd.DataFrame(rows, columns=columns))
    keys = [("cosine", *pair) for pair in combinations(names, 2)]
    keys += [("between", name, "") for name in names[:-2]] + [("silhouette_components", "", "")]
    keys += [("silhouette_groups", name, "") for name in names]
    table = pd.DataFrame(keys, columns=["statistic", "first", "second"])
    mean = [math.nan if kind == "silhouette_groups" else 0.5 - 0.125 * row for row, (kind, *_) in enumerate(keys)]
    write_table(folder / "similarity.csv", table.assign(mean=mean, std=0.125, folds=folds))
    cohort = folder.parents[2].name
    facts = {"cohort": cohort, "encoder": encoder, "model": "ccl", "method": "ccl", "weights": "hub", "synthetic": True}
    more = {"seeds": [3, 4], "embedded_seed": 3, "components": names, "groups": "guidance"}
    write_json(folder / "components.json", facts | more)
    return folder / "components.json"
