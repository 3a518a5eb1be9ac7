"""Stage ``table1``: Tables I to III of the CCL paper, which compare the models of a config."""

from __future__ import annotations

from collections.abc import Mapping

from ccl.paper import Table

VERSION = 2
"""Bumped when the stage's output changes for the same input."""

TABLES: Mapping[int, Table] = {
    1: Table(
        1,
        "I",
        "C-index",
        "",
        "C-index, mean ± standard deviation over {mean_over}.",
        (
            "model", "method", "track", "encoder", "cohort", "protocol", "c_index", "std", "rank", "folds", "seeds",
            "published", "published_std", "data", "weights", "reason",
        ),
    ),
    2: Table(
        2,
        "II",
        "log-rank test",
        "The p-value of the difference in survival between the patients above and below the median of the pooled"
        " out-of-fold risks.",
        "p-value of the log-rank test between the patients above and below the median risk, with the risks of the test"
        " patients pooled from {over}.",
        ("model", "method", "encoder", "cohort", "protocol", "n_high", "n_low", "log_rank_p", "data", "weights"),
        "log_rank_p",
    ),
    3: Table(
        3,
        "III",
        "parameters, time and memory",
        "Time is for one patient: the median over epochs, then the mean over folds. If several seeds were trained side"
        " by side, their time is divided by their number. Memory is the peak of the whole process; on a GPU, the peak"
        " of the device.",
        "Parameters, time and memory on {cohort}. Time is for one patient: the median over epochs, then the mean over"
        " folds. For seeds trained side by side, their time is divided by their number. Memory is the peak of the whole"
        " process; on a GPU, the peak of the device.",
        (
            "model", "method", "track", "encoder", "cohort", "parameters", "train_ms", "predict_ms", "peak_memory_mb",
            "seeds_side_by_side", "device", "threads", "data", "weights",
        ),
    ),
}  # fmt: skip
"""The tables by number."""
