"""The targets that can be requested, and their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ccl.components import DECOMPOSED
from ccl.explain import EXPLAINED
from ccl.io.errors import ConfigError
from ccl.io.files import read_table
from ccl.io.progress import say
from ccl.paper import Table, ablations
from ccl.paper.figures import JUDGED
from ccl.plan.checks import missing_slides
from ccl.plan.cohorts import Cohort
from ccl.plan.inputs import CHARACTERISTICS, Wildcards, evaluation
from ccl.plan.models import Run

if TYPE_CHECKING:
    from ccl.plan.plan import Plan

PATIENTS = "patients: `explain: count` of 1 or more, or `explain: patients`"


def _nothing(what: str, target: str, needed: str) -> ConfigError:
    return ConfigError(f"there is nothing to {what}", where=f"snakemake {target}", expected=needed)


@dataclass(frozen=True)
class Targets:
    """The targets that can be requested."""

    plan: Plan

    def default(self, report: Sequence[str]) -> list[str]:
        """Return what `snakemake` makes: the report, predictions and contact sheets; features if no model is named.

        All files of the report are requested.  A new model in the config adds new files.  If only the page were
        requested, Snakemake would find it and not run the job again, because the new files have no record yet.
        """
        others = [*self.predictions(), *self.validations(), *self.contact_sheets()]
        if self.plan.runs:
            return [*report, *others]
        features = [
            path.format(cohort=cohort.name, encoder=encoder)
            for cohort in self.plan.cohorts.values()
            for encoder in cohort.encoders
            for path in cohort.feature_manifests
        ]
        return [*features, *others]

    def contact_sheets(self) -> list[str]:
        """Return the pages on the slides of each cohort whose slides are read."""
        return [f"<results>/{name}/quality/contact_sheet.html" for name in self._with_slides()]

    def look(self, wildcards: Wildcards) -> list[str]:
        """Return the pages on the slides of each cohort before they are embedded.

        Raises
        ------
        ConfigError
            No cohort has slides that are read.
        """
        cohorts = self._with_slides()
        if not cohorts:
            raise _nothing("look at", "look", "a cohort with `slides`")
        return [f"<results>/{name}/look/contact_sheet.html" for name in cohorts]

    def _with_slides(self) -> list[str]:
        """Return the cohorts whose slides are read."""
        return [cohort.name for cohort in self.plan.cohorts.values() if cohort.entry.reads_slides and cohort.slides]

    def predictions(self) -> list[str]:
        """Return the predicted risks of every cohort, for every bundle that it names."""
        return [f"<results>/{cohort}/predict/{bundle}/risk.csv" for cohort, bundle in self.plan.bundles]

    def validations(self) -> list[str]:
        """Return the evaluations of every bundle on the cohorts that have follow-up."""
        return [
            f"<results>/{cohort}/predict/{bundle}/evaluation.json"
            for cohort, bundle in self.plan.bundles
            if self.plan.cohorts[cohort].is_followed
        ]

    def validation_table(self) -> list[str]:
        """Return the report's table of all :meth:`validations`; nothing if there are none."""
        return ["<results>/report/tables/validation.csv"] if self.validations() else []

    def validate(self, report: Sequence[str]) -> Callable[[Wildcards], list[str]]:
        """Return the input function of `snakemake validate`: the evaluations, and the report if a model is trained."""

        def files(wildcards: Wildcards) -> list[str]:
            if not self.validations():
                raise _nothing("validate", "validate", "a cohort with `predict_with` and follow-up")
            return [*self.validations(), *(report if self.plan.runs else [])]

        return files

    def predict(self, wildcards: Wildcards) -> list[str]:
        """Return what `snakemake predict` makes."""
        if not self.plan.bundles:
            raise _nothing("predict", "predict", "a cohort with `predict_with`")
        return self.predictions()

    def bundles(self) -> list[str]:
        """Return what `snakemake bundle` makes: a bundle of every run."""
        return [f"<results>/{c}/bundle/{encoder}/{model}/bundle.json" for c, encoder, model in self.plan.runs]

    def evaluations(self) -> list[str]:
        """Return the evaluations of all runs."""
        return [evaluation(run) for run in self.plan.runs]

    def added(self) -> list[str]:
        """Return the files on what each run adds to covariates, for the cohorts that have covariates."""
        return [
            f"<results>/{cohort}/added/{encoder}/{model}/added.json"
            for cohort, encoder, model in self.plan.runs
            if self.plan.cohorts[cohort].entry.clinical
        ]

    def added_table(self) -> list[str]:
        """Return the report's table of all :meth:`added`; nothing if no cohort has covariates."""
        return ["<results>/report/tables/added.csv"] if self.added() else []

    def table1(self, wildcards: Wildcards) -> list[str]:
        """Return the evaluations for Tables I to III."""
        if not self.plan.runs:
            raise _nothing("compare", "table1", "`models`, and a cohort with follow-up")
        return self.evaluations()

    # ---- single patients ------------------------------------------------------------------------------------------

    def patients_named(self, cohort: Cohort) -> list[str]:
        """Return the patients of a cohort that the config asks to explain by name."""
        own = {slide.patient_id for slide in cohort.slides}
        return [name for name in self.plan.config.explain.patients if name in own]

    def _explained(self, methods: Sequence[str]) -> list[str]:
        """Return a folder for each run of some methods, in cohorts with a patient to explain."""
        asked = self.plan.config.explain
        named = {cohort.name: self.patients_named(cohort) for cohort in self.plan.followed.values()}
        unknown = set(asked.patients).difference(*named.values())
        if unknown:
            raise ConfigError(
                "no cohort has a patient of this name with a slide",
                where="config, explain: patients",
                found=", ".join(sorted(unknown)),
                todo="correct the name, or remove it",
            )
        return [
            f"<results>/{run.cohort}/explain/{run.encoder}/{run.model}"
            for run in self.plan.runs
            if self.plan.models[run.model].method_name in methods
            and (named[run.cohort] if asked.patients else asked.count)
        ]

    def explain(self, wildcards: Wildcards) -> list[str]:
        """Return what `snakemake explain` makes: patients explained by every model that can be explained."""
        found = self._explained(list(EXPLAINED))
        if not found:
            needed = f"a model of one of {', '.join(EXPLAINED)}, a cohort with what it reads, and {PATIENTS}"
            raise _nothing("explain", "explain", needed)
        return found

    def explained_in_report(self, wildcards: Wildcards) -> list[str]:
        """Return the explanations of single patients that the report shows: those with CCL."""
        return self._explained(["ccl"])

    # ---- the paper's tables and figures ----------------------------------------------------------------------------

    @property
    def ablations(self) -> Mapping[int, Table]:
        """The tables of ablations by number."""
        return ablations.TABLES

    def ablated(self) -> list[Cohort]:
        """Return the cohorts that the points of the ablations are trained on."""
        whole = [c for c in self.plan.followed.values() if c.entry.slides and c.has_omics]
        if not whole or self.plan.models[ablations.DEFAULT].method_name != "ccl":
            needed = "a cohort with `slides` and `omics`, and a model named ccl, if the config has one, of method ccl"
            raise _nothing("ablate", "ablations", needed)
        return whole

    def not_ablated(self) -> list[str]:
        """Return the cohorts that the ablations leave out, which their page names."""
        return [c.name for c in self.plan.followed.values() if not (c.entry.slides and c.has_omics)]

    def decomposed(self) -> list[Run]:
        """Return every run with knowledge components."""
        return [run for run in self.plan.runs if self.plan.models[run.model].method_name in DECOMPOSED]

    def components(self) -> list[str]:
        """Return the facts about the components of these runs."""
        return [
            f"<results>/{c}/components/{encoder}/{model}/components.json" for c, encoder, model in self.decomposed()
        ]

    def characteristics(self) -> list[str]:
        """Return the characteristics of the cohorts with covariates that a model is trained on."""
        followed = dict.fromkeys(run.cohort for run in self.plan.runs)
        return [CHARACTERISTICS.format(cohort=name) for name in followed if self.plan.cohorts[name].entry.clinical]

    def report_figures(self, kind: str, runs: Sequence[Run]) -> list[str]:
        """Return the report's figures of one kind, one for each of some runs."""
        return [f"<results>/report/figures/{c}.{encoder}.{model}.{kind}.svg" for c, encoder, model in runs]

    def _figures(self, number: str, runs: Sequence[Run]) -> list[str]:
        """Return a figure for each encoder and model, and for each protocol if the figure depends on it."""
        suffixes = ["", ".best-on-test"] if number in JUDGED else [""]
        return [
            f"<results>/figures/figure{number}.{encoder}.{model}{suffix}.{kind}"
            for encoder, model in dict.fromkeys((run.encoder, run.model) for run in runs)
            for suffix in suffixes
            for kind in ("svg", "png")
        ]

    def judged_figure(self, number: str) -> Callable[[Wildcards], list[str]]:
        """Return the input function of Figure 6 or 7."""

        def files(wildcards: Wildcards) -> list[str]:
            if not self.plan.runs:
                raise _nothing("draw", f"figure{number}", "a model, and a cohort with follow-up")
            return self._figures(number, self.plan.runs)

        return files

    def figure8(self, wildcards: Wildcards) -> list[str]:
        """Return the files of Figure 8."""
        if not self.decomposed():
            raise _nothing("draw", "figure8", "a model of the method ccl, and a cohort with slides and omics")
        return self._figures("8", self.decomposed())

    def figure9(self, wildcards: Wildcards) -> list[str]:
        """Return the folders of Figure 9."""
        found = self.explained_in_report(wildcards)
        if not found:
            needed = f"a model of the method ccl, a cohort with slides and omics, and {PATIENTS}"
            raise _nothing("draw", "figure9", needed)
        return found

    def announce(self) -> None:
        """Say before a run, also before a dry one, what will go wrong."""
        for words in missing_slides(self.plan):
            say(f"note: {words}")
        for words in self.plan.tilings.departures if self._embeds else ():
            say(f"note: {words}")

    @property
    def _embeds(self) -> bool:
        return any(cohort.entry.reads_slides for cohort in self.plan.cohorts.values())

    def closing_words(self) -> str:
        """Return the table of C-indices and the path of the report, for the end of a run."""
        folder = Path(self.plan.config.results) / "report"
        table = folder / "tables" / "c_index.csv"
        if not table.exists():
            return ""
        return f"\n{read_table(table).to_string(index=False)}\n\nReport: {folder / 'report.html'}\n"
