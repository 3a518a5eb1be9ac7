"""The report stage: evaluations in, one page, its tables and its figures out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from ccl.config.sections import ReportSettings
from ccl.evaluate import PROTOCOLS
from ccl.io.files import read_json, write_table, write_text
from ccl.io.origin import record
from ccl.io.progress import progress
from ccl.pages.numbers import format_p
from ccl.pages.style import house_style, inline, save
from ccl.report import VERSION, figures
from ccl.report.added_figures import draw_added
from ccl.report.characteristics import read_characteristics
from ccl.report.external import read_validations, validation_table
from ccl.report.latex import latex_tables
from ccl.report.page import render_report
from ccl.report.patients import read_explained
from ccl.report.tables import make_tables
from ccl.results.components import draw_one
from ccl.results.figures import PROTOCOL_WORDS, draw
from ccl.results.gather import Cohort, Evaluation, evaluations_of, gather

BESIDE = ("risks", "curves", "calibration")
"""Tables beside ``evaluation.json`` that the report reads."""


def write_report(
    *,
    out: Path,
    evaluations: Sequence[Path],
    config: Mapping[str, Any],
    settings: ReportSettings,
    explained: Sequence[Path] = (),
    components: Sequence[Path] = (),
    added: Sequence[Path] = (),
    characteristics: Sequence[Path] = (),
    validations: Sequence[Path] = (),
) -> None:
    """Write ``report.html``, ``tables/*.csv`` and ``*.tex``, and ``figures/*.{svg,png}``.

    The page needs no other file.  Tables and figures of an earlier report that this one does not have are removed.

    Parameters
    ----------
    out : Path
        Folder of the report.
    evaluations : sequence of Path
        The ``evaluation.json`` of every model and cohort; other files are found beside them (docs/formats.md).
    config : mapping
        The workflow's config, shown on the page.
    settings : ReportSettings
        Title of the page.
    explained : sequence of Path
        Folders of the explain stage, one for each cohort and model, whose patients the page shows.
    components : sequence of Path
        ``components.json`` of those evaluations that have one.
    added : sequence of Path
        ``added.json`` of those evaluations that have one.
    characteristics : sequence of Path
        ``characteristics.csv`` of those cohorts that have covariates.
    validations : sequence of Path
        ``evaluation.json`` of each bundle that was validated on another cohort.

    Raises
    ------
    InputError
        No evaluation is named, or a file is missing or damaged.
    """
    cohorts = gather(evaluations, components, added)
    patients = read_explained(explained, out=out)
    described = [read_characteristics(path) for path in characteristics]
    external = read_validations(validations)
    tables = make_tables(cohorts) | {one.name: one.table for one in described}
    if external:
        tables["validation"] = validation_table(external)
    drawn = _draw(cohorts, out / "figures")
    for name, table in tables.items():
        write_table(out / "tables" / f"{name}.csv", table)
    for_paper = latex_tables(tables, evaluations_of(cohorts))
    for_paper |= {one.name: one.latex(cohorts) for one in described}
    for name, text in for_paper.items():
        write_text(out / "tables" / f"{name}.tex", text)
    page = render_report(
        cohorts,
        tables,
        drawn,
        config=config,
        settings=settings,
        explained=patients,
        characteristics=described,
        external=external,
        folder=out.absolute(),
    )
    write_text(out / "report.html", page)
    made = [*(f"tables/{name}.csv" for name in tables), *(f"tables/{name}.tex" for name in for_paper)]
    others = {
        "components": components,
        "added": added,
        "characteristics": characteristics,
        "validation": validations,
    }
    _record(out, [*made, *_files(drawn)], evaluations, others, {**asdict(settings), "config": dict(config)})
    _remove_others(out / "tables", {f"{name}.csv" for name in tables}, "*.csv")
    _remove_others(out / "tables", {f"{name}.tex" for name in for_paper}, "*.tex")
    for suffix in ("svg", "png"):
        _remove_others(out / "figures", {f"{name}.{suffix}" for name in drawn}, f"*.{suffix}")


def _draw(cohorts: Sequence[Cohort], folder: Path) -> dict[str, Markup]:
    """Draw and save every figure; return them as elements of the page, by the names of their files."""
    drawn, evaluations = {}, evaluations_of(cohorts)
    with house_style():
        svg = save(figures.draw_c_index(evaluations), folder, "c_index")
        drawn["c_index"] = inline(svg, "c_index", "C-index of every fold, as listed in the tables of this page.")
        for name, figure, alt in draw_added(cohorts):
            drawn[name] = inline(save(figure, folder, name), name, alt)
        for evaluation in progress(evaluations, "figures", unit="method"):
            for name, figure, alt in _draw_evaluation(evaluation):
                drawn[name] = inline(save(figure, folder, name), name, alt)
    return drawn


def _draw_evaluation(evaluation: Evaluation) -> Iterator[tuple[str, Figure, str]]:
    """Yield name, figure and alt text of every figure of one evaluation."""
    title = evaluation.full_title
    for protocol in PROTOCOLS:
        found = evaluation.facts["protocols"][protocol]
        groups, test = found["kaplan_meier"], found["t_test"]
        words = f"{title}, {PROTOCOL_WORDS[protocol]}"
        alts = {
            "kaplan_meier": f"Kaplan-Meier curves of {words}: {groups['n_high']} patients of high risk,"
            f" {groups['n_low']} of low risk, log-rank p {format_p(groups['log_rank_p'])}.",
            "t_test": f"Predicted risk by {words}: {test['n_short']} patients who died by"
            f" {test['split_months']:.1f} months, {test['n_long']} who lived longer, p {format_p(test['p'])}.",
        }
        for kind, alt in alts.items():
            yield figures.figure_name(evaluation, kind, protocol), draw(kind, evaluation, protocol), alt
    if (calibration := figures.draw_calibration(evaluation)) is not None:
        alt = f"Predicted against observed survival of {title}, last epoch, as listed in the file calibration.csv."
        yield figures.figure_name(evaluation, "calibration"), calibration, alt
    if evaluation.components is not None:
        alt = (
            f"Knowledge components of test patients of {title} by t-SNE, as listed in the file components.csv; the"
            " tables below show how much they differ."
        )
        yield figures.figure_name(evaluation, "components"), draw_one(evaluation.components), alt
    alt = f"C-index and loss of {title} after every epoch."
    yield figures.figure_name(evaluation, "learning_curve"), figures.draw_learning_curve(evaluation), alt


def _files(drawn: Iterable[str]) -> list[str]:
    return [f"figures/{name}.{suffix}" for name in drawn for suffix in ("svg", "png")]


def _record(
    out: Path,
    made: Sequence[str],
    evaluations: Sequence[Path],
    others: Mapping[str, Sequence[Path]],
    settings: Mapping[str, Any],
) -> None:
    """Record where the page comes from; a figure of one evaluation has a record of its own, without the rest."""
    files = [[path, *(path.with_name(f"{name}.csv") for name in BESIDE)] for path in evaluations]
    of_one: set[str] = set()
    for path, own in zip(evaluations, files, strict=True):
        facts = read_json(path)
        prefix = f"figures/{facts['cohort']}.{facts['encoder']}.{facts['model']}."
        mine = [name for name in made if name.startswith(prefix)]
        of_one.update(mine)
        record("report", VERSION, outputs=[out / name for name in mine], inputs={"evaluation": own}, folder=out)
    rest = [name for name in made if name not in of_one]
    inputs = {"evaluation": [file for own in files for file in own], **others}
    record("report", VERSION, outputs=[out / name for name in ("report.html", *rest)], inputs=inputs, settings=settings)


def _remove_others(folder: Path, made: Iterable[str], pattern: str) -> None:
    for path in folder.glob(pattern):
        if path.name not in made:
            path.unlink()
