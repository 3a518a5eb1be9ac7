"""Pairwise comparison of models on the same patients."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from ccl.evaluate import GIVEN
from ccl.evaluate.bootstrap import HALF_WIDTH, resample
from ccl.evaluate.concordance import comparable_pairs
from ccl.evaluate.repeats import pooled_concordance, resampled_pooled, risk_columns
from ccl.io.errors import InputError
from ccl.io.files import read_table, write_table

SAME_MONTHS = 1e-6
"""Relative difference up to which two times of follow-up are the same."""

ROUNDING = 1e-12
"""Differences in C-index below this are rounding."""


def compare_evaluations(*, evaluations: Sequence[Path], out: Path, protocol: str) -> list[str]:
    """Compare the pooled C-index of every two evaluations, patient by patient, and write the table `out`.

    Each resample of the patients gives both models a C-index on the same patients.  The standard error of their
    difference is the standard deviation over resamples; interval and p are those of a normal distribution.  Patients
    that not every model predicted are left out.

    Parameters
    ----------
    evaluations : sequence of Path
        Folders that ``ccl evaluate`` wrote.
    out : Path
        Table to write, as docs/formats.md describes it.
    protocol : str
        Protocol of the risks; predictions made elsewhere have only one.

    Returns
    -------
    list of str
        The comparison in words, one line per pair.

    Raises
    ------
    InputError
        There are fewer than two evaluations, one lacks the protocol, follow-up differs, or no patients can be compared.
    """
    if len(set(evaluations)) < max(2, len(evaluations)):
        raise InputError(
            "there is nothing to compare",
            found=", ".join(map(str, evaluations)) or "no folder",
            expected="two different folders or more that `ccl evaluate` wrote",
            todo="name them",
        )
    judged = [read_judged(folder, protocol) for folder in evaluations]
    patients, left = common_patients(judged)
    table = _compare(judged, patients)
    write_table(out, table)
    return [*left, *(_line(row) for row in table.to_dict("records"))]


@dataclass(frozen=True)
class Judged:
    """The risks of one evaluation that are compared."""

    folder: Path
    protocol: str
    risks: pd.DataFrame
    """By patient: ``months``, ``censorship``, ``risk``, that of each repeat, and other columns that were asked for."""


def read_judged(folder: Path, protocol: str, others: Sequence[str] = ()) -> Judged:
    """Read the risks of a protocol; predictions made elsewhere have only one, whichever is asked for.

    Parameters
    ----------
    folder : Path
        Folder that ``ccl evaluate`` wrote.
    protocol : str
        The protocol.
    others : sequence of str
        More columns of ``risks.csv``, read as text.

    Raises
    ------
    InputError
        The evaluation does not have the protocol.
    """
    path = folder / "risks.csv"
    columns = ("patient_id", "months", "censorship", "risk", *others)
    risks = read_table(path, required=("protocol", *columns), text=("patient_id", *others))
    known = list(dict.fromkeys(risks["protocol"]))
    wanted = GIVEN if known == [GIVEN] else protocol
    if wanted not in known:
        raise InputError(
            "an evaluation does not have the protocol",
            where=str(path),
            found=f"{', '.join(known)}; not {wanted}",
            expected="a protocol that every evaluation has",
            todo="choose it by --protocol",
        )
    chosen = list(dict.fromkeys([*columns, *risk_columns(risks)]))
    rows = risks.loc[risks["protocol"] == wanted, chosen]
    return Judged(folder, wanted, rows.set_index("patient_id").sort_index())


def common_patients(judged: Sequence[Judged]) -> tuple[pd.Index[str], list[str]]:
    """Return the patients that all evaluations have, and a line for each that has more.

    Raises
    ------
    InputError
        Follow-up differs, or no patients can be compared.
    """
    first, *others = judged
    patients = first.risks.index
    for other in others:
        patients = patients.intersection(other.risks.index)
    follow_up = first.risks.loc[patients, ["months", "censorship"]]
    for other in others:
        theirs = other.risks.loc[patients, ["months", "censorship"]]
        other_than = ~np.isclose(theirs, follow_up, rtol=SAME_MONTHS, atol=0).all(axis=1)
        if other_than.any():
            patient = patients[int(np.argmax(other_than))]
            raise InputError(
                "the follow-up of a patient differs between two evaluations",
                where=f"{first.folder} and {other.folder}, patient {patient}",
                found=" and ".join(
                    f"months {row['months']:g}, censorship {row['censorship']:g}"
                    for row in (follow_up.loc[patient], theirs.loc[patient])
                ),
                expected="the same patients with the same follow-up",
                todo="judge both models on the same tables",
            )
    risks = first.risks.loc[patients]
    if not comparable_pairs(risks["months"], risks["censorship"]):
        raise InputError(
            "there are no patients to compare on",
            where=", ".join(str(one.folder) for one in judged),
            found=f"{len(patients)} patients that all have judged",
            expected="among them somebody who died and was outlived by another",
            todo="compare models of one cohort",
        )
    beyond = {one.folder: len(one.risks) - len(patients) for one in judged}
    left = [
        f"{folder}: {count} patients left out whom not all have judged" for folder, count in beyond.items() if count
    ]
    return patients, left


def _compare(judged: Sequence[Judged], patients: pd.Index[str]) -> pd.DataFrame:
    pairs = list(combinations(range(len(judged)), 2))
    table = differences([one.risks.loc[patients] for one in judged], pairs)
    for column, place in (("second", 1), ("first", 0)):
        sides = [judged[pair[place]] for pair in pairs]
        table.insert(0, f"{column}_protocol", [side.protocol for side in sides])
        table.insert(0, column, [str(side.folder) for side in sides])
    return table.assign(p_holm=holm(table["p"]))


def differences(risks: Sequence[pd.DataFrame], pairs: Sequence[tuple[int, int]]) -> pd.DataFrame:
    """Return the difference between the pooled C-indices of two models, on the same resamples of the same patients.

    In repeated cross-validation a model's C-index is the mean over repeats, in each resample too.

    The standard error is the standard deviation over resamples; interval and p are those of a normal distribution.

    Parameters
    ----------
    risks : sequence of DataFrame
        ``months``, ``censorship``, ``risk`` and that of each repeat (:func:`ccl.evaluate.repeats.risk_columns`) of each
        model, of the same patients in the same order.
    pairs : sequence of (int, int)
        Which of them are compared, first minus second.

    Returns
    -------
    DataFrame
        A row per pair: ``n_patients``, ``n_events``, ``first_c_index``, ``second_c_index``, ``difference``, ``se``,
        ``lower``, ``upper``, ``p`` (not corrected for the number of pairs).  If all resamples give the same
        difference, and it is not 0, the last four are NaN.
    """
    patients, events = len(risks[0]), int((risks[0]["censorship"] == 0).sum())
    counts = resample(patients)
    c_index = [float(np.mean(pooled_concordance(rows))) for rows in risks]
    resampled = [resampled_pooled(rows, counts) for rows in risks]
    rows = []
    for i, j in pairs:
        difference = c_index[i] - c_index[j]
        error = float(np.nanstd(resampled[i] - resampled[j], ddof=1))
        if error < ROUNDING:
            # Models that order all patients alike do not differ; any other constant difference has no error to test by.
            error = 0.0 if abs(difference) < ROUNDING else np.nan
        half = HALF_WIDTH * error
        rows.append(
            {
                "n_patients": patients,
                "n_events": events,
                "first_c_index": c_index[i],
                "second_c_index": c_index[j],
                "difference": difference,
                "se": error,
                "lower": np.maximum(difference - half, -1.0),
                "upper": np.minimum(difference + half, 1.0),
                "p": 1.0 if error == 0 else 2 * float(norm.sf(abs(difference) / error)),
            }
        )
    return pd.DataFrame(rows)


def holm(ps: ArrayLike) -> NDArray[np.float64]:
    """Return p-values (M,) corrected for their number (Holm, Scandinavian Journal of Statistics 1979).

    NaN stays NaN and does not count.
    """
    p = np.asarray(ps, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known])]
    corrected = np.full_like(p, np.nan)
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)).clip(max=1)
    return corrected


def _line(row: Mapping[Hashable, Any]) -> str:
    models = f"{row['first']} {row['first_c_index']:.3f} against {row['second']} {row['second_c_index']:.3f}"
    if np.isnan(row["p"]):
        return f"{models}: {row['difference']:+.3f} in every resample, so p is not defined"
    return (
        f"{models}: {row['difference']:+.3f} ({row['lower']:+.3f} to {row['upper']:+.3f}), "
        f"p = {row['p']:.2g}, of all pairs {row['p_holm']:.2g}"
    )
