"""The input files of every rule.

A method has the name of its rule and takes the job's wildcards.  Paths have Snakemake's own form: ``<results>`` stands
for the folder of results, and a wildcard may be left in braces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ccl.paper import ablations
from ccl.plan.bundles import Bundle
from ccl.plan.cohorts import Cohort
from ccl.plan.models import Model, Run
from ccl.predict.card import CARD, WEIGHTS

if TYPE_CHECKING:
    from ccl.plan.plan import Plan

Wildcards = Any
"""Snakemake's wildcards of a job: attributes ``cohort``, ``encoder``, ``model``, ``shard``, ..."""

Files = dict[str, str | list[str]]
"""Files by the names of their options."""

NETWORK = ("model.safetensors", "run.json", "predictions.csv")
"""The files that training writes for a fold."""

PREDICTION = ("predict.json", "risk.csv", "survival.csv", "left_out.csv")
"""The files that a prediction writes."""


CLINICAL = "<results>/{cohort}/clinical/clinical.csv"
"""The covariates of a cohort; their coding is a file beside it."""

VECTORS = "<results>/{cohort}/vectors/{name}/vectors.h5"
"""The vectors of a cohort, by their name in the config."""

CHARACTERISTICS = "<results>/{cohort}/clinical/characteristics.csv"
"""The table of a cohort's characteristics."""


def evaluation(run: Run) -> str:
    """Return the evaluation file of a run."""
    return f"<results>/{run.cohort}/evaluate/{run.encoder}/{run.model}/evaluation.json"


