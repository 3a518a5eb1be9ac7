"""A cohort of the config: the paths of its files, and its slides in shards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ccl.cohort.folds import fold_files
from ccl.config import sections
from ccl.config.keys import keys_of
from ccl.io.files import digest
from ccl.io.interop.naming import find_features
from ccl.io.sheets import Slide, read_slide_sheet, shard_of
from ccl.methods.declaration import Method
from ccl.plan.demo import Demo


@dataclass(frozen=True)
class Cohort:
    """One entry of ``cohorts``."""

    name: str
    config: sections.Config
    demo: Demo | None = None
    """The demo cohort that a rule makes, if the config declares one."""

    def will_be_made(self, path: str | Path) -> bool:
        """Tell whether a rule makes a file of the cohort."""
        return self.demo is not None and str(path) in self.demo.files

    @property
    def entry(self) -> sections.Cohort:
        """The cohort's entry in the config."""
        return self.config.cohorts[self.name]

    def table(self, key: str) -> list[str]:
        """Return the file that the cohort names under `key`, or an empty list."""
        path = getattr(self.entry, key)
        return [self.config.path(path)] if path else []

    @property
    def omics(self) -> dict[str, list[str]]:
        """The omics table of each kind, if there are any."""
        paths = {kind: getattr(self.entry.omics, kind, None) for kind in keys_of(sections.Omics)}
        return {kind: [self.config.path(path)] if path else [] for kind, path in paths.items()}

    @property
    def clinical_table(self) -> list[str]:
        """The table of covariates, or an empty list."""
        clinical = self.entry.clinical
        path = clinical and (clinical.table or self.entry.patients)
        return [self.config.path(path)] if path else []

    def prepared_by(self, method: Method) -> list[str]:
        """Return the sections of the config that prepare the cohort's slides for a method."""
        if not method.reads_slides:
            return []
        of_patches = [] if self.entry.features else ["tissue", "tile"]
        return [*of_patches, *(["cluster"] if "clusters" in method.reads else [])]

    def lacks(self, method: Method) -> list[str]:
        """Return the keys of inputs that a method reads and the cohort does not have, such as ``slides``."""
        return [key for key in method.needs if getattr(self.entry, key) is None]

    @property
    def is_followed(self) -> bool:
        """Whether there is follow-up, so that models are trained on the cohort."""
        return self.entry.patients is not None

    @property
    def encoders(self) -> list[str]:
        """The encoders of the cohort's features: those of imported features, or else those of the config."""
        return list(self.entry.features or self.config.embed.encoders)

    @cached_property
    def fold_files(self) -> list[str]:
        """The files of the folds; none if folds are drawn."""
        folder = self.entry.folds
        return [str(path) for path in fold_files(Path(self.config.path(folder)))] if folder else []

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return len(self.fold_files) or self.config.cohort.n_folds

    @cached_property
    def slides(self) -> list[Slide]:
        """The rows of the slide sheet, sorted by slide."""
        for path in self.table("slides"):
            if self.demo and self.will_be_made(path) and not Path(path).exists():
                return self.demo.slides
            return read_slide_sheet(Path(path))
        return []

    @cached_property
    def shards(self) -> Mapping[int, Sequence[Slide]]:
        """The slides of each shard that has any, in the order of the shards."""
        found: dict[int, list[Slide]] = defaultdict(list)
        for slide in self.slides:
            found[shard_of(slide.slide_id, self.config.shards)].append(slide)
        return dict(sorted(found.items()))

    @cached_property
    def owners(self) -> str:
        """A digest of the patient of each slide."""
        return digest([(slide.slide_id, slide.patient_id) for slide in self.slides])

    @property
    def slide_names(self) -> str:
        """A digest of the names by which ready features are found."""
        return digest([(slide.slide_id, str(slide.path)) for slide in self.slides])

    def shard_rows(self, shard: int) -> str:
        """Return a digest of the sheet's rows of a shard's slides; other rows do not affect the shard."""
        return digest([(s.slide_id, str(s.path), s.mpp, str(s.annotation)) for s in self.shards[shard]])

    def shard_files(self, shard: int) -> list[str]:
        """Return the slides and annotations of a shard.

        A file that neither exists nor will be made is not listed.  The stage reports it without stopping the others.
        """
        paths = [path for slide in self.shards[shard] for path in (slide.path, slide.annotation) if path]
        return [str(path) for path in paths if path.exists() or self.will_be_made(path)]

    @property
    def missing_slides(self) -> list[Slide]:
        """The slides that are read and do not exist."""
        read = self.slides if self.entry.reads_slides else []
        return [slide for slide in read if not slide.path.exists() and not self.will_be_made(slide.path)]

    def feature_folder(self, encoder: str) -> str:
        """Return the folder of ready features."""
        assert self.entry.features is not None
        return self.config.path(self.entry.features[encoder])

    def feature_files(self, encoder: str) -> list[str]:
        """Return the files of ready features that exist; the import reports missing ones."""
        folder = Path(self.feature_folder(encoder))
        found = [find_features(folder, slide) for slide in self.slides]
        return sorted({str(file) for file in found if file is not None})

    def manifests(self, stage: str) -> list[str]:
        """Return the manifests of all shards of a slide stage, with a wildcard for the cohort."""
        return [f"<results>/{{cohort}}/{stage}/manifests/{shard}.tsv" for shard in self.shards]

    @property
    def feature_manifests(self) -> list[str]:
        """The manifest that lists the features, with wildcards for cohort and encoder."""
        if self.entry.features:
            return ["<results>/{cohort}/import/{encoder}/manifest.tsv"]
        return ["<results>/{cohort}/embed/{encoder}/manifest.tsv"] if self.slides else []
