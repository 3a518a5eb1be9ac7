"""What the lymphocyte maps of TCGA add to clinical covariates, on the official folds.

    python benchmarks/til.py [--data ../shared/data] [--shuffle]

The 17 descriptors of tumour-infiltrating lymphocytes of each slide (Saltz et al., Cell Reports 2018), averaged over the
slides of a patient, are given to a ridge Cox model, whose penalty is chosen among the training patients.  Its risks of
the test patients are judged as those of any model.  `--shuffle` gives each patient the descriptors of another; no gain
should be found then.  The folder holds the files that ``config/tcga.yaml`` names, and
``tcga_til/tcga_{cohort}_til.csv``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from ccl.added.patients import select
from ccl.added.stage import judge_protocol
from ccl.added.words import sentence
from ccl.clinical.stage import read_covariates
from ccl.cohort.stage import make_cohort
from ccl.config.cohort_sections import CohortSettings
from ccl.io.covariates import Clinical
from ccl.io.errors import InputError
from ccl.io.files import existing, read_table
from ccl.methods.cox.linear import choose_penalty
from ccl.methods.cox.ridge import ridge_cox
from ccl.plan import make_plan
from ccl.plan.cohorts import Cohort

CONFIG = Path(__file__).parents[1] / "config" / "tcga.yaml"


def descriptors(path: Path) -> pd.DataFrame:
    """Return the mean of each descriptor over the slides of each patient."""
    table = read_table(path, required=("ParticipantBarcode",))
    return table.groupby("ParticipantBarcode").mean(numeric_only=True)


def out_of_fold(x: pd.DataFrame, patients: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """Return the risk of each test patient with descriptors, from the training patients of the fold."""
    tables = []
    outcome = patients.set_index("patient_id")
    for fold, rows in folds.groupby("fold"):
        train, test = (
            [name for name in rows.loc[rows["role"] == role, "patient_id"] if name in x.index]
            for role in ("train", "test")
        )
        scaled = ((x - x.loc[train].mean()) / x.loc[train].std(ddof=0).replace(0, 1)).fillna(0)
        values, months = scaled.loc[train].to_numpy(), outcome.loc[train, "months"].to_numpy()
        dead = (outcome.loc[train, "censorship"] == 0).to_numpy()
        penalty = choose_penalty(values[:, :0], values @ values.T, months, dead, 1.0)
        weight = ridge_cox(values, months, dead, np.full(values.shape[1], penalty))
        tested = outcome.loc[test].assign(fold=fold, risk=scaled.loc[test].to_numpy() @ weight)
        tables.append(tested.reset_index())
    return pd.concat(tables)


def judge(cohort: Cohort, path: Path, *, shuffle: bool) -> str:
    """Return what the descriptors add to the covariates of a cohort, as a line."""
    entry = cohort.entry
    outcome = (entry.months_column, entry.censorship_column)
    columns = {"patient_column": entry.patient_column, "months_column": outcome[0], "censorship_column": outcome[1]}
    assert entry.clinical is not None
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        folds = [Path(fold) for fold in cohort.fold_files]
        make_cohort(
            cohort.name, out, settings=CohortSettings(**columns), patients=Path(*cohort.table("patients")), folds=folds
        )
        read_covariates(
            out, table=Path(*cohort.clinical_table), clinical=entry.clinical, outcome_columns=outcome,
            patient_column=entry.clinical.patient_column or entry.patient_column, patients=out / "patients.csv",
            folds=out / "folds.csv",
        )  # fmt: skip
        patients, split = (read_table(out / f"{name}.csv", text=("patient_id",)) for name in ("patients", "folds"))
        clinical = Clinical.read(out / "clinical.csv")
    x = descriptors(path)
    if shuffle:
        x = x.set_axis(np.random.default_rng(0).permutation(x.index))
    risks = out_of_fold(x, patients, split)
    found = judge_protocol(select(risks, clinical)[0], (), groups=False).facts
    arms = ", ".join(f"{arm} {facts['c_index']:.3f}" for arm, facts in found["arms"].items())
    said = sentence("the lymphocyte map", [each.name for each in clinical.covariates], found)
    counts = f"{len(risks)} patients, {int((risks['censorship'] == 0).sum())} deaths"
    return f"{cohort.name} ({counts}): {arms}; p {found['likelihood_ratio']['p']:.2g}. {said}"


def main() -> None:
    """Print a line for each cohort."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the tables of TCGA")
    parser.add_argument("--shuffle", action="store_true", help="hand the descriptors to other patients at random")
    options = parser.parse_args()
    try:
        existing(options.data / "tcga_til")
        plan = make_plan({**yaml.safe_load(CONFIG.read_text()), "data": str(options.data)}, [CONFIG])
    except InputError as error:
        print(f"nothing is measured: {error}")
        return
    for cohort in plan.cohorts.values():
        path = options.data / "tcga_til" / f"tcga_{cohort.name}_til.csv"
        if path.exists():
            print(judge(cohort, path, shuffle=options.shuffle), flush=True)
        else:
            print(f"{cohort.name}: no {path.name}")


if __name__ == "__main__":
    main()
