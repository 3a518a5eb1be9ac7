"""The report stage: evaluations in, one page, its tables and its figures out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from ccl.components.figures import one_evaluation
from ccl.evaluate import PROTOCOLS
from ccl.io.files import write_table, write_text
from ccl.io.progress import progress
from ccl.pages import style
from ccl.report import ReportSettings, figures
from ccl.report.html import render
from ccl.report.latex import latex_tables
from ccl.report.patients import read_explained
from ccl.report.tables import evaluations_of, make_tables
from ccl.results.gather import Evaluation, gather


def write_report(
    *,
    out: Path,
    evaluations: Sequence[Path],
    config: Mapping[str, Any],
    settings: ReportSettings,
    explained: Sequence[Path] = (),
    components: Sequence[Path] = (),
) -> None:
    """Write ``report.html``, ``tables/*.csv`` and ``*.tex``, and ``figures/*.{svg,png}``.

    The page needs nothing but itself.  Tables and figures of an earlier report that this one does not have are
    removed, so that the folder never mixes two.

    Parameters
    ----------
    out : Path
        Folder of the report.
    evaluations : sequence of Path
        The ``evaluation.json`` of every method and cohort; what else is shown lies where docs/formats.md says.
    config : mapping
        The workflow's config, shown on the page.
    settings : ReportSettings
        Title of the page and length of its gallery.
    explained : sequence of Path
        Folders of the explain stage, a cohort and model each, whose patients the page shows.
    components : sequence of Path
        ``components.json`` of those evaluations that have one.

    Raises
    ------
    InputError
        No evaluation is named, or a file that the layout promises is missing or damaged.
    """
    cohorts = gather(evaluations, components)
    patients = read_explained(explained, out=out)
    tables = make_tables(cohorts)
    drawn = _draw(evaluations_of(cohorts), out / "figures")
    for name, table in tables.items():
        write_table(out / "tables" / f"{name}.csv", table)
    for_paper = latex_tables(tables, evaluations_of(cohorts))
    for name, text in for_paper.items():
        write_text(out / "tables" / f"{name}.tex", text)
    page = render(cohorts, tables, drawn, config=config, settings=settings, explained=patients, folder=out.absolute())
    write_text(out / "report.html", page)
    _remove_others(out / "tables", {f"{name}.csv" for name in tables}, "*.csv")
    _remove_others(out / "tables", {f"{name}.tex" for name in for_paper}, "*.tex")
    for suffix in ("svg", "png"):
        _remove_others(out / "figures", {f"{name}.{suffix}" for name in drawn}, f"*.{suffix}")


def _draw(evaluations: Sequence[Evaluation], folder: Path) -> dict[str, Markup]:
    """Draw and save every figure; return them as elements of the page, by the name of their file."""
    drawn = {}
    with style.house_style():
        svg = style.save(figures.c_index(evaluations), folder, "c_index")
        drawn["c_index"] = style.inline(svg, "c_index", "C-index of every fold, as the tables of this page list it.")
        for item in progress(evaluations, "figures", unit="method"):
            for name, figure, words in _figures_of(item):
                drawn[name] = style.inline(style.save(figure, folder, name), name, words)
    return drawn


def _figures_of(evaluation: Evaluation) -> Iterator[tuple[str, Figure, str]]:
    """Yield name, figure and words for the blind, of everything drawn of one method on one cohort."""
    words = figures.describe(evaluation)
    for protocol in PROTOCOLS:
        told = f"{words}, {figures.PROTOCOL_WORDS[protocol]}"
        groups = evaluation.facts["protocols"][protocol]["kaplan_meier"]
        yield (
            figures.figure_name(evaluation, "kaplan_meier", protocol),
            figures.kaplan_meier(evaluation, protocol),
            f"Kaplan-Meier curves of {told}: {groups['n_high']} patients of high risk, {groups['n_low']} of low risk, "
            f"log-rank p {figures.format_p(groups['log_rank_p'])}.",
        )
        test = evaluation.facts["protocols"][protocol]["t_test"]
        yield (
            figures.figure_name(evaluation, "t_test", protocol),
            figures.t_test(evaluation, protocol),
            f"Predicted risk by {told}: {test['n_short']} patients who died by {test['split_months']:.1f} months, "
            f"{test['n_long']} who lived longer, p {figures.format_p(test['p'])}.",
        )
    if (calibration := figures.calibration(evaluation)) is not None:
        yield (
            figures.figure_name(evaluation, "calibration"),
            calibration,
            f"Predicted against observed survival of {words}, last epoch, as the file calibration.csv lists it.",
        )
    if evaluation.components is not None:
        yield (
            figures.figure_name(evaluation, "components"),
            one_evaluation(evaluation.components),
            f"Knowledge components of test patients of {words} by t-SNE, as the file components.csv lists them; the "
            "tables below say how far they differ.",
        )
    yield (
        figures.figure_name(evaluation, "learning_curve"),
        figures.learning_curve(evaluation),
        f"C-index and loss of {words} after every epoch.",
    )


def _remove_others(folder: Path, made: Iterable[str], pattern: str) -> None:
    for path in folder.glob(pattern):
        if path.name not in made:
            path.unlink()
