"""External validations in the report: a section and a table of their own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from ccl.io.files import read_json
from ccl.pages.style import caveats
from ccl.validate.page import headline
from ccl.validate.words import shift_sentences

ENTRIES = ("cohort", "bundle", "model", "concordance", "drop", "calibration", "groups", "shift", "warnings")
"""Entries of ``evaluation.json`` that the section shows."""

COLUMNS = [
    "cohort", "bundle", "model", "method", "encoder", "trained_on", "n_patients", "n_events", "c_index", "lower",
    "upper", "uno", "internal_c_index", "difference", "difference_lower", "difference_upper", "brier",
    "brier_kaplan_meier", "months", "intercept", "slope", "hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper",
    "expression", "data", "weights",
]  # fmt: skip
"""Columns of ``validation.csv``; intercept and slope are those of the last time that has them."""


@dataclass(frozen=True)
class Validation:
    """A bundle validated on a cohort."""

    facts: Mapping[str, Any]
    """``evaluation.json``."""
    page: Path

    def row(self) -> dict[str, Any]:
        """Return its row of ``validation.csv``."""
        facts = self.facts
        groups, brier, drop = facts["groups"], facts["integrated_brier"], facts["drop"]
        known = [row for row in facts["calibration"] if row["slope"] is not None]
        last = known[-1] if known else dict.fromkeys(("months", "intercept", "slope"))
        return {
            **{name: facts[name] for name in COLUMNS if name in facts and name != "months"},
            "trained_on": facts["trained_on"]["cohort"],
            **{name: facts["concordance"][name] for name in ("c_index", "lower", "upper")},
            "uno": facts["uno"]["c_index"],
            "internal_c_index": drop["internal"],
            "difference": drop["difference"],
            **{f"difference_{end}": drop[end] for end in ("lower", "upper")},
            "brier": brier["score"],
            "brier_kaplan_meier": brier["kaplan_meier"],
            **{name: last[name] for name in ("months", "intercept", "slope")},
            **{name: groups[name] for name in ("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper")},
            "data": "synthetic" if facts["synthetic"] else "real",
        }

    def shown(self, folder: Path) -> dict[str, Any]:
        """Return what the section shows, with a link to its page from `folder`."""
        return {
            **self.row(),
            "caveats": caveats(self.facts),
            "sentences": [*headline(self.facts), *shift_sentences(self.facts["shift"])],
            "notes": self.facts["warnings"],
            "left_out": len(self.facts["left_out"]),
            "page": quote(Path(os.path.relpath(self.page, folder)).as_posix()),
        }


def read_validations(paths: Sequence[Path]) -> list[Validation]:
    """Read the ``evaluation.json`` of validations.

    Raises
    ------
    InputError
        A file is missing or damaged.
    """
    return [
        Validation(
            read_json(path, required=ENTRIES, todo="run `ccl validate` again"),
            path.absolute().parent / "validation.html",
        )
        for path in paths
    ]


def validation_table(validations: Sequence[Validation]) -> pd.DataFrame:
    """Return ``validation.csv``, a row for each validation."""
    return pd.DataFrame([one.row() for one in validations], columns=COLUMNS)