@dataclass(frozen=True)
class Inputs:
    """The input files of rules."""

    plan: Plan

    def _cohort(self, wildcards: Wildcards) -> Cohort:
        return self.plan.cohorts[wildcards.cohort]

    def _model(self, wildcards: Wildcards) -> Model:
        return self.plan.models[wildcards.model]

    def cohort(self, wildcards: Wildcards) -> Files:
        """Return the user's tables of a cohort."""
        cohort = self._cohort(wildcards)
        tables = {key: cohort.table(key) for key in ("endpoint_table", "slides", "held_out")}
        return {"patients": cohort.patients, **tables, "folds": cohort.fold_files}

    def source(self, wildcards: Wildcards) -> Files:
        """Return the files of a download, and the table of its genes."""
        cohort = self._cohort(wildcards)
        if cohort.public_download is None:
            return {}
        files: Files = {"files": list(map(str, cohort.public_download.files))}
        if cohort.entry.from_ and (path := cohort.entry.from_.genes):
            files["genes"] = cohort.config.path(path)
        return files

    def genomics(self, wildcards: Wildcards) -> Files:
        """Return the user's omics tables, gene families, and other symbols if there is a table of them."""
        cohort, aliases = self._cohort(wildcards), self.plan.config.genomics.aliases
        return {**cohort.omics, "gmt": cohort.gmt, "aliases": [self.plan.config.path(aliases)] if aliases else []}

    def clinical(self, wildcards: Wildcards) -> Files:
        """Return the user's table of covariates, and the follow-up if there is any."""
        cohort = self._cohort(wildcards)
        files: Files = {"table": cohort.clinical_table}
        if cohort.is_followed:
            names = ("patients", "folds") if cohort.is_trained_on else ("patients",)
            files |= {name: f"<results>/{{cohort}}/cohort/{name}.csv" for name in names}
        return files

    def slide_sheet(self, wildcards: Wildcards) -> list[str]:
        """Return the slide sheet."""
        return self._cohort(wildcards).table("slides")

    def slide_files(self, wildcards: Wildcards) -> list[str]:
        """Return the slides and annotations of a shard."""
        return self._cohort(wildcards).shard_files(int(wildcards.shard))

    def gdc_manifest(self, wildcards: Wildcards) -> list[str]:
        """Return the manifest of slides to download."""
        return self._cohort(wildcards).gdc_manifest

    def downloaded(self, wildcards: Wildcards) -> list[str]:
        """Return the manifest of the download of a shard, if any of its slides is downloaded."""
        any_file = self._cohort(wildcards).shard_downloads(int(wildcards.shard))
        return ["<results>/{cohort}/download/manifests/{shard}.tsv"] if any_file else []

    def weights(self, wildcards: Wildcards) -> list[str]:
        """Return the local file of an encoder's weights, if the config names one."""
        path = self.plan.config.weights_file(wildcards.encoder)
        return [path] if path else []

    def artefact_weights(self, wildcards: Wildcards) -> list[str]:
        """Return the local file of the segmentation that takes patches, if the config names one."""
        path = self.plan.tilings.by_folder[wildcards.tiling].artefact_weights
        return [path] if path else []

    def stain_target(self, wildcards: Wildcards) -> list[str]:
        """Return the picture that the stains of slides are normalised to, if the config names one."""
        path = self.plan.config.stain_target
        return [path] if path else []

    def feature_files(self, wildcards: Wildcards) -> list[str]:
        """Return the ready features of a cohort."""
        return self._cohort(wildcards).feature_files(wildcards.encoder)

    def tissue_manifests(self, wildcards: Wildcards) -> list[str]:
        """Return the manifests of the tissue stage of a cohort."""
        return self._cohort(wildcards).manifests("tissue")

    def tile_manifests(self, wildcards: Wildcards) -> list[str]:
        """Return the manifests of the tile stage of a cohort, of all tilings."""
        cohort = self._cohort(wildcards)
        return [path for folder in self.plan.tilings.by_folder for path in cohort.manifests(folder)]

    def tiles(self, wildcards: Wildcards) -> str:
        """Return the manifest of the patches that an encoder reads."""
        return f"<results>/{{cohort}}/{self.plan.tilings.of[wildcards.encoder].folder}/manifests/{{shard}}.tsv"

    def embed_manifests(self, wildcards: Wildcards) -> list[str]:
        """Return the manifests of all shards of the embed stage of a cohort, for one encoder."""
        return self._cohort(wildcards).manifests("embed/{encoder}")

    def quality_embed_manifests(self, wildcards: Wildcards) -> list[str]:
        """Return the manifests of all shards of the embed stage of a cohort, for all encoders."""
        cohort = self._cohort(wildcards)
        return [path for encoder in cohort.encoders for path in cohort.manifests(f"embed/{encoder}")]

    def feature_manifests(self, wildcards: Wildcards) -> list[str]:
        """Return the manifests of a cohort's features."""
        return self._cohort(wildcards).feature_manifests

    def train(self, wildcards: Wildcards) -> Files:
        """Return the tables that a model is trained on; bags are separate."""
        model = self._model(wildcards)
        files: Files = {
            "patients": "<results>/{cohort}/cohort/patients.csv",
            "folds": "<results>/{cohort}/cohort/folds.csv",
        }
        if "genomics" in model.reads:
            files["genomics"] = "<results>/{cohort}/genomics/genomics.h5"
        if "clusters" in model.reads:
            files["clusters"] = f"<results>/{{cohort}}/cluster/{{encoder}}/k{model.k}.h5"
        if "clinical" in model.reads:
            files["clinical"] = CLINICAL
        if "vectors" in model.reads:
            files["vectors"] = VECTORS.format(name="{encoder}", cohort="{cohort}")
        return files

    def vectors(self, wildcards: Wildcards) -> Files:
        """Return the slide sheet and the files of vectors, or the features that are averaged."""
        cohort = self._cohort(wildcards)
        mean_of = cohort.vectors[wildcards.encoder].mean_of
        manifests = [path.replace("{encoder}", mean_of) for path in cohort.feature_manifests] if mean_of else []
        return {"files": cohort.vector_files(wildcards.encoder), "manifests": manifests}

    def bag_sheet(self, wildcards: Wildcards) -> list[str]:
        """Return the slide sheet for a model that reads bags, else nothing."""
        return self.slide_sheet(wildcards) if "bags" in self._model(wildcards).reads else []

    def bag_manifests(self, wildcards: Wildcards) -> list[str]:
        """Return the manifests of features for a model that reads bags, else nothing."""
        return self.feature_manifests(wildcards) if "bags" in self._model(wildcards).reads else []

    def model_sheet(self, wildcards: Wildcards) -> list[str]:
        """Return the slide sheet for a model that reads slides in any form, else nothing."""
        return self.slide_sheet(wildcards) if self._model(wildcards).reads_slides else []

    def model_manifests(self, wildcards: Wildcards) -> list[str]:
        """Return the manifests of features for a model that reads slides in any form, else nothing."""
        return self.feature_manifests(wildcards) if self._model(wildcards).reads_slides else []

    def evaluate(self, wildcards: Wildcards) -> list[str]:
        """Return the training files of every fold of a run."""
        folds = range(self._cohort(wildcards).n_folds)
        return [f"<results>/{{cohort}}/train/{{encoder}}/{{model}}/fold{fold}/run.json" for fold in folds]

    @property
    def added(self) -> dict[str, str]:
        """The files that compare a run with the covariates of its cohort."""
        folder = "<results>/{cohort}/evaluate/{encoder}/{model}"
        return {"evaluation": f"{folder}/evaluation.json", "risks": f"{folder}/risks.csv", "clinical": CLINICAL}

    def _networks(self, wildcards: Wildcards) -> list[str]:
        return [
            f"<results>/{{cohort}}/train/{{encoder}}/{{model}}/fold{fold}/{name}"
            for fold in range(self._cohort(wildcards).n_folds)
            for name in NETWORK
        ]

    def components(self, wildcards: Wildcards) -> Files:
        """Return the networks of a run, and the tables that they were trained on."""
        files: Files = {"models": self._networks(wildcards), **self.train(wildcards)}
        return {name: paths for name, paths in files.items() if name not in ("patients", "folds")}

    def explain(self, wildcards: Wildcards) -> Files:
        """Return the networks of a run, the tables that they were trained on, and the follow-up."""
        return {**self.components(wildcards), "outcomes": self.train(wildcards)["patients"]}

    def bundle(self, wildcards: Wildcards) -> Files:
        """Return the networks of a run, the tables that they were trained on, and the covariates if there are any."""
        described: Files = {"clinical": CLINICAL} if self._cohort(wildcards).entry.clinical else {}
        return {"models": self._networks(wildcards), **self.train(wildcards), **described}

    def model_tissue(self, wildcards: Wildcards) -> list[str]:
        """Return the manifests of the outlined slides for a model that reads slides, else nothing."""
        return self._tissue(wildcards) if self._model(wildcards).reads_slides else []

    def _tissue(self, wildcards: Wildcards) -> list[str]:
        cohort = self._cohort(wildcards)
        return cohort.manifests("tissue") if cohort.entry.reads_slides else []

    def predict(self, wildcards: Wildcards) -> Files:
        """Return the files of a bundle, and the tables of the new patients that its method reads and they have."""
        bundle, cohort = self._bundle(wildcards), self._cohort(wildcards)
        lacks, reads = cohort.lacks(bundle.method), bundle.method.reads
        files: Files = {"bundle": [str(bundle.folder / CARD), str(bundle.folder / WEIGHTS)]}
        if "genomics" in reads and "omics" not in lacks:
            files["genomics"] = "<results>/{cohort}/genomics/genomics.h5"
        if "clusters" in reads and "slides" not in lacks:
            files["clusters"] = f"<results>/{{cohort}}/cluster/{bundle.encoder}/k{bundle.clusters}.h5"
        if "clinical" in reads:
            files["clinical"] = CLINICAL
        if "vectors" in reads:
            files["vectors"] = VECTORS.format(name=bundle.encoder, cohort="{cohort}")
        return files

    def validate(self, wildcards: Wildcards) -> Files:
        """Return the predictions of a bundle, what they were made from, the follow-up, and the covariates if any."""
        described: Files = {"clinical": CLINICAL} if self._cohort(wildcards).entry.clinical else {}
        return {
            "prediction": [f"<results>/{{cohort}}/predict/{{bundle}}/{name}" for name in PREDICTION],
            "patients": "<results>/{cohort}/cohort/patients.csv",
            **self.predict(wildcards),
            **described,
        }

    def bundle_tissue(self, wildcards: Wildcards) -> list[str]:
        """Return the manifests of the new patients' outlined slides for a bundle that reads slides, else nothing."""
        return self._tissue(wildcards) if self._slides_are_read(wildcards) else []

    def _bundle(self, wildcards: Wildcards) -> Bundle:
        return self.plan.bundles[wildcards.cohort, wildcards.bundle]

    def bundle_sheet(self, wildcards: Wildcards) -> list[str]:
        """Return the slide sheet of the new patients for a bundle that reads slides, else nothing."""
        return self.slide_sheet(wildcards) if self._slides_are_read(wildcards) else []

    def bundle_manifests(self, wildcards: Wildcards) -> list[str]:
        """Return the manifests of the new patients' features for a bundle that reads slides, else nothing."""
        encoder = self._bundle(wildcards).encoder
        manifests = self._cohort(wildcards).feature_manifests if self._slides_are_read(wildcards) else []
        return [path.replace("{encoder}", encoder) for path in manifests]

    def _slides_are_read(self, wildcards: Wildcards) -> bool:
        method = self._bundle(wildcards).method
        return method.reads_slides and "slides" not in self._cohort(wildcards).lacks(method)

    def ablations(self, wildcards: Wildcards) -> list[str]:
        """Return the evaluations of every point of all tables, and of the default model."""
        return self._ablations(None)

    def ablation(self, table: int) -> Callable[[Wildcards], list[str]]:
        """Return the input function of one table: the evaluations of its points, and of the default model."""
        return lambda wildcards: self._ablations(table)

    def _ablations(self, table: int | None) -> list[str]:
        return [
            evaluation(Run(cohort.name, encoder, model))
            for cohort in self.plan.targets.ablated()
            for encoder in cohort.encoders
            for model in ablations.models_of(self.plan.base, table)
        ]

    def _cohorts_of(self, wildcards: Wildcards) -> list[str]:
        """Return the cohorts that a model is trained on with an encoder."""
        wanted = (wildcards.encoder, wildcards.model)
        return [run.cohort for run in self.plan.runs if run[1:] == wanted]

    def draw_evaluations(self, wildcards: Wildcards) -> list[str]:
        """Return the evaluations of a model with an encoder, of all cohorts."""
        cohorts = self._cohorts_of(wildcards)
        return [f"<results>/{cohort}/evaluate/{{encoder}}/{{model}}/evaluation.json" for cohort in cohorts]

    def draw_components(self, wildcards: Wildcards) -> list[str]:
        """Return the components of a model with an encoder, of all cohorts."""
        cohorts = self._cohorts_of(wildcards)
        return [f"<results>/{cohort}/components/{{encoder}}/{{model}}/components.json" for cohort in cohorts]
