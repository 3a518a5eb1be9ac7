"""Transforms of omics values, and whether values look as the config says."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ccl.io.errors import InputError
from ccl.source.account import Account
from ccl.source.matrix import Matrix

Values = NDArray[np.float32]

LOGARITHMIC = 50.0
"""A logarithm to base 2 of expression lies below; counts, TPM and RSEM of some gene lie above."""

SHARE = 0.01
"""Of values below 0, up to which they are noise around 0, as batch correction leaves it."""


def transform(kind: str, matrix: Matrix, how: str, *, account: Account) -> Matrix:
    """Return a matrix with each value transformed, after a look at whether the values are what the transform expects.

    Parameters
    ----------
    how : str
        ``none``, ``log2(x + 1)`` or ``x - 2``.

    Raises
    ------
    InputError
        Mutations are not 0 or 1, or a logarithm is asked of values of which many are below 0.
    """
    seen = _seen(matrix.values)
    account.tell(kind, transform=how, **{name: round(value, 4) for name, value in seen.items()})
    for doubt in _DOUBTS[kind](matrix.values, how):
        account.warn(f"{matrix.origin}: with `{kind}: transform: {how}`, {doubt} ({_words(seen)})")
    if how == "none":
        return matrix
    values = _log2(kind, matrix, account) if how == "log2(x + 1)" else matrix.values - np.float32(2)
    return Matrix(matrix.genes, matrix.samples, values, matrix.origin, matrix.first_line)


def check_mutations(matrix: Matrix) -> None:
    """Raise InputError for mutations that are not 0 or 1."""
    good = np.isin(matrix.values, (0, 1)) | np.isnan(matrix.values)
    if not good.all():
        row, column = np.argwhere(~good)[0]
        raise InputError(
            "a mutation is neither 0 nor 1",
            where=f"{matrix.place(int(row))}, gene {matrix.genes[row]}, sample {matrix.samples[column]}",
            found=f"{matrix.values[row, column]:g}",
            expected="1 if the gene is mutated, else 0",
            todo="name the table of mutations as `from: snv: table`",
        )


def _log2(kind: str, matrix: Matrix, account: Account) -> Values:
    below = matrix.values < 0
    share = float(below.mean())
    if share > SHARE:
        row, column = np.argwhere(below)[0]
        raise InputError(
            "a logarithm is asked of values below 0",
            where=f"{matrix.origin}, gene {matrix.genes[row]}, sample {matrix.samples[column]}",
            found=f"{matrix.values[row, column]:g} ({share:.0%} of all values are below 0)",
            expected="counts, TPM, FPKM or RSEM, 0 or more",
            todo=f"set `from: {kind}: transform: none` if the values are logarithmic already",
        )
    if below.any():
        account.warn(f"{matrix.origin}: {int(below.sum())} values below 0 ({share:.2%}) count as 0 in log2(x + 1)")
    return np.log2(np.maximum(matrix.values, 0) + np.float32(1))


def _seen(values: Values) -> dict[str, float]:
    names = ("smallest", "median", "largest")
    with np.errstate(invalid="ignore"):
        found = (np.nanmin(values), np.nanmedian(values[:: max(1, len(values) // 500)]), np.nanmax(values))
    return {name: float(value) for name, value in zip(names, found, strict=True)}


def _words(seen: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in seen.items())


def _doubts_of_rna(values: Values, how: str) -> list[str]:
    largest, below = float(np.nanmax(values)), float((values < 0).mean())
    if how == "none" and below > 0.2:
        return ["the values look like z-scores over all samples, test patients included; use a table without z-scores"]
    if how == "none" and largest > LOGARITHMIC:
        return ["the values look like counts, TPM, FPKM or RSEM; set `transform: log2(x + 1)`"]
    if how != "none" and largest < LOGARITHMIC:
        return ["the values look logarithmic already; set `transform: none`"]
    return []


def _doubts_of_cnv(values: Values, how: str) -> list[str]:
    smallest, largest = float(np.nanmin(values)), float(np.nanmax(values))
    if how == "none" and smallest >= 0 and largest > 2:
        return ["the values look like numbers of copies; set `transform: x - 2` for gains and losses"]
    if how == "none" and (largest > 2 or smallest < -2 or (values[~np.isnan(values)] % 1 != 0).any()):
        return ["the values are not the thresholds -2, -1, 0, 1, 2"]
    if how != "none" and smallest < 0:
        return ["the values look like gains and losses already; set `transform: none`"]
    return []


_DOUBTS: Mapping[str, Callable[[Values, str], list[str]]] = {"rna": _doubts_of_rna, "cnv": _doubts_of_cnv}
