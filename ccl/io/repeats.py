"""The same content under several slides of a cohort: a leak between folds, or a slide that would count twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ccl.io.errors import InputError
from ccl.io.formats import ManifestRow
from ccl.io.progress import say
from ccl.io.sheets import Slide

MOST = 20
"""Pairs that the error lists."""


def repeated(keys: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return each slide whose content an earlier slide has, with that slide.

    Parameters
    ----------
    keys : iterable of (str, str)
        Slide and key of its content, in the order in which slides count.
    """
    first: dict[str, str] = {}
    return {slide: other for slide, key in keys if (other := first.setdefault(key, slide)) != slide}


def counted_once(
    slides: Iterable[Slide], rows: Sequence[ManifestRow], contents: Mapping[str, str]
) -> list[ManifestRow]:
    """Return the rows of a cohort, with a repeated slide of the same patient excluded.

    Parameters
    ----------
    slides : iterable of Slide
        The sample sheet.
    rows : sequence of ManifestRow
        A row for each slide, in the order in which slides count.
    contents : mapping of str to str
        A digest of the content of each usable slide.

    Raises
    ------
    InputError
        The same slide belongs to several patients.
    """
    owner = {slide.slide_id: slide.patient_id for slide in slides}
    same = repeated((row.slide_id, contents[row.slide_id]) for row in rows if row.status == "ok")
    shared = [(slide, other) for slide, other in same.items() if owner[slide] != owner[other]]
    if shared:
        lines = [f"{other} of patient {owner[other]} and {slide} of patient {owner[slide]}" for slide, other in shared]
        raise InputError(
            f"the same content belongs to several patients ({len(shared)} slides)",
            found="".join(f"\n    {line}" for line in lines[:MOST]) + ("\n    ..." if len(lines) > MOST else ""),
            expected="each slide under one patient; a patient in training and in test would leak",
            todo="keep the slide of the right patient in the sample sheet, and remove the others",
        )
    for slide, other in same.items():
        say(f"slide {slide} has the same content as {other}, of the same patient, and is not counted again")
    return [
        replace(row, status="excluded", key="", count=0, message=f"the same content as slide {same[row.slide_id]}")
        if row.slide_id in same
        else row
        for row in rows
    ]
