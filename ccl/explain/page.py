"""The page of one patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ccl.explain.cases import Case
from ccl.explain.explanation import Explanation
from ccl.explain.maps import SlideMap
from ccl.methods import get_method
from ccl.pages.html import render
from ccl.pages.provenance import provenance


def render_patient(
    case: Case,
    explanation: Explanation,
    maps: Sequence[SlideMap],
    drawn: Mapping[str, Markup],
    *,
    facts: Mapping[str, Any],
) -> str:
    """Return the whole page.

    Parameters
    ----------
    case, explanation, maps
        The patient, their explanation, and their slides.
    drawn : mapping
        Figures by name, as elements of the page.
    facts : mapping
        The content of ``explanation.json``.
    """
    run = case.run.facts
    method = get_method(run["method"])
    by_cluster = bool(explanation.clusters)
    return render(
        "explain.html",
        "ccl.explain",
        title=f"{case.patient}: explained by {run['model']}",
        case=case,
        facts=facts,
        citation=method.citation,
        survival=[(edge, float(s)) for edge, s in zip(run["interval_edges"][1:], explanation.survival, strict=True)],
        components=list(explanation.clusters or explanation.patches),
        meaning=method.attention,
        unattributed=method.unattributed,
        by_cluster=by_cluster,
        families=bool(explanation.families),
        attributed=bool(len(explanation.attributions)),
        of_slides=bool((explanation.attributions["kind"] == "cluster").any()),
        maps=[(slide, drawn.get(f"map.{slide.slide_id}")) for slide in maps],
        figures=drawn,
        synthetic=[run["cohort"]] if run["synthetic"] else [],
        random_weights=[run["encoder"]] if run["weights"] == "random" else [],
        **provenance([{"torch": run["versions"]["torch"]}]),
    )
