"""The same content under two patients is an error that names both; under one patient it counts once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccl.io.errors import InputError
from ccl.io.formats import ManifestRow
from ccl.io.repeats import counted_once
from ccl.io.sheets import Slide


def rows(**keys: str) -> list[ManifestRow]:
    return [
        ManifestRow(name, "ok" if key else "excluded", Path(f"{name}.h5"), key, 9, "") for name, key in keys.items()
    ]


def slides(**owners: str) -> list[Slide]:
    return [Slide(name, owner, Path(f"{name}.svs"), None) for name, owner in owners.items()]


def once(owners: list[Slide], given: list[ManifestRow]) -> list[ManifestRow]:
    return counted_once(owners, given, {row.slide_id: row.key for row in given})


def test_one_slide_of_several_patients_is_an_error_that_names_all() -> None:
    owners = slides(a="P1", b="P2", c="P3", d="P1")
    with pytest.raises(InputError, match="the same content belongs to several patients") as caught:
        once(owners, rows(a="k1", b="k1", c="k1", d="k2"))
    assert "a of patient P1 and b of patient P2" in caught.value.found
    assert "a of patient P1 and c of patient P3" in caught.value.found
    assert "d of" not in caught.value.found


def test_twice_under_one_patient_counts_once_and_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    found = once(slides(a="P1", b="P1", c="P2"), rows(a="k1", b="k1", c="k2"))
    assert [(row.slide_id, row.status, row.message) for row in found] == [
        ("a", "ok", ""),
        ("b", "excluded", "the same content as slide a"),
        ("c", "ok", ""),
    ]
    assert "slide b has the same content as a, of the same patient" in capsys.readouterr().err


def test_slides_that_were_excluded_are_not_compared() -> None:
    given = rows(a="", b="")
    assert once(slides(a="P1", b="P2"), given) == given
