"""Numbers as a reader sees them, on pages and in figures."""

from __future__ import annotations

MISSING = "–"  # noqa: RUF001 (printed tables show an en dash in an empty cell)

MINUS = "−"  # noqa: RUF001 (the minus sign of print, as wide as the plus)

THIN_SPACE = "\u202f"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` decimals, or a dash for None.

    >>> number(0.68624), number(None), number(12.34, 1)
    ('0.686', '–', '12.3')
    """  # noqa: RUF002 (the dash of MISSING)
    return MISSING if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def digits_for(*values: float, least: int = 3, most: int = 6) -> int:
    """Return with how many decimals none of the values that are not 0 looks like 0.

    >>> digits_for(0.02, -0.0004), digits_for(0.02, 0.0)
    (4, 3)
    """
    return next((n for n in range(least, most) if all(round(value, n) or not value for value in values)), most)


def signed(value: float, digits: int = 3) -> str:
    """Return a difference with its sign.

    >>> signed(0.0251)
    '+0.025'
    """
    return f"{value:+.{digits}f}".replace("-", MINUS)


def percent(share: float, digits: int = 1) -> str:
    """Return a share of 0 to 1 in percent.

    >>> percent(0.125), percent(0.125, 0)
    ('12.5 %', '12 %')
    """
    return f"{100 * share:.{digits}f} %"


def count(value: int) -> str:
    """Return a count, with a thin space between thousands."""
    return f"{value:,}".replace(",", THIN_SPACE)


def plural(value: int, word: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "fold"), plural(5, "fold")
    ('1 fold', '5 folds')
    """
    return f"{value} {word}" + ("" if value == 1 else "s")


def format_p(p: float | None) -> str:
    """Return a p-value for reading: three decimals, scientific below 0.001.

    >>> format_p(0.04213), format_p(5.71e-11), format_p(None)
    ('0.042', '5.7e-11', 'not defined')
    """
    if p is None:
        return "not defined"
    if p == 0:
        return "< 1e-300"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}".replace("e-0", "e-")
