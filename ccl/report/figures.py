"""The figures: survival of two risk groups, risk of two survivor groups, learning, and the C-index of every fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ccl.evaluate import PROTOCOLS, Protocol
from ccl.evaluate.survival import survivor_groups
from ccl.pages.style import BLUE, GREEN, INK, MUTED, ORANGE, PAPER, panel, set_title
from ccl.results.gather import Evaluation
from ccl.results.published import published_beside

PROTOCOL_WORDS: dict[Protocol, str] = {"last": "last epoch", "best-on-test": "best-on-test epoch (optimistic)"}

LEGEND_COLUMNS = 2
"""Columns of the legend of :func:`c_index`."""

CALIBRATION_STYLES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (INK, "D"), (MUTED, "v"))
"""Colour and marker of each time."""

GROUPS: dict[str, tuple[str, str, Any]] = {"high": ("High risk", ORANGE, "-"), "low": ("Low risk", BLUE, (0, (5, 1.2)))}


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


def figure_name(evaluation: Evaluation, kind: str, protocol: Protocol = "last") -> str:
    """Return the name of a figure's files; those of the last epoch, the default protocol, carry no protocol."""
    return f"{evaluation.name}.{kind}" + ("" if protocol == "last" else f".{protocol}")


def describe(evaluation: Evaluation) -> str:
    """Return the model, encoder and cohort of an evaluation in a few words."""
    encoder = "" if evaluation.encoder == "none" else f" with {evaluation.encoder}"
    return f"{evaluation.label}{encoder} on {evaluation.cohort}"


def kaplan_meier(evaluation: Evaluation, protocol: Protocol) -> Figure:
    """Draw the survival of the high and the low risk group, its 95 % band, and the numbers at risk (Figure 6)."""
    figure = panel()
    axes = kaplan_meier_panel(figure, evaluation, protocol)
    set_title(axes, describe(evaluation), [PROTOCOL_WORDS[protocol], *evaluation.caveats])
    return figure


def kaplan_meier_panel(place: FigureBase, evaluation: Evaluation, protocol: Protocol, *, small: bool = False) -> Axes:
    """Draw the curves into a figure or a part of one, and return their axes, without a title.

    A small panel leaves it to its figure to say which curve is whose, and that p is of the log-rank test.
    """
    risks = evaluation.risks[evaluation.risks["protocol"] == protocol]
    curves = evaluation.curves[evaluation.curves["protocol"] == protocol]
    test = evaluation.facts["protocols"][protocol]["kaplan_meier"]
    axes: Axes
    axes, below = place.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2.7 if small else 5.2, 1]})
    present = [group for group in GROUPS if group in set(curves["group"])]
    for group in present:
        _survival_curve(axes, curves[curves["group"] == group], risks[risks["group"] == group], group)
    end = float(risks["months"].max())
    axes.set(xlim=(0, end * 1.02 or 1), ylim=(0, 1.03), ylabel="Survival probability")
    axes.xaxis.set_major_locator(MaxNLocator(4 if small else 6, steps=[1, 2, 2.5, 3, 5, 6, 10]))
    axes.tick_params(labelbottom=True)
    axes.set_xlabel("Months")
    p = f"p = {format_p(test['log_rank_p'])}"
    if small:
        axes.legend(handles=[Line2D([], [], linestyle="none", label=p)], loc="best", handlelength=0, handletextpad=0)
    else:
        axes.legend(loc="best", title=f"log-rank {p}", alignment="left")
    _numbers_at_risk(below, {group: risks.loc[risks["group"] == group, "months"] for group in present}, axes, end)
    return axes


def group_legend() -> list[Line2D]:
    """Return what tells the curves of small panels apart."""
    return [
        Line2D([], [], color=colour, linestyle=dashes, linewidth=1.7, label=label)
        for label, colour, dashes in GROUPS.values()
    ]


def _survival_curve(axes: Axes, curve: pd.DataFrame, members: pd.DataFrame, group: str) -> None:
    label, colour, dashes = GROUPS[group]
    axes.fill_between(
        curve["months"], curve["lower"], curve["upper"], step="post", color=colour, alpha=0.16, linewidth=0
    )
    axes.step(
        curve["months"],
        curve["survival"],
        where="post",
        color=colour,
        linewidth=1.7,
        linestyle=dashes,
        label=f"{label} (n = {len(members)})",
    )
    # One path for all censored patients: thousands of separate marks would make the page heavy.
    censored = np.sort(members.loc[members["censorship"] == 1, "months"].to_numpy())
    rows = np.searchsorted(curve["months"].to_numpy(), censored, side="right") - 1
    height, gap = curve["survival"].to_numpy()[rows], np.full(len(censored), np.nan)
    ends = np.stack([height - 0.013, height + 0.013, gap], axis=1).ravel()
    axes.plot(np.repeat(censored, 3), ends, color=colour, linewidth=0.8)


