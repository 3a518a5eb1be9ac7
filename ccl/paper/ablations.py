"""Stage ``ablations``: Tables IV to VIII of the CCL paper, for the cohorts and encoders of a config.

Each point of a table is the config's own ``ccl`` model with a change.  A point whose change has no effect is that model
itself, which is trained only once, for the report and all tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ccl.paper import Table

VERSION = 2
"""Bumped when the stage's output changes for the same input."""

DEFAULT = "ccl"
"""The model that every point changes and is compared with."""


POINT_COLUMNS = (
    "point", "model", "protocol", "cohort", "encoder", "c_index", "std", "folds", "seeds", "difference", "se", "lower",
    "upper", "published", "published_difference", "data", "weights",
)  # fmt: skip


def _points(number: int, roman: str, subject: str, text: str) -> Table:
    means = "C-index, mean ± standard deviation over {mean_over}, features of {encoder}."
    caption = f"{subject.capitalize()}. {text} {means}"
    return Table(number, roman, subject, text, caption, POINT_COLUMNS, by_encoder=True)


ALIGNMENT = "Mean L2 distance between corresponding cluster centres of two training patients, after the last epoch."

TABLES: Mapping[int, Table] = {
    4: _points(4, "IV", "modules", "CCA aligns cluster centres, MKD decomposes knowledge, CGM guides by the cohort."),
    5: Table(
        5,
        "V",
        "alignment of cluster centres",
        ALIGNMENT,
        f"Alignment of cluster centres. {ALIGNMENT} Mean ± standard deviation over {{over}}, features of {{encoder}}.",
        ("point", "cohort", "encoder", "distance", "std", "folds", "seeds", "published", "data", "weights"),
        "distance",
        by_encoder=True,
    ),
    6: _points(
        6,
        "VI",
        "knowledge encoders",
        "Encoders of both modalities. A free encoder has no constraint on what it extracts.",
    ),
    7: _points(
        7,
        "VII",
        "similarity constraints",
        "Components whose constraints count in equation (4): genomic (G), pathology (P), common (C), synergistic (S).",
    ),
    8: _points(
        8, "VIII", "hyper-parameters", "Clusters k, update of the anchor τ, length of the cohort bank b, risk groups r."
    ),
}
"""The tables by number."""

DISTANCES = 5
"""The table without points, which has only the default model."""


@dataclass(frozen=True)
class Point:
    """One row of a table: a change of the default model."""

    table: int
    name: str
    """Suffix of the point's model name; also its row in ``published.csv``."""
    label: str
    """Label of the row in the table."""
    change: Mapping[str, Any]
    """Entries of the config's ``models`` section."""


def _modules(align: bool, decompose: bool, guide: bool) -> dict[str, Any]:
    return {"align": align, "decompose": decompose, "guide": guide}


def _encoders(common: int, synergy: int, free: int) -> dict[str, Any]:
    return {"common_encoders": common, "synergy_encoders": synergy, "free_encoders": free}


POINTS = (
    Point(4, "baseline", "Baseline", _modules(align=False, decompose=False, guide=False)),
    Point(4, "cca", "+ CCA", _modules(align=True, decompose=False, guide=False)),
    Point(4, "cca-mkd", "+ CCA + MKD", _modules(align=True, decompose=True, guide=False)),
    Point(4, "full", "+ CCA + MKD + CGM", _modules(align=True, decompose=True, guide=True)),
    Point(6, "encoders5", "5 (2 + 3 free)", _encoders(common=1, synergy=1, free=3)),
    Point(6, "encoders3", "3 (2 + 1 free)", _encoders(common=1, synergy=1, free=1)),
    Point(6, "common", "1 (common)", _encoders(common=1, synergy=0, free=0)),
    Point(6, "synergistic", "1 (synergistic)", _encoders(common=0, synergy=1, free=0)),
    Point(6, "encoders2", "2 (common, synergistic)", _encoders(common=1, synergy=1, free=0)),
    *(Point(7, terms, " + ".join(terms), {"knowledge_terms": terms}) for terms in ("GPS", "GPC", "PCS", "GCS", "GPCS")),
    *(Point(8, f"k{k}", f"k = {k}", {"k": k}) for k in (4, 6, 9)),
    *(Point(8, f"tau{tau}", f"τ = {tau}", {"anchor_update": tau}) for tau in (0.05, 0.1, 0.3)),
    *(Point(8, f"b{b}", f"b = {b}", {"bank_length": b}) for b in (5, 10, 20)),
    # The released preset uses the survival intervals as groups, and their number is fixed.  These points therefore
    # group by time.
    *(Point(8, f"r{r}", f"r = {r}", {"groups": r, "groups_by": "time"}) for r in (2, 4, 6)),
)
"""Every row of Tables IV, VI, VII and VIII, in the order of the paper."""

OWN: Mapping[str, Any] = {
    **_modules(align=True, decompose=True, guide=True),
    **_encoders(common=1, synergy=1, free=0),
    "knowledge_terms": "GPCS",
    "anchor_update": 0.1,
    "bank_length": 10,
    "groups": 4,
    "groups_by": "time",
}
"""Defaults of ``ccl.methods.ccl.network.Hyper``, for the hyper-parameters that points change.

They are repeated here because Snakemake needs the points to plan and does not load torch."""

OWN_OF_PRESET: Mapping[str, Mapping[str, Any]] = {"paper": {}, "released": {"groups_by": "intervals"}}
"""What each preset changes in :data:`OWN`."""


@dataclass(frozen=True)
class Row:
    """A point applied to a config's own model."""

    table: int
    name: str
    label: str
    model: str
    """Name of the point's model; :data:`DEFAULT` if the change has no effect."""
    entry: Mapping[str, Any]
    """The model's entry in the config's ``models`` section."""


def rows_of(base: Mapping[str, Any]) -> list[Row]:
    """Return the rows of Tables IV, VI, VII and VIII for a default model.

    If the config's own model is none of a table's points, the table ends with a row for it.

    Parameters
    ----------
    base : mapping
        The config's entry of the default model, with its clusters ``k``.
    """
    before = {**OWN, **OWN_OF_PRESET.get(base.get("preset", "paper"), {}), **base}
    rows = [_row(point, base, before) for point in POINTS]
    shown = {row.table for row in rows if row.model == DEFAULT}
    tables = dict.fromkeys(row.table for row in rows)
    return rows + [Row(table, "own", "as configured", DEFAULT, base) for table in tables if table not in shown]


def _row(point: Point, base: Mapping[str, Any], before: Mapping[str, Any]) -> Row:
    if all(before[key] == value for key, value in point.change.items()):
        return Row(point.table, point.name, point.label, DEFAULT, base)
    regrouped = "groups_by" in point.change and before["groups_by"] != point.change["groups_by"]
    label = point.label + (" (groups by time)" if regrouped else "")
    # Names in a config cannot have an @, so a point's model never has the name of another model.
    return Row(point.table, point.name, label, f"{DEFAULT}@{point.name}", {**base, **point.change, "method": DEFAULT})


def models_of(base: Mapping[str, Any], table: int | None = None) -> dict[str, Mapping[str, Any]]:
    """Return the models that a table (or all tables) needs, each with its entry for the ``models`` section.

    The default model comes first.
    """
    needed = [row for row in rows_of(base) if table in (None, row.table)]
    return {DEFAULT: base} | {row.model: row.entry for row in needed}
