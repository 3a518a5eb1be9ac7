"""The figures of one patient."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from ccl.explain.cases import Case
from ccl.explain.explanation import Shares
from ccl.explain.maps import LEAST, MOST, Examples, SlideMap
from ccl.pages.style import BLUE, GREEN, GRID, INK, MUTED, ORANGE, PAPER, panel, set_title
from ccl.wsi.reader.pictures import round_length

COLOURS = "viridis"
"""Colour map of attention: perceptually uniform and safe for colour blindness."""

OVERLAY = 0.6
"""Opacity of attention over the picture."""

FURTHEST = 16.0
"""The colour scale ends at this multiple of the mean attention, and at its inverse."""

MAP_PX = 640
"""Longer side of the picture under a map."""

TOP_GENES = 20

DARK, LIGHT = "#1f2a36", "#fffffe"
"""Text on a picture or on a coloured cell; unlike the style's colours, a dark page does not invert them."""


def draw_survival(case: Case, predicted: pd.DataFrame, cohort: pd.DataFrame, notes: list[str]) -> Figure:
    """Draw the predicted survival of the patient over the Kaplan-Meier curve of the cohort with its 95 % band."""
    figure = panel()
    axes = figure.subplots()
    axes.fill_between(
        cohort["months"], cohort["lower"], cohort["upper"], step="post", color=MUTED, alpha=0.16, linewidth=0
    )
    axes.step(
        cohort["months"], cohort["survival"], where="post", color=MUTED, linewidth=1.4, label="cohort, Kaplan-Meier"
    )
    axes.plot(
        predicted["months"], predicted["survival"], color=ORANGE, marker="o", markersize=4, linewidth=1.7,
        label="patient, predicted",
    )  # fmt: skip
    word = f"{'last seen alive' if case.censorship else 'died'} at {case.months:.1f} months"
    axes.axvline(case.months, color=INK, linewidth=1, linestyle=(0, (2, 2)), label=f"patient, {word}")
    axes.set(
        xlim=(0, float(predicted["months"].iloc[-1]) * 1.02),
        ylim=(0, 1.03),
        xlabel="Months",
        ylabel="Survival probability",
    )
    axes.legend(loc="best")
    set_title(axes, "Survival", notes)
    return figure


def draw_components(attributions: pd.DataFrame, notes: list[str]) -> Figure:
    """Draw how much genes, slides and covariates changed the risk through each component."""
    sums = attributions.groupby(["component", "kind"], sort=False)["attribution"].sum().unstack()
    sums = sums.reindex(columns=[kind for kind in ("gene", "cluster", "covariate") if kind in sums])
    # A component that does not see a kind has no attribution from it.
    figure = panel(5.0, 1.5 + 0.5 * len(sums))
    axes = figure.subplots()
    looks = {"gene": ("genes", BLUE, ""), "cluster": ("slides", ORANGE, "////"), "covariate": ("covariates", GREEN, "")}
    for place, kind in enumerate(sums.columns):
        label, colour, hatch = looks[kind]
        heights = np.arange(len(sums)) + (place - (len(sums.columns) - 1) / 2) * 0.36
        axes.barh(heights, sums[kind].fillna(0.0), height=0.34, color=colour, hatch=hatch, edgecolor=PAPER, label=label)
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.set_yticks(range(len(sums)), sums.index)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set_xlabel("Change of the risk from the reference (right: higher risk)")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    figure.legend(loc="outside lower left", ncols=3)
    set_title(axes, "What changed the risk, by component", notes)
    return figure