def _numbers_at_risk(axes: Axes, months: dict[str, pd.Series[float]], above: Axes, end: float) -> None:
    """Write how many patients of each group are still followed at each tick of the axes above."""
    axes.set(ylim=(-0.6, 1.9))
    axes.grid(False)
    axes.axis("off")
    axes.text(0, 1.0, "Number at risk", transform=axes.transAxes, fontsize=8.5, color=MUTED, va="top")
    ticks = [tick for tick in above.get_xticks() if 0 <= tick <= end]
    for row, (group, times) in enumerate(months.items()):
        label, colour, _ = GROUPS[group]
        height = 0.75 - 0.85 * row
        axes.annotate(
            label.split()[0], (0, height), xycoords=("axes fraction", "data"), xytext=(-12, 0),
            textcoords="offset points", ha="right", va="center", fontsize=8.5, color=colour,
        )  # fmt: skip
        for tick in ticks:
            left = tick == 0
            axes.text(
                tick,
                height,
                str(int((times >= tick).sum())),
                ha="left" if left else "center",
                va="center",
                fontsize=8.5,
            )


def t_test(evaluation: Evaluation, protocol: Protocol) -> Figure:
    """Draw the predicted risk of patients who died early and of those who lived on (Figure 7)."""
    figure = panel()
    axes = t_test_panel(figure, evaluation, protocol)
    set_title(axes, describe(evaluation), [PROTOCOL_WORDS[protocol], *evaluation.caveats])
    return figure


def t_test_panel(place: FigureBase, evaluation: Evaluation, protocol: Protocol, *, small: bool = False) -> Axes:
    """Draw the two groups into a figure or a part of one, and return the axes, without a title."""
    risks = evaluation.risks[evaluation.risks["protocol"] == protocol]
    test = evaluation.facts["protocols"][protocol]["t_test"]
    split = float(test["split_months"])
    groups = survivor_groups(risks["months"], risks["censorship"], split)
    axes = place.subplots()
    space = "\n" if small else " "
    words = {
        "short": (f"died by{space}{split:.1f} months", ORANGE),
        "long": (f"alive beyond{space}{split:.1f} months", BLUE),
    }
    labels = []
    for number, (group, (label, colour)) in enumerate(words.items()):
        risk = risks["risk"].to_numpy(dtype=float)[groups == group]
        labels.append(f"{label}\n(n = {len(risk)})")
        _box_and_points(axes, number, risk, colour)
    axes.set(xlim=(-0.6, 1.6), ylabel="Predicted risk (out of fold)")
    axes.set_xticks([0, 1], labels)
    axes.tick_params(axis="x", length=0)
    axes.grid(False, axis="x")
    t = "not defined" if test["t"] is None else f"{test['t']:.2f}"
    axes.margins(y=0.13)
    found = f"{'' if small else 'Welch '}t = {t}, p = {format_p(test['p'])}"
    axes.text(0.99, 0.98, found, transform=axes.transAxes, ha="right", va="top")
    return axes


def _box_and_points(axes: Axes, place: float, values: NDArray[np.float64], colour: str) -> None:
    """Draw a box plot with every patient beside it as a point, spread by its rank so that few overlap."""
    if not len(values):
        return
    axes.boxplot(
        [values], positions=[place - 0.17], widths=0.26, whis=(5, 95), showfliers=False, patch_artist=True,
        medianprops={"color": colour, "linewidth": 2}, whiskerprops={"color": colour}, capprops={"color": colour},
        boxprops={"facecolor": PAPER, "edgecolor": colour}, manage_ticks=False,
    )  # fmt: skip
    # The golden ratio's multiples fill the width evenly, for any number of points and without chance.
    spread = (np.argsort(np.argsort(values, kind="stable")) * 0.6180339887) % 1
    axes.scatter(place + 0.06 + 0.26 * spread, values, s=9, color=colour, alpha=0.55, linewidths=0)


def learning_curve(evaluation: Evaluation) -> Figure:
    """Draw C-index and loss by epoch: mean over folds (seeds averaged first) with a band of one standard deviation.

    Of several seeds each has a thin line of its own, its mean over folds.
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
    set_title(top, describe(evaluation), [f"mean and spread of {folds} folds", *thin, *evaluation.caveats])
    return figure


def calibration(evaluation: Evaluation) -> Figure | None:
    """Draw predicted against observed survival in groups of patients; None where survival is not predicted.

    After the last epoch; a line for each time, with the 95 % interval of the observed (Kaplan-Meier) survival.
    """
    table = evaluation.calibration[evaluation.calibration["protocol"] == "last"].dropna(subset=["observed"])
    if table.empty:
        return None
    figure = panel()
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    for (months, rows), (colour, marker) in zip(table.groupby("months"), CALIBRATION_STYLES, strict=False):
        errors = [rows["observed"] - rows["lower"], rows["upper"] - rows["observed"]]
        axes.errorbar(
            rows["predicted"], rows["observed"], yerr=errors, color=colour, marker=marker, markersize=5, linewidth=1.2,
            elinewidth=0.8, capsize=2, label=f"{months:g} months",
        )  # fmt: skip
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="Predicted survival", ylabel="Observed survival")
    axes.legend(loc="best")
    set_title(axes, describe(evaluation), [PROTOCOL_WORDS["last"], *evaluation.caveats])
    return figure


def c_index(evaluations: Sequence[Evaluation]) -> Figure:
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
    """Draw a protocol's folds as points, each of several seeds as a tick among them, and below them the mean."""
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
