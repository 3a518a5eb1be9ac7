"""The plan: a checked config with its cohorts, models and runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from ccl.config import sections
from ccl.config.check import check_config, filled
from ccl.paper import ablations
from ccl.paper.figures import check_names
from ccl.plan.bundles import Bundle, read_bundles
from ccl.plan.checks import check_cohort_names, check_models, check_sources, check_vectors
from ccl.plan.cohorts import Cohort
from ccl.plan.demo import Demo, declared_demo
from ccl.plan.inputs import Inputs
from ccl.plan.models import Blank, Model, Run
from ccl.plan.options import Options
from ccl.plan.replaced import check_replaced
from ccl.plan.targets import Targets
from ccl.plan.tilings import Tilings, check_tilings


@dataclass(frozen=True)
class Plan:
    """What runs, from a config."""

    config: sections.Config
    values: Mapping[str, Any]
    """The config as the user wrote it, with all defaults; the parameters of jobs are made from it."""

    @cached_property
    def demo(self) -> Demo | None:
        """The synthetic cohort that the config declares, if it does."""
        return declared_demo(self.config)

    @cached_property
    def cohorts(self) -> dict[str, Cohort]:
        """The cohorts by name."""
        return {name: Cohort(name, self.config, self.demo) for name in self.config.cohorts}

    @cached_property
    def tilings(self) -> Tilings:
        """The patches that each encoder reads."""
        return Tilings(self.config, self.values)

    @property
    def followed(self) -> dict[str, Cohort]:
        """The cohorts on which models are trained."""
        return {name: cohort for name, cohort in self.cohorts.items() if cohort.is_trained_on}

    @cached_property
    def base(self) -> dict[str, Any]:
        """The entry of the model that ablations change, with its clusters."""
        return {"k": self.config.cluster.k, **self.values["models"].get(ablations.DEFAULT, {})}

    @cached_property
    def models(self) -> dict[str, Model]:
        """Every model by name: those of the config, and the points that only ablations need."""
        entries = ablations.models_of(self.base) | self.values["models"]
        return {name: Model(name, entry, self.config.cluster.k) for name, entry in entries.items()}

    @cached_property
    def runs(self) -> list[Run]:
        """Every model of the config with every cohort that it can be trained on, and every encoder that it reads."""
        return [
            Run(cohort.name, encoder, name)
            for cohort in self.followed.values()
            for name in self.config.models
            if not cohort.lacks(self.models[name].method)
            for encoder in cohort.features_for(self.models[name].method)
        ]

    @cached_property
    def blanks(self) -> list[Blank]:
        """The pairs of model and cohort that :attr:`runs` leaves out."""
        return [
            Blank(name, cohort.name, f"the cohort has no {' and no '.join(lacking)}")
            for cohort in self.followed.values()
            for name in self.config.models
            if (lacking := cohort.lacks(self.models[name].method))
        ]

    @cached_property
    def bundles(self) -> dict[tuple[str, str], Bundle]:
        """Each bundle that a cohort is predicted with, by cohort and the bundle's name."""
        return read_bundles(self)

    @property
    def encoders(self) -> list[str]:
        """Every encoder, or name of vectors, that names a folder of results."""
        return sorted({"none"}.union(*([*cohort.encoders, *cohort.vectors] for cohort in self.cohorts.values())))

    @property
    def constraints(self) -> dict[str, str]:
        """The constraints of the wildcards of paths."""
        return {
            "cohort": one_of(self.cohorts),
            "tiling": one_of(self.tilings.by_folder),
            "encoder": one_of(self.encoders),
            "model": one_of(self.models),
            "shard": r"\d+",
            "fold": r"\d+",
            "k": r"\d+",
        }

    def version(self, module: str) -> int:
        """Return the version that a stage's module of ``ccl`` states, such as ``wsi.tile``.

        It is a parameter of the stage's rule, as Snakemake does not see a change of the package's code.  Training has
        a version for each method (:func:`ccl.train.version`).
        """
        return int(import_module(f"ccl.{module}").VERSION)

    @cached_property
    def inputs(self) -> Inputs:
        """The input files of rules."""
        return Inputs(self)

    @cached_property
    def options(self) -> Options:
        """The options and parameters of rules."""
        return Options(self)

    @cached_property
    def targets(self) -> Targets:
        """The targets that can be requested."""
        return Targets(self)


def one_of(names: Iterable[str]) -> str:
    """Return a wildcard constraint that admits exactly these names."""
    return "|".join(re.escape(name) for name in names)


def make_plan(values: Mapping[str, Any], files: Sequence[str | Path] = ()) -> Plan:
    """Check a config and everything that can be known before a slide is read, and return the plan.

    Parameters
    ----------
    values : mapping
        The config as YAML gives it.
    files : sequence
        The files that the config comes from, for messages.

    Raises
    ------
    CclError
        The config has a mistake, or a file that it names cannot be used.
    """
    config = check_config(values, files)
    plan = Plan(config, filled(config, json.loads(json.dumps(values, default=str))))
    check_cohort_names(plan, files)
    check_tilings(config, files)
    check_sources(plan, files)
    check_vectors(plan, files)
    check_models(plan, files)
    check_names((run.encoder, run.model) for run in plan.runs)
    for cohort in plan.cohorts.values():
        _ = cohort.shards, cohort.downloads, cohort.fold_files, cohort.public_download
    _ = plan.bundles
    check_replaced(plan)
    return plan
