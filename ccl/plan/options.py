"""The options and parameters of every rule: a job runs again when one of them changes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccl.config import cohort_sections, sections
from ccl.config.keys import stated
from ccl.config.options import to_flags
from ccl.io.files import digest
from ccl.plan.cohorts import Cohort
from ccl.plan.inputs import Wildcards
from ccl.plan.models import Model
from ccl.plan.tilings import DEFAULT
from ccl.train import version

if TYPE_CHECKING:
    from ccl.plan.plan import Plan


def input_options(input: Any, without: Sequence[str] = ()) -> str:
    """Return the inputs of a job as options of the same names; an input that a cohort does not have is left out."""
    pairs = [
        (name, path)
        for name in input.keys()  # noqa: SIM118 (Snakemake's inputs are a list with names)
        if name not in without
        for path in ([input[name]] if isinstance(input[name], str) else input[name])
    ]
    return " ".join(f"--{name.replace('_', '-')} {shlex.quote(path)}" for name, path in pairs)


@dataclass(frozen=True)
class Options:
    """The options of rules."""

    plan: Plan

    def _cohort(self, wildcards: Wildcards) -> Cohort:
        return self.plan.cohorts[wildcards.cohort]

    def _model(self, wildcards: Wildcards) -> Model:
        return self.plan.models[wildcards.model]

    def section(self, name: str) -> Callable[[Wildcards], str]:
        """Return the function of the options of a stage whose section of the config holds them all.

        Snakemake would look for wildcards in a text, such as in a title with braces; not in what a function returns.
        """
        flags = to_flags(type(getattr(self.plan.config, name)), self.plan.values[name])
        return lambda wildcards: flags

    def inputs(self, wildcards: Wildcards, input: Any) -> str:
        """Return all inputs of a job as options."""
        return input_options(input)

    def predict_inputs(self, wildcards: Wildcards, input: Any) -> str:
        """Return the inputs of a prediction as options; the bundle is named by its folder."""
        return input_options(input, without=("bundle",))

    def validate_inputs(self, wildcards: Wildcards, input: Any) -> str:
        """Return the inputs of a validation as options; bundle and prediction are named by their folders."""
        return input_options(input, without=("bundle", "prediction"))

    def report_inputs(self, wildcards: Wildcards, input: Any) -> str:
        """Return the inputs of the report as options; evaluations are arguments."""
        return input_options(input, without=("evaluations",))

    def network_inputs(self, wildcards: Wildcards, input: Any) -> str:
        """Return the folders of the folds' networks, and the other inputs as options."""
        folders = dict.fromkeys(str(Path(path).parent) for path in input.models)
        return f"{shlex.join(folders)} {input_options(input, without=('models',))}"

    def run_folders(self, wildcards: Wildcards, input: Any) -> list[str]:
        """Return the folders of the inputs."""
        return [str(Path(path).parent) for path in input]

    def label(self, wildcards: Wildcards) -> str:
        """Return the option that says whether a cohort is synthetic."""
        return "--synthetic" if self._cohort(wildcards).entry.synthetic else "--real"

    def about(self, wildcards: Wildcards) -> str:
        """Return the option that tells readers whose patients these are, or an empty text."""
        about = self._cohort(wildcards).entry.about
        return f"--about {shlex.quote(about)}" if about else ""

    def owners(self, wildcards: Wildcards) -> str:
        """Return a digest of the patient of each slide."""
        return self._cohort(wildcards).owners

    def owners_of_model(self, wildcards: Wildcards) -> str:
        """Return the same for a model that reads slides in any form, else an empty text."""
        return self.owners(wildcards) if self._model(wildcards).reads_slides else ""

    def owners_of_bundle(self, wildcards: Wildcards) -> str:
        """Return the same for a bundle that reads slides, else an empty text."""
        bundle = self.plan.bundles[wildcards.cohort, wildcards.bundle]
        return self.owners(wildcards) if bundle.method.reads_slides else ""

    def owners_of_bags(self, wildcards: Wildcards) -> str:
        """Return the same for a model that reads all patches, else an empty text: clusters are already by patient."""
        return self.owners(wildcards) if "bags" in self._model(wildcards).reads else ""

    def shard_rows(self, wildcards: Wildcards) -> str:
        """Return a digest of the sheet's rows of a shard's slides."""
        return self._cohort(wildcards).shard_rows(int(wildcards.shard))

    def slide_names(self, wildcards: Wildcards) -> str:
        """Return a digest of the names by which ready features are found."""
        return self._cohort(wildcards).slide_names

    def feature_folder(self, wildcards: Wildcards) -> str:
        """Return the folder of ready features."""
        return self._cohort(wildcards).feature_folder(wildcards.encoder)

    def bundle_folder(self, wildcards: Wildcards) -> str:
        """Return the folder of a bundle."""
        return str(self.plan.bundles[wildcards.cohort, wildcards.bundle].folder)

    def gpus(self, stage: str) -> int:
        """Return the number of GPUs that a job of a stage takes from ``--resources gpu=``."""
        return 0 if self.plan.values[stage]["device"] == "cpu" else 1

    def cohort(self, wildcards: Wildcards) -> str:
        """Return the options of the cohort stage."""
        values = {**self.plan.values["cohort"], **self.plan.values["cohorts"][wildcards.cohort]}
        return to_flags(cohort_sections.CohortSettings, values)

    def clinical(self, wildcards: Wildcards) -> str:
        """Return the options of the clinical stage."""
        values = self.plan.values["cohorts"][wildcards.cohort]
        clinical = values["clinical"]
        words = ["--patient-column", clinical.get("patient_column", values["patient_column"])]
        outcomes = [values["months_column"], values["censorship_column"]]
        if endpoint := values.get("endpoint"):
            outcomes += [values.get("event_column", endpoint), values.get("time_column", f"{endpoint}.time")]
        for column in outcomes:
            words += ["--outcome-column", column]
        return shlex.join([*words, "--covariates", json.dumps(clinical)])

    def vectors(self, wildcards: Wildcards) -> str:
        """Return the options of the vectors stage: where they come from, and how they are read."""
        cohort, name = self._cohort(wildcards), wildcards.encoder
        words = ["--name", name]
        for flag, value in (("--path", cohort.vector_path(name)), ("--mean-of", cohort.vectors[name].mean_of)):
            words += [flag, value] if value else []
        values = {**self.plan.values["vectors"], **self.plan.values["cohorts"][cohort.name]["vectors"][name]}
        return f"{shlex.join(words)} {to_flags(sections.VectorsSettings, values)}"

    def vector_inputs(self, wildcards: Wildcards, input: Any) -> str:
        """Return the slide sheet and the manifests as options; files are named by their folder or table."""
        return input_options(input, without=("files",))

    def download(self, wildcards: Wildcards) -> str:
        """Return the options of a download."""
        values = dict(self.plan.values["cohorts"][wildcards.cohort]["download"])
        if "token" in values:
            values["token"] = self.plan.config.path(values["token"])
        return to_flags(cohort_sections.DownloadSettings, values)

    def downloads(self, wildcards: Wildcards) -> str:
        """Return a digest of the files that a shard downloads."""
        files = self._cohort(wildcards).shard_downloads(int(wildcards.shard))
        return digest(sorted((slide_id, *astuple(file)) for slide_id, file in files.items()))

    def connections(self, wildcards: Wildcards) -> int:
        """Return how many files a job downloads at a time."""
        download = self._cohort(wildcards).entry.download
        return download.connections if download else 1

    def tissue(self, wildcards: Wildcards) -> str:
        """Return the options of the tissue stage: its section, the manifest of the download, and missing slides.

        It does not take the job's inputs, because Snakemake does not record a parameter that is made from them.
        """
        place = {"cohort": wildcards.cohort, "shard": wildcards.shard}
        files = [path.format(**place) for path in self.plan.inputs.downloaded(wildcards)]
        options = [("--upstream", path.replace("<results>", self.plan.config.results)) for path in files]
        options += [("--missing", name) for name in self._cohort(wildcards).shard_missing(int(wildcards.shard))]
        return " ".join([self.section("tissue")(wildcards), *map(shlex.join, options)])

    def tile(self, wildcards: Wildcards) -> str:
        """Return the options of a tiling, by its folder."""
        tiling = self.plan.tilings.by_folder[wildcards.tiling]
        return to_flags(sections.TileSettings, {**tiling.values, "artefact_weights": tiling.artefact_weights})

    def source_inputs(self, wildcards: Wildcards, input: Any) -> str:
        """Return the inputs of the source stage as options, without the many files of the download."""
        return input_options(input, without=("files",))

    def source(self, wildcards: Wildcards) -> str:
        """Return the options of the source stage."""
        cohort = self._cohort(wildcards)
        assert cohort.public_download is not None
        values = self.plan.values["cohorts"][cohort.name]["from"]
        words = ["--from", json.dumps(values), "--folder", str(cohort.public_download.folder)]
        return shlex.join([*words, "--omics" if cohort.has_omics else "--no-omics"])

    def embed(self, wildcards: Wildcards) -> str:
        """Return the options of an encoder."""
        embed = self.plan.values["embed"]
        common = {name: value for name, value in embed.items() if name not in ("encoders", "batch_size", "device")}
        values = {"encoder": wildcards.encoder, **common, **embed["encoders"][wildcards.encoder]}
        if path := self.plan.config.weights_file(wildcards.encoder):
            values["weights"] = path
        if path := self.plan.config.stain_target:
            values["stain_target"] = path
        return to_flags(sections.EmbedSettings, values)

    def genomics(self, wildcards: Wildcards) -> str:
        """Return the options of the genomics stage."""
        column = self.plan.values["cohorts"][wildcards.cohort]["patient_column"]
        return to_flags(sections.GenomicsSettings, {**self.plan.values["genomics"], "patient_column": column})

    def cluster(self, wildcards: Wildcards) -> str:
        """Return the options of K-means."""
        return to_flags(sections.ClusterSettings, {**self.plan.values["cluster"], "k": int(wildcards.k)})

    def train(self, wildcards: Wildcards) -> str:
        """Return the options of training."""
        return to_flags(sections.TrainSettings, self.plan.values["train"])

    def method(self, wildcards: Wildcards) -> str:
        """Return a model's method."""
        return self._model(wildcards).method_name

    def track(self, wildcards: Wildcards) -> str:
        """Return a model's track."""
        return self._model(wildcards).track

    def train_version(self, wildcards: Wildcards) -> int:
        """Return the version of training for a model's method."""
        model = self._model(wildcards)
        return version(model.method_name, model.track)

    def overrides(self, wildcards: Wildcards) -> str:
        """Return the hyper-parameters that the config sets, as JSON."""
        return json.dumps(self._model(wildcards).overrides, sort_keys=True)

    def preprocessing(self, wildcards: Wildcards) -> str:
        """Return the sections of the config that made a model's inputs, and the transforms of a download, as JSON."""
        cohort, method = self._cohort(wildcards), self._model(wildcards).method
        settings: dict[str, Any] = {
            name: self.plan.tilings.of[wildcards.encoder].settings
            if name == DEFAULT
            else stated(type(getattr(self.plan.config, name)), self.plan.values[name])
            for name in cohort.prepared_by(method)
        }
        if "tile" in settings and (patches := cohort.patches):
            settings["embed"] = patches
        if "genomics" in method.reads and cohort.transforms:
            settings["from"] = cohort.transforms
        return json.dumps(settings, sort_keys=True)

    def explain(self, wildcards: Wildcards) -> str:
        """Return the options of the explain stage: the patients of this cohort among those that the config names."""
        named = self.plan.targets.patients_named(self._cohort(wildcards))
        return to_flags(sections.ExplainSettings, {**self.plan.values["explain"], "patients": named})

    @property
    def demo(self) -> str:
        """The options of the synthetic cohort."""
        return to_flags(sections.DemoSettings, vars(self.plan.demo.settings)) if self.plan.demo else ""

    @property
    def base(self) -> str:
        """The model that ablations change, as JSON."""
        return json.dumps(self.plan.base, sort_keys=True)

    @property
    def without(self) -> str:
        """The cohorts that ablations leave out."""
        return " ".join(f"--without {name}" for name in self.plan.targets.not_ablated())

    @property
    def blanks(self) -> str:
        """The pairs that the tables leave blank, as JSON."""
        return json.dumps(self.plan.blanks)

    def config(self, wildcards: Wildcards) -> str:
        """Return the whole config as JSON, for the report."""
        return json.dumps(self.plan.values, sort_keys=True)
