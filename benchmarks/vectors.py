"""Lymphocyte maps as vectors, beside genes and covariates, in four TCGA cohorts.

    snakemake --cores 2 --configfile config/tcga-vectors.yaml --config data=../shared/data
    python benchmarks/vectors.py [--results results/tcga-vectors]

Prints the table of docs/tcga.md: the C-index after the last epoch, mean and standard deviation over the folds, of the
test patients that all models predict, because a model without vectors predicts more.  A model without all folds is left
out, and named.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from ccl.evaluate.concordance import concordance_index
from ccl.io.files import read_table


def read_predictions(folder: Path) -> pd.DataFrame:
    """Return ``model``, ``fold``, ``patient_id``, ``months``, ``censorship`` and ``risk`` of a cohort, last epoch."""
    tables = []
    for path in sorted(folder.glob("train/*/*/fold*/predictions.csv")):
        table = read_table(path, text=("patient_id",))
        last = table[table["epoch"] == table["epoch"].max()]
        tables.append(last.assign(model=path.parent.parent.name, fold=path.parent.name))
    found = pd.concat(tables)
    folds = found.groupby("model")["fold"].nunique()
    unfinished = folds.index[folds < folds.max()]
    if len(unfinished):
        print(f"{folder.name}: not all folds of {', '.join(unfinished)}", file=sys.stderr)
    return found[~found["model"].isin(unfinished)]


def of_all_models(found: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions of the patients that every model predicts."""
    models = found.groupby(["fold", "patient_id"])["model"].transform("nunique")
    return found[models == found["model"].nunique()]


def concordances(rows: pd.DataFrame) -> list[float]:
    """Return the C-index of each fold of a model."""
    folds = (own for _, own in rows.groupby("fold"))
    return [concordance_index(own["months"], own["censorship"], own["risk"]) for own in folds]


def main() -> None:
    """Print a row for each model, and a column for each cohort."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("results/tcga-vectors"), help="folder of the results")
    columns = {}
    for folder in sorted(parser.parse_args().results.glob("*/train")):
        rows = of_all_models(read_predictions(folder.parent))
        patients = rows.drop_duplicates("patient_id")
        heading = f"{folder.parent.name.upper()} ({len(patients)}, {int((patients['censorship'] == 0).sum())} deaths)"
        folds = {model: concordances(own) for model, own in rows.groupby("model")}
        columns[heading] = {model: f"{np.mean(own):.3f} ± {np.std(own):.3f}" for model, own in folds.items()}
    table = pd.DataFrame(columns).fillna("-")
    print(f"| model | {' | '.join(table.columns)} |\n|{'---|' * (1 + len(table.columns))}")
    for model, cells in table.iterrows():
        print(f"| `{model}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
