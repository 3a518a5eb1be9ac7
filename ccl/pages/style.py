"""The style of all figures, and how they are saved.

The colours are those of Okabe and Ito, which people with any colour vision can distinguish; colour is never the only
difference between two things.  Files have a white background; on a page each colour becomes a CSS variable, which the
page sets for light and dark.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ccl.io.files import write_bytes, write_text

PAPER = "#ffffff"
INK = "#1f2a37"
MUTED = "#66717e"
GRID = "#e4e8ed"
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREEN = "#009e73"
PURPLE = "#cc79a7"

VARIABLES = {
    PAPER: "paper",
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    PURPLE: "purple",
}
"""The page's CSS variable (``--fig-...``) of each colour."""

SETTINGS: dict[Any, Any] = {
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Helvetica", "Liberation Sans", "DejaVu Sans"],
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.solid_capstyle": "butt",
    "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and edited
    "svg.hashsalt": "ccl",  # the same data give the same file
    "text.color": INK,
    "text.parse_math": False,  # a name with two dollar signs is not a formula
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8.5,
}

PNG_DPI = 300

PAGE_IN = 7.16
"""Width of a figure that spans both columns of a page."""

CHARACTERS_PER_IN = 15.5
"""Characters of small print per inch."""


def caveats(facts: Mapping[str, Any]) -> list[str]:
    """Return the warnings to show beside every number and figure of a run.

    Parameters
    ----------
    facts : mapping
        ``run.json``, ``evaluation.json`` or any other file with the entries ``synthetic`` and ``weights``, and
        optionally ``patches``: how its patches differ from those that the encoder is published for.
    """
    found = ["synthetic data"] * bool(facts["synthetic"]) + ["random encoder weights"] * (facts["weights"] == "random")
    return found + ["other patches than published"] * bool(facts.get("patches"))


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and save figures in this style inside a ``with`` block."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def panel(width_in: float = 5.0, height_in: float = 3.9) -> Figure:
    """Return an empty figure of the usual size (inches)."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def set_title(axes: Axes, title: str, notes: list[str]) -> None:
    """Set the title of a figure, and below it notes such as the protocol and caveats."""
    axes.set_title(f"{title}\n", fontsize=10, fontweight="bold", color=INK)
    axes.annotate(
        " · ".join(notes),
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(0, 6),
        textcoords="offset points",
        fontsize=8.5,
        color=MUTED,
        va="bottom",
    )


def set_heading(figure: Figure, title: str, notes: Sequence[str]) -> None:
    """Set the title and notes of a figure of several panels; long notes are wrapped."""
    width, height = figure.get_size_inches()
    small = textwrap.wrap(" · ".join(notes), int(width * CHARACTERS_PER_IN))
    left = 0.04 / width
    heading = title + "\n" * len(small)
    figure.suptitle(heading, fontsize=10, fontweight="bold", color=INK, x=left, ha="left", linespacing=1.6)
    below = 1 - 18 / 72 / height
    figure.text(left, below, "\n".join(small), fontsize=8.5, color=MUTED, va="top", linespacing=1.3)


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write ``{name}.svg`` and ``{name}.png`` (300 dpi) into `folder`, and return the SVG."""
    text, pixels = to_svg(figure), io.BytesIO()
    figure.set_layout_engine("none")  # the layout is known; computing it again would double the time
    figure.savefig(pixels, format="png", dpi=PNG_DPI, metadata={"Software": None})
    write_text(folder / f"{name}.svg", text)
    write_bytes(folder / f"{name}.png", pixels.getvalue())
    return text


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG, for :func:`inline`."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return text.getvalue()


def inline(svg: str, name: str, description: str) -> Markup:
    """Return an SVG of :func:`save` as an element of the page.

    Its colours become the page's variables and its size follows the column.  Its identifiers start with `name`, so
    that two figures of a page do not share one.  `description` is its alt text.
    """
    body = re.sub(r"^.*?<svg[^>]*>", "", svg, count=1, flags=re.DOTALL)
    box = re.search(r'viewBox="([^"]+)"', svg)
    assert box is not None, "matplotlib writes a viewBox"
    prefix = re.sub(r"[^A-Za-z0-9]", "-", name)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'href="#', f'href="#{prefix}-', body)
    body = re.sub(r"url\(#", f"url(#{prefix}-", body)
    # matplotlib's style sheet would apply to the whole page. The page's own sheet does the same for figures only.
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), body)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var(--fig-{variable})")
    opening = f'<svg class="figure" role="img" aria-label="{escape(description)}" viewBox="{box[1]}">'
    return Markup(opening + body)  # the text within was escaped by matplotlib
