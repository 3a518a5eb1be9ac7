"""The explain stage: reads the folds of a model and writes a folder with a page for each patient."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from markupsafe import Markup
from matplotlib.figure import Figure

from ccl.config.keys import recorded
from ccl.config.sections import ExplainSettings
from ccl.data.intervals import survival_at
from ccl.data.tables import Tables, read_tables
from ccl.evaluate.folds import FoldRun, read_folds
from ccl.evaluate.survival import kaplan_meier
from ccl.explain import EXPLAINED, VERSION, figures
from ccl.explain.cases import Case, choose_cases
from ccl.explain.explanation import Explanation, explain_patient
from ccl.explain.maps import Examples, SlideMap, make_maps, write_geojson
from ccl.explain.page import render_patient
from ccl.io.bags import read_members
from ccl.io.errors import ConfigError
from ccl.io.files import read_table, write_json, write_table, write_text
from ccl.io.origin import record
from ccl.io.progress import progress
from ccl.io.sheets import read_slide_sheet
from ccl.pages.style import caveats, house_style, inline, save
from ccl.train.reload import check_tables
from ccl.wsi.encoders.published import made_from


def explain_patients(
    *,
    runs: Sequence[Path],
    outcomes: Path,
    genomics: Path | None,
    clusters: Path | None,
    slides: Path,
    manifests: Sequence[Path],
    out: Path,
    threads: int,
    settings: ExplainSettings,
    clinical: Path | None = None,
) -> None:
    """Write `out`, a folder for each patient, as docs/formats.md describes the explain stage.

    Parameters
    ----------
    runs : sequence of Path
        Fold folders of one model; each patient is explained by the fold that tested this patient.
    outcomes, genomics, clusters, clinical, slides, manifests
        Files of earlier stages. `outcomes` has the follow-up of the whole cohort. `genomics`, `clusters` and
        `clinical` are needed if the model reads them.

    Raises
    ------
    ConfigError
        The method has no attention, a file that it reads is not given, or a patient is not a test patient.
    ModelError
        A patient lacks what the method reads.
    InputError
        A file is missing or damaged, or the run was not trained on it.
    """
    torch.set_num_threads(threads)
    folds = read_folds(runs)
    _check_method(folds[0])
    tables = read_tables(
        folds[0].reads, genomics=genomics, clusters=clusters, clinical=clinical, slides=slides, manifests=manifests
    )
    members = read_members(slides, manifests)
    sheet = {slide.slide_id: slide for slide in read_slide_sheet(slides)}
    follow_up = read_table(outcomes, required=("patient_id", "months", "censorship"), text=("patient_id",))
    cohort = kaplan_meier(follow_up["months"], follow_up["censorship"])
    patches = made_from(next(iter(members.bags.values()))[0].path).departure
    for case in progress(choose_cases(folds, settings), "explain", unit="patient"):
        check_tables(case.run, [case.patient], tables)
        explanation = explain_patient(case, tables)
        maps, examples = make_maps(members.bags[case.patient], sheet, explanation, tables.clusters)
        case = replace(case, run=replace(case.run, facts={**case.run.facts, "patches": patches}))
        written = _write(out / case.patient, case, explanation, maps, examples, cohort=cohort, tables=tables)
        record(
            "explain",
            VERSION,
            outputs=written,
            inputs={
                "fold": case.run.files,
                "patients": outcomes,
                "genomics": genomics,
                "clusters": clusters,
                "clinical": clinical,
                "sheet": slides,
                "manifest": manifests,
            },
            settings=recorded(settings),
        )


def _check_method(run: FoldRun) -> None:
    if run.facts["method"] not in EXPLAINED:
        raise ConfigError(
            "the method has no attention to show",
            where=str(run.folder),
            found=run.facts["method"],
            expected=", ".join(EXPLAINED),
            todo="explain a model of one of these methods",
        )


def _write(
    folder: Path,
    case: Case,
    explanation: Explanation,
    maps: Sequence[SlideMap],
    examples: Sequence[Examples],
    *,
    cohort: pd.DataFrame,
    tables: Tables,
) -> list[Path]:
    """Write the folder of one patient, the page last, and return its files, the page first."""
    write_table(folder / "attention.csv", attention_table(explanation, tables))
    write_table(folder / "attributions.csv", explanation.attributions)
    write_table(folder / "survival.csv", survival_table(case, explanation), checksum=True)
    for slide in maps:
        if slide.places is not None:
            write_geojson(folder / f"{slide.slide_id}.geojson", slide)
    drawn: dict[str, Markup] = {}
    alts: dict[str, str] = {}
    with house_style():
        for name, figure, alt in _figures(case, explanation, maps, examples, cohort=cohort, tables=tables):
            drawn[name] = inline(save(figure, folder / "figures", name), name, alt)
            alts[name] = alt
    facts = _facts(case, explanation, maps) | _of_covariates(case, explanation, tables) | {"figures": alts}
    write_json(folder / "explanation.json", facts, checksum=True)
    write_text(folder / "explanation.html", render_patient(case, explanation, maps, drawn, facts=facts))
    names = ("explanation.html", "explanation.json", "attention.csv", "attributions.csv", "survival.csv")
    pictures = [folder / "figures" / f"{name}.{suffix}" for name in drawn for suffix in ("svg", "png")]
    outlined = [folder / f"{slide.slide_id}.geojson" for slide in maps if slide.places is not None]
    return [*(folder / name for name in names), *pictures, *outlined]


def survival_table(case: Case, explanation: Explanation) -> pd.DataFrame:
    """Return ``months`` and ``survival``: the corners of the predicted curve."""
    edges = case.run.edges
    months = [0.0, *edges[1:].tolist()]
    return pd.DataFrame({"months": months, "survival": survival_at(explanation.survival, edges, months)})


def attention_table(explanation: Explanation, tables: Tables) -> pd.DataFrame:
    """Return ``component``, ``kind``, ``name``, ``attention`` and ``std_over_seeds`` (NaN for a single seed)."""
    named = {"clusters": _cluster_names(explanation), "families": [family.name for family in tables.families]}
    rows = [
        {
            "component": component,
            "kind": "cluster" if kind == "clusters" else "family",
            "name": name,
            "attention": share,
            "std_over_seeds": explanation.spread[kind, component][number] if explanation.spread else math.nan,
        }
        for kind, names in named.items()
        for component, shares in getattr(explanation, kind).items()
        for number, (name, share) in enumerate(zip(names, shares, strict=True))
    ]
    return pd.DataFrame(rows, columns=["component", "kind", "name", "attention", "std_over_seeds"])


def _cluster_names(explanation: Explanation) -> list[str]:
    shares = next(iter(explanation.clusters.values()), ())
    return [f"cluster {number}" for number in range(1, len(shares) + 1)]


def _figures(
    case: Case,
    explanation: Explanation,
    maps: Sequence[SlideMap],
    examples: Sequence[Examples],
    *,
    cohort: pd.DataFrame,
    tables: Tables,
) -> Iterator[tuple[str, Figure, str]]:
    """Yield name, figure and alternative text of each figure."""
    notes = [f"{case.patient}, {case.run.facts['model']}", *caveats(case.run.facts)]
    end = case.run.facts["interval_edges"][-1]
    yield (
        "survival",
        figures.draw_survival(case, survival_table(case, explanation), cohort, notes),
        f"Predicted survival of {case.patient} beside the cohort's Kaplan-Meier curve: {explanation.survival[-1]:.0%} "
        f"at {end:.0f} months.",
    )
    moved = explanation.attributions
    if len(moved):
        sums = moved.groupby("component", sort=False)["attribution"].sum()
        told = ", ".join(f"{name} {value:+.3f}" for name, value in sums.items())
        yield "ways", figures.draw_components(moved, notes), f"Change of the risk through each component: {told}."
    if (moved["kind"] == "gene").any():
        yield (
            "genes",
            figures.draw_genes(moved, notes),
            "Genes that changed the risk most, through each component; attributions.csv lists them all.",
        )
    for kind, title, names in (
        ("families", "Attention to gene families", [family.name for family in tables.families]),
        ("clusters", "Attention to clusters of patches", _cluster_names(explanation)),
    ):
        shares = getattr(explanation, kind)
        if shares:
            words = f"{title} of {', '.join(shares)}; attention.csv lists the numbers."
            yield kind, figures.draw_shares(title, names, shares, notes), words
    yield from _of_slides(maps, examples, notes)


def _of_slides(
    maps: Sequence[SlideMap], examples: Sequence[Examples], notes: list[str]
) -> Iterator[tuple[str, Figure, str]]:
    norm = figures.make_scale(maps)
    for slide in maps:
        if slide.places is not None:
            words = f"Slide {slide.slide_id} with the attention of {', '.join(slide.scores)} on each of its patches."
            yield f"map.{slide.slide_id}", figures.draw_map(slide, norm, notes), words
    if examples:
        by_cluster = maps[0].labels is not None
        title = "Patches of each cluster, by descending attention" if by_cluster else "Patches by attention"
        ends = ("typical of the cluster", "least typical") if by_cluster else ("most attended", "least attended")
        words = f"{title}: {', '.join(item.label for item in examples)}; {ends[0]} on the left, {ends[1]} on the right."
        yield "patches", figures.draw_examples(examples, title, ends, notes), words


def _of_covariates(case: Case, explanation: Explanation, tables: Tables) -> dict[str, Any]:
    """Return each covariate of the patient with its attribution; nothing for a model that reads none."""
    if tables.clinical is None:
        return {}
    moved = explanation.attributions[explanation.attributions["kind"] == "covariate"].set_index("name")["attribution"]
    values = tables.clinical.table.loc[case.patient]
    return {
        "covariates": [
            {
                "name": covariate.name,
                "value": _shown(values[covariate.name]),
                "unit": covariate.unit,
                "attribution": float(moved[list(covariate.columns)].sum()),
            }
            for covariate in tables.clinical.covariates
        ]
    }


def _shown(value: Any) -> str | None:
    """Return a number or a level as text; None if it is missing."""
    if pd.isna(value):
        return None
    return value if isinstance(value, str) else f"{value:g}"


def _facts(case: Case, explanation: Explanation, maps: Sequence[SlideMap]) -> dict[str, Any]:
    """Return ``explanation.json``."""
    run: Mapping[str, Any] = case.run.facts
    return {
        "patient": case.patient,
        **{name: run[name] for name in ("cohort", "encoder", "model", "method", "fold", "seeds", "weights")},
        "synthetic": run["synthetic"],
        "months": case.months,
        "censorship": case.censorship,
        "risk": explanation.risk,
        "rank": case.rank,
        "n_patients": case.patients,
        "reference_risk": explanation.reference_risk,
        "unexplained": explanation.unexplained if len(explanation.attributions) else None,
        "slides": {slide.slide_id: {"notes": list(slide.notes)} for slide in maps},
    }