def draw_shares(title: str, columns: Sequence[str], values: Shares, notes: list[str]) -> Figure:
    """Draw a table of attention: a row per component, a column per cluster or family, coloured by the share."""
    table = np.array(list(values.values()))
    figure = panel(max(3.4, 1.9 + 0.72 * len(columns)), 1.7 + 0.38 * len(table))
    axes = figure.subplots()
    axes.imshow(table, cmap=COLOURS, vmin=0, vmax=max(table.max(), 2 / table.shape[1]), aspect="auto")
    for (row, column), share in np.ndenumerate(table):
        light = share < 0.6 * max(table.max(), 2 / table.shape[1])
        axes.text(
            column, row, f"{100 * share:.0f} %", ha="center", va="center", fontsize=8.5,
            color=LIGHT if light else DARK,
        )  # fmt: skip
    axes.set_xticks(range(len(columns)), columns, rotation=25, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(table)), list(values))
    axes.tick_params(length=0)
    axes.grid(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    set_title(axes, title, notes)
    return figure


def draw_genes(attributions: pd.DataFrame, notes: list[str]) -> Figure:
    """Draw the genes that changed the risk most, one panel per component."""
    only = attributions[attributions["kind"] == "gene"]
    names = [name for name, rows in only.groupby("component", sort=False) if (rows["attribution"] != 0).any()]
    most = {name: top_genes(only[only["component"] == name]) for name in names}
    columns = max(1, len(names))
    figure = panel(0.6 + 2.9 * columns, 1.3 + 0.185 * TOP_GENES)
    grid = figure.subplots(1, columns, squeeze=False)[0]
    for axes, (name, rows) in zip(grid[: len(most)], most.items(), strict=True):
        values = rows["attribution"].to_numpy()
        axes.barh(range(len(rows)), values, height=0.7, color=np.where(values > 0, ORANGE, BLUE))
        axes.axvline(0, color=INK, linewidth=0.9)
        axes.set_yticks(range(len(rows)), rows["name"])
        axes.tick_params(axis="y", length=0, labelsize=7.5)
        axes.set_ylim(TOP_GENES - 0.4, -0.6)
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.grid(False, axis="y")
        set_title(axes, "genes" if name == "whole" else str(name), [])
    figure.suptitle(" · ".join(notes), fontsize=8.5, color=MUTED, x=0.012, ha="left")
    figure.supxlabel("Change of the risk from the reference (right: higher risk)", fontsize=9, color=INK)
    return figure


def top_genes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the genes of one component with the largest attributions, largest first."""
    order = rows["attribution"].abs().sort_values(ascending=False, kind="stable").index
    return rows.loc[order[:TOP_GENES]]


def draw_map(slide: SlideMap, norm: LogNorm, notes: list[str]) -> Figure:
    """Draw the slide and the attention of each component on it, with a colour bar and a scale bar."""
    assert slide.places is not None, "only a slide with places is drawn"
    names = list(slide.scores)
    backdrop = _backdrop(slide)
    panels = ([] if backdrop is None else [None]) + names
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    width, height = slide.places.extent
    tall = min(1.6, max(0.35, height / width))
    figure = panel(0.8 + 3.9 * columns, 0.5 + rows * (0.4 + 3.7 * tall))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(grid[: len(panels)], panels, strict=True):
        if backdrop is not None:
            shown = backdrop if name is None else _grey(backdrop)
            axes.imshow(shown, extent=(0, width, height, 0), interpolation="bilinear")
        if name is not None:
            axes.imshow(
                _raster(slide, slide.scores[name]), extent=(0, width, height, 0), cmap=COLOURS, norm=norm,
                alpha=OVERLAY if backdrop is not None else 1.0, interpolation="nearest",
            )  # fmt: skip
        axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[], aspect="equal")
        axes.grid(False)
        axes.set_title(name or slide.slide_id, fontsize=9, color=INK)
        for spine in axes.spines.values():
            spine.set(visible=True, color=GRID)
        _scale_bar(axes, slide)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    bar = figure.colorbar(
        ScalarMappable(norm, COLOURS), ax=list(grid[: len(panels)]), shrink=0.7, aspect=30, extend="both",
        alpha=1.0 if backdrop is None else OVERLAY, label="attention on a patch, relative to equal attention",
    )  # fmt: skip
    powers = 2.0 ** np.arange(np.ceil(np.log2(norm.vmin or 1)), np.floor(np.log2(norm.vmax or 1)) + 1)
    bar.ax.yaxis.set_major_locator(FixedLocator(list(powers)))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if x >= 1 else f"1/{1 / x:g}"))
    bar.outline.set_visible(False)
    if notes:
        figure.supxlabel(" · ".join(notes), fontsize=8.5, color=MUTED, x=0.01, ha="left")
    return figure


def make_scale(maps: Sequence[SlideMap]) -> LogNorm:
    """Return one colour scale for all slides and components of a patient, centred at the mean attention."""
    values = np.concatenate([scores for slide in maps for scores in slide.scores.values()])
    values = values[values > 0]
    far = float(np.exp(np.quantile(np.abs(np.log(values)), 0.99))) if len(values) else 1.0
    far = min(max(far, 2.0), FURTHEST)
    return LogNorm(1 / far, far)


def draw_examples(examples: Sequence[Examples], title: str, ends: tuple[str, str], notes: list[str]) -> Figure:
    """Draw a row of patches per example, most and least typical or attended."""
    across = MOST + LEAST
    side = 0.72
    figure = Figure(figsize=(1.5 + side * (across + 0.4), 0.75 + side * len(examples)))
    figure.text(0.012, 1 - 0.1 / figure.get_figheight(), title, fontsize=10, fontweight="bold", color=INK, va="top")
    figure.text(0.012, 1 - 0.3 / figure.get_figheight(), " · ".join(notes), fontsize=8.5, color=MUTED, va="top")
    width, height = figure.get_size_inches()
    for row, item in enumerate(examples):
        bottom = (height - 0.72 - side * (row + 1)) / height
        figure.text(
            0.012, bottom + side / height / 2, item.label, fontsize=8.5, color=INK, va="center", linespacing=1.4
        )
        places = [*range(len(item.most)), *(MOST + 0.4 + n for n in range(len(item.least)))]
        for place, image in zip(places, [*item.most, *item.least], strict=True):
            axes = figure.add_axes(((1.4 + side * place) / width, bottom, 0.95 * side / width, 0.95 * side / height))
            axes.imshow(image)
            axes.axis("off")
    for place, word in zip((0.0, MOST + 0.4), ends, strict=True):
        figure.text((1.4 + side * place) / width, (height - 0.7) / height, word, fontsize=8.5, color=MUTED, va="bottom")
    return figure


def _backdrop(slide: SlideMap) -> NDArray[np.uint8] | None:
    if slide.picture is None:
        return None
    pixels = slide.picture.pixels
    factor = min(1.0, MAP_PX / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


def _raster(slide: SlideMap, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return attention at the pixels of a map: the mean of the patches there, NaN where there is none.

    A patch has at least one pixel.
    """
    assert slide.places is not None
    width, height = slide.places.extent
    sides = slide.places.sides[:, None]
    per_px = max(1.0, min(max(width, height) / MAP_PX, sides.min()))
    total, count = np.zeros((2, max(1, round(height / per_px)), max(1, round(width / per_px))))
    first = np.floor(slide.places.coords / per_px + 1e-6).astype(int)
    last = np.maximum(np.floor((slide.places.coords + sides) / per_px + 1e-6).astype(int), first + 1)
    for (left, top), (right, bottom), value in zip(first, last, values, strict=True):
        total[top:bottom, left:right] += value
        count[top:bottom, left:right] += 1
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))


def _scale_bar(axes: Axes, slide: SlideMap) -> None:
    """Draw a bar of a round length with its label; none if the scale is unknown."""
    assert slide.places is not None
    if slide.places.mpp is None:
        return
    width, height = slide.places.extent
    length_um = round_length(width * slide.places.mpp / 4)
    length = length_um / slide.places.mpp
    left, bottom = 0.03 * width, height - 0.03 * width
    axes.plot([left, left + length], [bottom, bottom], color=DARK, linewidth=3, solid_capstyle="butt")
    axes.annotate(
        f"{length_um / 1000:g} mm", (left + length / 2, bottom), xytext=(0, 4), textcoords="offset points",
        ha="center", va="bottom", fontsize=8, color=DARK,
        bbox={"facecolor": LIGHT, "alpha": 0.75, "edgecolor": "none", "pad": 1.0},
    )  # fmt: skip
