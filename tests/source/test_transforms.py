"""Transforms, and values that look otherwise than the config says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ccl.io.errors import InputError
from ccl.source.account import Account
from ccl.source.matrix import Matrix
from ccl.source.transforms import check_mutations, transform
from ccl.source.words import notes

COUNTS = np.random.default_rng(0).lognormal(5, 2, (50, 20)).astype(np.float32)


def applied(kind: str, values: Any, how: str) -> tuple[np.ndarray, list[str]]:
    account = Account()
    values = np.asarray(values, dtype=np.float32)
    genes = tuple(f"G{number}" for number in range(len(values)))
    matrix = Matrix(genes, tuple(f"P{number}" for number in range(values.shape[1])), values, "matrix.tsv")
    return transform(kind, matrix, how, account=account).values, account.warnings


def test_log2_and_gains() -> None:
    values, warnings = applied("rna", COUNTS, "log2(x + 1)")
    np.testing.assert_allclose(values, np.log2(COUNTS.astype(float) + 1), rtol=1e-5)
    assert warnings == []
    values, warnings = applied("cnv", [[0, 2, 5]], "x - 2")
    assert values.tolist() == [[-2, 0, 3]]
    assert warnings == []


@pytest.mark.parametrize(
    ("kind", "values", "how", "expected"),
    [
        ("rna", COUNTS, "none", "look like counts, TPM, FPKM or RSEM"),
        ("rna", np.log2(COUNTS + 1), "log2(x + 1)", "look logarithmic already"),
        ("rna", np.linspace(-3, 3, 40).reshape(4, 10), "none", "look like z-scores over all samples"),
        ("rna", [[-1, -0.5, 0.5, 14070]], "none", "look like z-scores over all samples"),
        ("cnv", [[2, 2, 3, 8]], "none", "look like numbers of copies"),
        ("cnv", [[-0.31, 0.02, 1.2]], "none", "are not the thresholds"),
        ("cnv", [[-2, 0, 1]], "x - 2", "look like gains and losses already"),
    ],
)
def test_values_that_look_otherwise_draw_a_warning_with_the_evidence(
    kind: str, values: Any, how: str, expected: str
) -> None:
    (warning,) = applied(kind, values, how)[1]
    assert expected in warning
    assert f"smallest {np.min(values):.4g}" in warning
    assert f"largest {np.max(values):.4g}" in warning


@pytest.mark.parametrize(
    ("kind", "values", "how"),
    [("rna", np.log2(COUNTS + 1), "none"), ("cnv", [[-2, -1, 0, 1, 2]], "none"), ("cnv", [[0, 1, np.nan]], "none")],
)
def test_values_as_expected_draw_none(kind: str, values: Any, how: str) -> None:
    assert applied(kind, values, how)[1] == []


def test_a_few_values_below_0_count_as_0_and_many_are_refused() -> None:
    few = COUNTS.copy()
    few[0, 0] = -0.4
    values, (warning,) = applied("rna", few, "log2(x + 1)")
    assert values[0, 0] == 0
    assert "1 values below 0" in warning
    with pytest.raises(InputError, match=r"below 0(.|\n)*set `from: rna: transform: none`"):
        applied("rna", COUNTS - 100, "log2(x + 1)")


def test_mutations_are_0_or_1() -> None:
    check_mutations(Matrix(("A",), ("S1", "S2", "S3"), np.array([[0, 1, np.nan]], dtype=np.float32), "m.tsv"))
    with pytest.raises(InputError, match=r"m.tsv, line 3, gene B, sample S2(.|\n)*found: +2"):
        check_mutations(Matrix(("A", "B"), ("S1", "S2"), np.array([[0, 1], [0, 2]], dtype=np.float32), "m.tsv", 2))


def test_the_report_says_where_a_cohort_is_from() -> None:
    summary = {"layout": "gdc", "patients": 12, "kinds": ["rna", "snv"], "complete": 9, "warnings": ["odd values"]}
    assert notes(summary) == [
        "Read from a download from the GDC: 12 patients, of whom 9 have all of rna, snv.",
        "odd values",
    ]
    assert notes({**summary, "kinds": [], "complete": None, "warnings": []}) == [
        "Read from a download from the GDC: 12 patients."
    ]
