"""Figures of the report alone: learning curve, calibration, and the C-index of every fold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ccl.evaluate import PROTOCOLS, Protocol
from ccl.pages.style import BLUE, GREEN, INK, MUTED, ORANGE, PAPER, panel, set_title
from ccl.results.figures import PROTOCOL_WORDS
from ccl.results.gather import Evaluation
from ccl.results.panels import calibration_axes, calibration_line
from ccl.results.published import published_beside

LEGEND_COLUMNS = 2
"""Columns of the legend of :func:`draw_c_index`."""

COLOURS = (BLUE, ORANGE, GREEN, INK, MUTED)
MARKERS = "os^DvPX"
"""Of the times of :func:`draw_calibration`: as there are 5 colours and 7 markers, 35 times look different."""


def figure_name(evaluation: Evaluation, kind: str, protocol: Protocol = "last") -> str:
    """Return the name of a figure's files; the protocol is added unless it is ``last``."""
    return f"{evaluation.name}.{kind}" + ("" if protocol == "last" else f".{protocol}")


def draw_learning_curve(evaluation: Evaluation) -> Figure:
    """Draw C-index and loss by epoch: mean over folds (seeds averaged first) with a band of one standard deviation.

    If there are several seeds, a thin line shows the mean over folds of each.
    """
    columns = ["c_index_train", "c_index_test", "loss"]
    figure = panel()
    top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1.5, 1]})
    by_epoch = evaluation.history.groupby(["fold", "epoch"])[columns].mean().groupby("epoch")
    by_seed = evaluation.history.groupby(["epoch", "seed"])[columns].mean()
    mean, spread = by_epoch.mean(), by_epoch.std(ddof=0)
    for axes, column, label, colour, dashes in (
        (top, "c_index_train", "training patients", GREEN, (0, (5, 1.2))),
        (top, "c_index_test", "test patients", BLUE, "-"),
        (bottom, "loss", "training loss", INK, "-"),
    ):
        low, high = mean[column] - spread[column], mean[column] + spread[column]
        axes.fill_between(mean.index, low, high, color=colour, alpha=0.15, linewidth=0)
        marker = "o" if len(mean) == 1 else ""
        if len(evaluation.seeds) > 1:
            axes.plot(mean.index, by_seed[column].unstack(), color=colour, linewidth=0.6, alpha=0.75)
        axes.plot(mean.index, mean[column], color=colour, linestyle=dashes, linewidth=1.9, marker=marker, label=label)
    top.axhline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    top.set_ylabel("C-index")
    top.legend(loc="best", ncols=2)
    bottom.set(xlabel="Epoch", ylabel="Training loss")
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
    bottom.set_xlim(0.5, len(mean) + 0.5)
    figure.align_ylabels()
    folds, seeds = evaluation.history["fold"].nunique(), len(evaluation.seeds)
    thin = [f"thin: each of {seeds} seeds"] if seeds > 1 else []
    set_title(top, evaluation.full_title, [f"mean and spread of {folds} folds", *thin, *evaluation.caveats])
    return figure


def draw_calibration(evaluation: Evaluation) -> Figure | None:
    """Draw predicted against observed survival in groups of patients; None if survival was not predicted.

    The predictions are those after the last epoch.  Each time has a line, with 95 % intervals of the observed
    (Kaplan-Meier) survival.
    """
    table = evaluation.calibration[evaluation.calibration["protocol"] == "last"].dropna(subset=["observed"])
    if table.empty:
        return None
    figure = panel()
    axes = figure.subplots()
    calibration_axes(axes, "Predicted survival")
    for (months, rows), colour, marker in zip(table.groupby("months"), cycle(COLOURS), cycle(MARKERS), strict=False):
        calibration_line(axes, rows, (f"{months:g} months", colour, "-"), marker)
    axes.set_ylabel("Observed survival")
    axes.legend(loc="best")
    drawn = set(table["months"])
    absent = [f"{x['months']:g}" for x in evaluation.facts["protocols"]["last"]["months"] if x["months"] not in drawn]
    notes = [f"not drawn, as survival is not predicted that far: {', '.join(absent)} months"] if absent else []
    set_title(axes, evaluation.full_title, [PROTOCOL_WORDS["last"], *notes, *evaluation.caveats])
    return figure


