"""Numbers as pages show them."""

from __future__ import annotations

import pytest

from ccl.pages.numbers import MINUS, MISSING, count, format_p, number, percent, plural, signed


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.04213, "0.042"), (0.001, "0.001"), (0.00099, "9.9e-4"), (5.71e-11, "5.7e-11"), (0.0, "< 1e-300"), (1, "1.000")],
)
def test_p_is_scientific_below_a_thousandth(p, words):
    assert format_p(p) == words


def test_undefined_p_is_no_number():
    assert format_p(None) == "not defined"


def test_numbers_have_a_real_minus_and_a_dash_where_there_is_none():
    assert (number(-0.68624), number(None), number(12.34, 1)) == (f"{MINUS}0.686", MISSING, "12.3")
    assert (signed(0.0251), signed(-0.0251)) == ("+0.025", f"{MINUS}0.025")


def test_counts_and_shares_are_easy_to_read():
    assert count(1234567) == "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567"
    assert (plural(1, "fold"), plural(0, "fold")) == ("1 fold", "0 folds")
    assert (percent(0.125), percent(0.126, 0)) == ("12.5 %", "13 %")
