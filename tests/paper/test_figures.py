"""The stage: a figure per model, a panel per cohort, and the labels of each figure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from ccl.io.errors import ConfigError, InputError
from ccl.pages.style import BLUE, GREEN, ORANGE, PURPLE
from ccl.paper.stage import draw_figures
from ccl.results.components import colours_of, draw_components, read_components
from tests.report.conftest import make_results as make_results
from tests.results.component_files import NAMES, write_components


def texts(svg: Path) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text())


def scattered(figure: Figure) -> list[int]:
    """How many points each panel shows, empty places left out."""
    panels = [axes for axes in figure.axes if axes.get_visible()]
    return [sum(len(part.get_offsets()) for part in axes.collections) for axes in panels]


@pytest.mark.parametrize(("figure", "sentence"), [("6", "p: log-rank test"), ("7", "t-test")])
def test_each_cohort_has_a_panel_and_each_protocol_a_file(
    make_results, tmp_path: Path, figure: str, sentence: str
) -> None:
    sources = [
        *make_results(tmp_path, "blca", synthetic=True),
        *make_results(tmp_path, "luad", methods=(("resnet50", "ccl"), ("none", "snn"))),
    ]
    draw_figures(figure=figure, sources=sources, out=tmp_path / "out")
    names = [f"figure{figure}.{model}" for model in ("none.snn", "resnet50.ccl")]
    expected = [f"{name}{more}.{kind}" for name in names for more in ("", ".best-on-test") for kind in ("png", "svg")]
    assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == sorted(expected)
    last, best = (texts(tmp_path / "out" / f"{names[1]}{more}.svg") for more in ("", ".best-on-test"))
    assert {"blca", "luad"} <= set(last)
    assert any(sentence in text for text in last)
    assert "last epoch · synthetic data (blca)" in last
    assert "best-on-test epoch (optimistic) · synthetic data (blca)" in best
    alone = texts(tmp_path / "out" / f"{names[0]}.svg")
    assert "snn on luad" in alone


def test_figure_8_shows_every_point_of_every_fold(tmp_path: Path) -> None:
    one = write_components(tmp_path / "blca" / "components" / "uni" / "ccl", folds=7)
    two = write_components(tmp_path / "luad" / "components" / "uni" / "ccl", folds=2)
    items = [read_components(path.parent) for path in (one, two)]
    figure = draw_components(items, "t", ["n"])
    assert scattered(figure) == [24] * 9
    draw_figures(figure="8", sources=[one, two], out=tmp_path / "out")
    said = texts(tmp_path / "out" / "figure8.uni.ccl.svg")
    assert {"blca", "luad", *NAMES, "hollow: censored", "fold 6"} <= set(said)
    assert any("seed 3" in text and "synthetic data" in text for text in said)
    assert said.count("common") == 1


def test_colours_are_those_of_the_paper_and_differ() -> None:
    assert list(colours_of(NAMES).values()) == [ORANGE, GREEN, BLUE, PURPLE]
    several = colours_of(["common 1", "common 2", "synergistic", "free 1", "free 2", "genomic-specific"])
    assert len(set(several.values())) == 6
    assert several["common 1"] == ORANGE


def test_who_was_censored_is_hollow(tmp_path: Path) -> None:
    path = write_components(tmp_path / "blca" / "components" / "uni" / "ccl", folds=1)
    axes = draw_components([read_components(path.parent)], "t", []).axes[0]
    filled = {bool(len(part.get_facecolors())): 0 for part in axes.collections}
    for part in axes.collections:
        filled[bool(len(part.get_facecolors()))] += len(part.get_offsets())
    assert filled == {True: 12, False: 12}


@pytest.mark.parametrize("figure", ["6", "7", "8"])
def test_nothing_to_draw_is_an_error(tmp_path: Path, figure: str) -> None:
    with pytest.raises(InputError):
        draw_figures(figure=figure, sources=[], out=tmp_path)
    with pytest.raises(InputError, match="no such file"):
        draw_figures(figure=figure, sources=[tmp_path / "a" / "b" / "c" / "d" / "e.json"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_components_without_their_facts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "components.json").write_text("{}")
    with pytest.raises(InputError, match=r"components\.json[\s\S]*no cohort, encoder"):
        read_components(tmp_path)


def test_components_without_points_are_refused(tmp_path: Path) -> None:
    path = write_components(tmp_path / "blca" / "components" / "uni" / "ccl", folds=1)
    table = path.parent / "components.csv"
    table.write_text(table.read_text().splitlines()[0] + "\n")
    with pytest.raises(InputError, match=r"holds no patient[\s\S]*components\.csv"):
        draw_figures(figure="8", sources=[path], out=tmp_path / "out")


@pytest.mark.parametrize(
    "models", [[("none", "a", "snn"), ("none", "a.best-on-test", "snn")], [("x.y", "z", "snn"), ("x", "y.z", "snn")]]
)
def test_two_models_whose_figures_would_have_one_name_are_refused(make_results, tmp_path: Path, models) -> None:
    sources = [
        path for number, model in enumerate(models) for path in make_results(tmp_path, f"c{number}", methods=(model,))
    ]
    with pytest.raises(ConfigError, match=r"same file name[\s\S]*without a dot"):
        draw_figures(figure="6", sources=sources, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