def draw_c_index(evaluations: Sequence[Evaluation]) -> Figure:
    """Draw the C-index of every fold and seed, with mean and standard deviation, for every model and both protocols."""
    rows = [(evaluation, protocol) for evaluation in evaluations for protocol in PROTOCOLS]
    legend = _fold_legend(evaluations)
    figure = panel(5.6, 0.95 + 0.2 * -(-len(legend) // LEGEND_COLUMNS) + 0.27 * len(rows) + 0.13 * len(evaluations))
    axes = figure.subplots()
    heights, labels = [], []
    for row, (evaluation, protocol) in enumerate(rows):
        height = -row - 0.5 * (row // len(PROTOCOLS))
        _fold_row(axes, height, evaluation, protocol)
        if protocol == PROTOCOLS[0]:
            heights.append(height - 0.5)
            labels.append(_row_label(evaluation))
    axes.axvline(0.5, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    axes.set_yticks(heights, labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set(ylim=(height - 0.8, 0.8), xlabel="C-index on test patients (dotted: chance)")
    figure.legend(handles=legend, loc="outside upper left", ncols=LEGEND_COLUMNS, columnspacing=1.1, handletextpad=0.4)
    return figure


def _row_label(evaluation: Evaluation) -> str:
    encoder = [] if evaluation.encoder == "none" else [evaluation.encoder]
    return "\n".join([f"{evaluation.cohort} · {evaluation.label}", *encoder, *evaluation.caveats])


def _fold_row(axes: Axes, height: float, evaluation: Evaluation, protocol: Protocol) -> None:
    """Draw the folds as points, each of several seeds as a tick among them, and the mean below."""
    found = evaluation.facts["protocols"][protocol]
    last = protocol == "last"
    marker, colour = ("o", BLUE) if last else ("s", ORANGE)
    folds = [score["c_index"] for score in found["folds"] if score["c_index"] is not None]
    axes.scatter(
        folds, np.full(len(folds), height + 0.26), s=14, marker=marker, facecolors=colour, alpha=0.45, linewidths=0
    )
    if found["mean"] is not None:
        if len(evaluation.seeds) > 1:
            seeds = [row["mean"] for row in found["seeds"]]
            axes.scatter(seeds, np.full(len(seeds), height + 0.26), s=60, marker="|", color=colour, linewidths=1.3)
        axes.errorbar(
            found["mean"], height - 0.08, xerr=found["std"], fmt=marker, markersize=7, color=colour,
            markerfacecolor=colour if last else PAPER, markeredgewidth=1.5, elinewidth=1.3, capsize=3,
        )  # fmt: skip
    theirs = published_beside(evaluation)
    if not last and theirs:
        axes.plot(theirs.mean, height - 0.08, marker="D", markersize=5.5, color=INK, linestyle="none")


def _fold_legend(evaluations: Sequence[Evaluation]) -> list[Line2D]:
    def handle(label: str, marker: str, colour: str, face: str, size: float = 6.5) -> Line2D:
        return Line2D(
            [], [], linestyle="none", marker=marker, markersize=size, color=colour, markerfacecolor=face,
            markeredgewidth=1.4, label=label,
        )  # fmt: skip

    several = any(len(evaluation.seeds) > 1 for evaluation in evaluations)
    handles = [
        handle("last epoch: mean", "o", BLUE, BLUE),
        handle("best-on-test epoch (optimistic): mean", "s", ORANGE, PAPER),
        handle("one fold, one seed" if several else "one fold", ".", MUTED, MUTED),
        handle("bar: one standard deviation over folds", "_", MUTED, MUTED, 11),
    ]
    if several:
        handles.append(handle("one seed, mean over its folds", "|", MUTED, MUTED, 9))
    if any(published_beside(evaluation) for evaluation in evaluations):
        handles.append(handle("published, best-on-test", "D", INK, INK))
    return handles
