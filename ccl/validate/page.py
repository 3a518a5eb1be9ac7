"""The page of a validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from ccl.evaluate.words import calibration_sentences
from ccl.io.files import records
from ccl.pages.html import render
from ccl.pages.numbers import plural
from ccl.pages.provenance import provenance
from ccl.pages.style import caveats, house_style, inline, to_svg
from ccl.predict.expression import WORDS
from ccl.validate import words
from ccl.validate.figures import draw_validation


def render_validation(facts: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the page of a validation, which needs no other file.

    Parameters
    ----------
    facts : mapping
        ``evaluation.json``.
    tables : mapping
        The tables beside it, by name.
    """
    return render(
        "validation.html",
        "ccl.validate",
        title=f"External validation of {facts['model']} on {facts['cohort']}",
        facts=facts,
        caveats=caveats(facts),
        synthetic=[facts["cohort"]] * facts["synthetic"],
        random_weights=[facts["encoder"]] * (facts["weights"] == "random"),
        sentences=headline(facts),
        calibration=calibration_sentences(facts["calibration"]),
        recalibrated=calibration_sentences(facts["recalibrated"]["calibration"] or ()),
        shift=words.shift_sentences(facts["shift"]),
        expression=WORDS[facts["expression"]],
        groups=records(tables["groups"]),
        figures=_figures(facts, tables),
        left_out=sorted(facts["left_out"].items()),
        **provenance(),
    )


def headline(facts: Mapping[str, Any]) -> list[str]:
    """Return the results that a reader needs first."""
    makers = (words.c_index_sentence, words.drop_sentence, words.groups_sentence, words.added_sentence)
    return [make(facts) for make in makers]


def for_model_card(facts: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what a model card says of a validation: sentences by cohort."""
    who = f"{plural(facts['n_patients'], 'patient')}, {plural(facts['n_events'], 'death')}. {facts['about']}".strip()
    shift = words.shift_sentences(facts["shift"])
    found = [who, *headline(facts), calibration_sentences(facts["calibration"]), *shift, *facts["warnings"]]
    return {facts["cohort"]: found}


def _figures(facts: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> dict[str, Markup]:
    with house_style():
        return {name: inline(to_svg(figure), name, alt) for name, figure, alt in draw_validation(facts, tables)}
