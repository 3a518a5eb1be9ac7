"""Four endpoints of the five TCGA cohorts, with the official folds and with folds by hospital.

    snakemake --cores 2 --configfile config/tcga-endpoints.yaml --config data=../shared/data
    python benchmarks/endpoints.py [--results results/tcga-endpoints] [--protocol last]

Prints the tables of docs/tcga.md: mean C-index and standard deviation over the official folds and over folds by site,
and the mean difference.  A cohort is named as in the config, such as ``blca-dss`` or ``blca-dss-site``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ccl.cohort.endpoint import STANDARD
from ccl.io.files import read_json

SITE = "-site"
"""The ending of a cohort whose folds are drawn by site."""

FOLDS = ("official", "site")


def read_results(results: Path, protocol: str) -> pd.DataFrame:
    """Return ``cohort``, ``endpoint``, ``folds``, ``model``, ``patients``, ``events``, ``mean`` and ``std``."""
    rows = []
    for path in sorted(results.glob("*/evaluate/*/*/evaluation.json")):
        facts = read_json(path)
        cohort, endpoint = facts["cohort"].removesuffix(SITE).upper().rsplit("-", 1)
        row = {"cohort": cohort, "endpoint": endpoint, "folds": FOLDS[facts["cohort"].endswith(SITE)]}
        row |= {"model": facts["model"], "patients": facts["n_patients"], "events": facts["n_events"]}
        rows.append(row | {name: facts["protocols"][protocol][name] for name in ("mean", "std")})
    table = pd.DataFrame(rows)
    return table.sort_values(["cohort", "endpoint"], key=lambda names: names.map(_place), kind="stable")


def _place(name: str) -> str:
    """Return a text that sorts endpoints as they are usually listed, and cohorts by name."""
    return str(STANDARD.index(name)) if name in STANDARD else name


def print_row(cells: Sequence[object]) -> None:
    """Print a row of a table in Markdown."""
    print(f"| {' | '.join(map(str, cells))} |")


def print_table(found: pd.DataFrame) -> None:
    """Print a row for each cohort and endpoint, and both kinds of folds of each model."""
    models = list(dict.fromkeys(found["model"]))
    columns = [(model, folds) for model in models for folds in FOLDS]
    print_row(["cohort", "endpoint", "patients (events)", *(f"`{model}`, {folds}" for model, folds in columns)])
    print("|---" * (3 + len(columns)) + "|")
    for (cohort, endpoint), rows in found.groupby(["cohort", "endpoint"], sort=False):
        cells = [_cell(rows[(rows["model"] == model) & (rows["folds"] == folds)]) for model, folds in columns]
        first = rows.iloc[0]
        print_row([cohort, endpoint, f"{first['patients']} ({first['events']})", *cells])


def _cell(row: pd.DataFrame) -> str:
    return f"{row['mean'].iloc[0]:.3f} ± {row['std'].iloc[0]:.3f}" if row["mean"].notna().sum() == 1 else ""


def print_differences(found: pd.DataFrame) -> None:
    """Print how much higher the C-index is with the official folds, whose two sides share hospitals."""
    wide = found.pivot_table(index=["endpoint", "cohort", "model"], columns="folds", values="mean", sort=False)
    difference = (wide["official"] - wide["site"]).dropna().rename("difference").reset_index()
    models = list(dict.fromkeys(difference["model"]))
    print("\nOfficial minus site, mean over cohorts (number of cohorts in which the official folds are higher):\n")
    print_row(["endpoint", *(f"`{model}`" for model in models)])
    print("|---" * (1 + len(models)) + "|")
    for endpoint in sorted(set(difference["endpoint"]), key=_place):
        own = difference[difference["endpoint"] == endpoint]
        each = [own.loc[own["model"] == model, "difference"] for model in models]
        print_row([endpoint, *(f"{one.mean():+.3f} ({(one > 0).sum()} of {len(one)})" for one in each)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/tcga-endpoints"))
    parser.add_argument("--protocol", default="last")
    options = parser.parse_args()
    results = read_results(options.results, options.protocol)
    print_table(results)
    print_differences(results)
