"""What a cohort's ``summary.json`` says, in sentences for the log and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ccl.pages.numbers import plural

NAMED = 5
"""Patients that a sentence names; ``summary.json`` has all of them."""


def notes(summary: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know about endpoint, start of follow-up, patients left out, sites and repeats."""
    return list(_notes(summary))


def _notes(summary: Mapping[str, Any]) -> Iterator[str]:
    endpoint = summary.get("endpoint")
    if endpoint:
        yield from _endpoint(endpoint)
    if months := summary.get("landmark_months"):
        yield f"Time starts {months:g} months after the table's own start."
    for reason, patients in summary.get("left_out", {}).items():
        yield f"{plural(len(patients), 'patient')} left out ({reason}): {_named(patients)}."
    if held_out := summary.get("held_out"):
        count = plural(len(held_out["patients"]), "patient")
        sites = f" of {plural(len(held_out['sites']), 'site')}" if "sites" in held_out else ""
        yield (
            f"{count}{sites} with {plural(held_out['events'], 'event')} are held out: no fold trains on them or tests"
            f" them, and no other number of this cohort counts them: {_named(held_out['patients'])}."
        )
    if tests := summary.get("tests_per_patient"):
        number = f"{tests['most']}" if tests["least"] == tests["most"] else f"{tests['least']} to {tests['most']}"
        of_all = "Curves, groups and calibration use one risk per patient, the mean over these folds"
        yield (
            f"Each patient is tested in {number} folds. A mean is over all folds, and its standard deviation is between"
            " folds that share patients. "
            + (
                "Pooled C-indices, AUC and Brier scores are computed for each repeat, and their mean over repeats is"
                f" shown. {of_all}."
                if tests["least"] == tests["most"]
                else f"{of_all}; so do pooled numbers and comparisons."
            )
        )
    if shared := [fold["shared_sites"] for fold in summary["folds"] if "shared_sites" in fold]:
        if any(shared):
            number = " to ".join(map(str, dict.fromkeys((min(shared), max(shared)))))
            yield f"On both sides of a fold are {number} of {summary['sites']} hospitals."
        else:
            yield f"No hospital is on both sides of a fold ({summary['sites']} in all)."


def _endpoint(endpoint: Mapping[str, Any]) -> Iterator[str]:
    name = endpoint["name"]
    event, censored = (", ".join(endpoint["values"][kind]) for kind in ("event", "censored"))
    yield (
        f"The endpoint is {name}, of the columns {endpoint['event_column']} (event: {event}; censored: {censored}) and"
        f" {endpoint['time_column']} ({endpoint['time_unit']})."
        + ("" if name == "OS" else f" Where results say death, they mean an event of {name}.")
    )
    if (competing := endpoint["competing_deaths"]) is not None:
        yield f"Competing deaths are treated as censored: {plural(competing, 'death')} without an event of {name}."
    for what, patients in endpoint["records"].items():
        yield f"{plural(len(patients), 'record')} to check ({what}): {_named(patients)}."


def _named(patients: Sequence[str]) -> str:
    more = len(patients) - NAMED
    return ", ".join(patients[:NAMED]) + (f" and {more} more" if more > 0 else "")


def fold_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return a line for each fold."""
    return [
        f"fold {row['fold']}: train {row['train']} ({row['train_events']} events), test {row['test']}"
        f" ({row['test_events']} events, median time {row['test_median_months']:.1f} months"
        + (f", {plural(row['test_sites'], 'site')}, {row['shared_sites']} also in train" if "test_sites" in row else "")
        + ")"
        for row in summary["folds"]
    ]
