"""The knowledge components on the page: their figure, their cosines and the claims, where the stage was run."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from ccl.config.sections import ReportSettings
from ccl.report.stage import write_report
from tests.results.component_files import write_components


def cells(page: str, row: str) -> list[str]:
    """The cells of the table row with this heading."""
    found = re.search(rf'<th scope="row">{re.escape(row)}</th>(.*?)</tr>', page, re.DOTALL)
    assert found is not None
    return [html.unescape(cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", found[1], re.DOTALL)]


def test_components_are_shown_beside_their_evaluation(make_results, tmp_path: Path) -> None:
    evaluations = make_results(
        tmp_path, "blca", methods=(("resnet50", "ccl"), ("resnet50", "mcat")), synthetic=True, weights="random"
    )
    folder = tmp_path / "blca" / "components" / "resnet50" / "ccl"
    components = [write_components(folder, encoder="resnet50")]
    out = tmp_path / "report"
    write_report(out=out, evaluations=evaluations, config={}, settings=ReportSettings("T"), components=components)
    figures = sorted(path.name for path in (out / "figures").glob("*components*"))
    assert figures == ["blca.resnet50.ccl.components.png", "blca.resnet50.ccl.components.svg"]
    svg = (out / "figures" / figures[1]).read_text()
    assert "synthetic data" in svg
    page = (out / "report.html").read_text()
    assert page.count("Knowledge components of test patients") == 1
    assert cells(page, "common") == ["+0.500 ± 0.125", "+0.375 ± 0.125", "+0.250 ± 0.125"]
    assert cells(page, "genomic-specific") == ["", "", "\N{MINUS SIGN}0.125 ± 0.125"]
    assert cells(page, "common lies between the specific ones") == ["\N{MINUS SIGN}0.250 ± 0.125"]
    assert cells(page, "common: similar survival together") == ["\N{EN DASH}"]


@pytest.mark.parametrize("components", [False, True])
def test_what_an_earlier_report_showed_goes(make_results, tmp_path: Path, components: bool) -> None:
    evaluations = make_results(tmp_path, "blca")
    facts = write_components(tmp_path / "blca" / "components" / "resnet50" / "ccl", encoder="resnet50")
    for given in ([facts], [facts] if components else []):
        write_report(
            out=tmp_path / "report",
            evaluations=evaluations,
            config={},
            settings=ReportSettings("T"),
            components=given,
        )
    assert bool(list((tmp_path / "report" / "figures").glob("*components*"))) is components
    assert ("Knowledge components" in (tmp_path / "report" / "report.html").read_text()) is components
