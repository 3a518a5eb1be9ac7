"""The figures stage: evaluations or components of models in, a figure for each model out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ccl.components.figures import Components, read_components, tsne
from ccl.evaluate import PROTOCOLS
from ccl.io.errors import InputError
from ccl.pages.style import house_style, save
from ccl.paper.figures import JUDGED
from ccl.paper.figures.panels import judged, shared_caveats
from ccl.report.tables import evaluations_of
from ccl.results.gather import Evaluation, gather


def draw_figures(*, figure: str, sources: Sequence[Path], out: Path) -> None:
    """Write ``figure{N}.{encoder}.{model}.svg`` and ``.png`` of each model, and of another protocol with its name.

    Parameters
    ----------
    figure : {"6", "7", "8"}
        Number of the figure in the paper.
    sources : sequence of Path
        ``evaluation.json`` of each model and cohort; for Figure 8, ``components.json``.
    out : Path
        Folder of the figures.

    Raises
    ------
    InputError
        Nothing is named, or a file is missing or damaged.
    """
    with house_style():
        for name, drawn in (_judged(figure, sources) if figure in JUDGED else _components(sources)).items():
            save(drawn, out, f"figure{figure}.{name}")


def _judged(figure: str, sources: Sequence[Path]) -> dict[str, Figure]:
    """Return Figure 6 or 7 of each model and protocol, by the name of its file."""
    models: dict[str, list[Evaluation]] = {}
    for evaluation in evaluations_of(gather(sources)):
        models.setdefault(f"{evaluation.encoder}.{evaluation.model}", []).append(evaluation)
    return {
        model + ("" if protocol == "last" else f".{protocol}"): judged(figure, evaluations, protocol)
        for model, evaluations in models.items()
        for protocol in PROTOCOLS
    }


def _components(sources: Sequence[Path]) -> dict[str, Figure]:
    """Return Figure 8 of each model, by the name of its file."""
    if not sources:
        raise InputError(
            "there are no components to draw",
            expected="one components.json or more that `ccl components` wrote",
            todo="name the files",
        )
    models: dict[str, list[Components]] = {}
    for source in sources:
        found = read_components(Path(source).parent)
        models.setdefault(f"{found.facts['encoder']}.{found.facts['model']}", []).append(found)
    return {model: _figure8(items) for model, items in models.items()}


def _figure8(items: Sequence[Components]) -> Figure:
    facts = items[0].facts
    notes = [*items[0].notes, *shared_caveats((item.cohort, item.caveats) for item in items)]
    return tsne(items, f"Knowledge components: {facts['model']} with {facts['encoder']}", notes)
