"""The results of a protocol as a row of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccl.added import ARMS

ARM_COLUMNS = [*(f"{statistic}_{arm}" for statistic in ("c", "uno", "brier") for arm in ARMS), "brier_kaplan_meier"]
"""C-index, Uno's C and integrated Brier score of each arm; the Brier score of one Kaplan-Meier curve for all."""

TEST_COLUMNS = ["likelihood_ratio_p", "hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper"]


def arm_columns(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return :data:`ARM_COLUMNS` of the entry of a protocol in ``added.json``."""
    arms = found["arms"]
    return {
        **{f"c_{arm}": arms[arm]["c_index"] for arm in ARMS},
        **{f"uno_{arm}": arms[arm]["uno"]["c_index"] for arm in ARMS},
        **{f"brier_{arm}": arms[arm]["integrated_brier"]["score"] for arm in ARMS},
        "brier_kaplan_meier": arms["model"]["integrated_brier"]["kaplan_meier"],
    }


def tested_columns(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return :data:`TEST_COLUMNS` of the entry of a protocol in ``added.json``."""
    ratio = found["hazard_ratio"]
    values = (found["likelihood_ratio"]["p"], *(ratio[key] for key in ("hazard_ratio", "lower", "upper")))
    return dict(zip(TEST_COLUMNS, values, strict=True))
