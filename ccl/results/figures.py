"""Figures 6 and 7: survival of two risk groups, and predicted risk of two survivor groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ccl.evaluate import Protocol
from ccl.evaluate.survival import survivor_groups
from ccl.pages.numbers import format_p
from ccl.pages.style import BLUE, MUTED, ORANGE, PAPER, panel, set_title
from ccl.results.gather import Evaluation

PROTOCOL_WORDS: Mapping[Protocol, str] = {"last": "last epoch", "best-on-test": "best-on-test epoch (optimistic)"}

GROUPS: Mapping[str, tuple[str, str, Any]] = {
    "high": ("High risk", ORANGE, "-"),
    "low": ("Low risk", BLUE, (0, (5, 1.2))),
}
"""Name, colour and dashes of each risk group."""


def draw(kind: str, evaluation: Evaluation, protocol: Protocol) -> Figure:
    """Draw a figure of one evaluation.

    Parameters
    ----------
    kind : str
        One of :data:`PANELS`.
    """
    figure = panel()
    axes = PANELS[kind](figure, evaluation, protocol)
    set_title(axes, evaluation.full_title, [PROTOCOL_WORDS[protocol], *evaluation.caveats])
    return figure


def kaplan_meier_panel(place: FigureBase, evaluation: Evaluation, protocol: Protocol, *, small: bool = False) -> Axes:
    """Draw survival of the high and the low risk group, with 95 % bands and numbers at risk, and return the axes.

    A small panel does not name the groups and the test; its figure does, with :func:`group_legend`.
    """
    risks = evaluation.risks[evaluation.risks["protocol"] == protocol]
    curves = evaluation.curves[evaluation.curves["protocol"] == protocol]
    test = evaluation.facts["protocols"][protocol]["kaplan_meier"]
    return survival_of_groups(place, risks, curves, test["log_rank_p"], small=small)


def survival_of_groups(
    place: FigureBase, risks: pd.DataFrame, curves: pd.DataFrame, log_rank_p: float | None, *, small: bool = False
) -> Axes:
    """Draw survival of the groups ``high`` and ``low`` of patients, as :func:`kaplan_meier_panel` does.

    Parameters
    ----------
    place : FigureBase
        Where to draw.
    risks : DataFrame
        ``months``, ``censorship`` and ``group`` of the patients.
    curves : DataFrame
        ``group``, and the columns of :func:`ccl.evaluate.survival.kaplan_meier`.
    log_rank_p : float, optional
        p-value of the log-rank test between the groups.
    small : bool
        Whether the panel names neither groups nor test.
    """
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
    p = f"p = {format_p(log_rank_p)}"
    if small:
        axes.legend(handles=[Line2D([], [], linestyle="none", label=p)], loc="best", handlelength=0, handletextpad=0)
    else:
        axes.legend(loc="best", title=f"log-rank {p}", alignment="left")
    _numbers_at_risk(below, {group: risks.loc[risks["group"] == group, "months"] for group in present}, axes, end)
    return axes


def group_legend() -> list[Line2D]:
    """Return the legend of the two groups, for a figure of small panels."""
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


def t_test_panel(place: FigureBase, evaluation: Evaluation, protocol: Protocol, *, small: bool = False) -> Axes:
    """Draw predicted risks of patients who died early and of those who lived longer, and return the axes."""
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
    """Draw a box plot and beside it a point for each patient, spread by rank so that few overlap."""
    if not len(values):
        return
    axes.boxplot(
        [values], positions=[place - 0.17], widths=0.26, whis=(5, 95), showfliers=False, patch_artist=True,
        medianprops={"color": colour, "linewidth": 2}, whiskerprops={"color": colour}, capprops={"color": colour},
        boxprops={"facecolor": PAPER, "edgecolor": colour}, manage_ticks=False,
    )  # fmt: skip
    # Multiples of the golden ratio fill the width evenly, for any number of points and without random numbers.
    spread = (np.argsort(np.argsort(values, kind="stable")) * 0.6180339887) % 1
    axes.scatter(place + 0.06 + 0.26 * spread, values, s=9, color=colour, alpha=0.55, linewidths=0)


PANELS: Mapping[str, Callable[..., Axes]] = {"kaplan_meier": kaplan_meier_panel, "t_test": t_test_panel}
"""Functions for Figures 6 and 7; each takes (figure or part of one, evaluation, protocol, small) and sets no title."""
