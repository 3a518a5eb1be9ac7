"""What runs, from a config: cohorts, models, and the inputs, options and targets of every rule.

Snakemake asks for these while it plans, so nothing here imports torch, and nothing imports Snakemake.
"""

from __future__ import annotations

from ccl.plan.plan import Plan, make_plan

__all__ = ["Plan", "make_plan"]
