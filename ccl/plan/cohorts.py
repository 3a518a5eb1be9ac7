"""A cohort of the config: the paths of its files, and its slides in shards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccl.cohort.folds import count_folds, fold_files
from ccl.config import cohort_sections, sections
from ccl.config.keys import keys_of, stated
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import digest
from ccl.io.gdc import GdcFile, files_of_slides
from ccl.io.interop.naming import find_features, find_vector
from ccl.io.sheets import Slide, read_slide_sheet, shard_of
from ccl.methods.declaration import Method
from ccl.plan.demo import Demo

if TYPE_CHECKING:
    from ccl.source.download import Download

SOURCED = "<results>/{{cohort}}/source/{}"
"""A file that the source stage makes of a download."""


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
    def entry(self) -> cohort_sections.Cohort:
        """The cohort's entry in the config."""
        return self.config.cohorts[self.name]

    def table(self, key: str) -> list[str]:
        """Return the file that the cohort names under `key`, or an empty list."""
        path = getattr(self.entry, key)
        return [self.config.path(path)] if path else []

    @cached_property
    def public_download(self) -> Download | None:
        """The public download that the cohort is read from, if it is."""
        source = self.entry.from_
        if source is None:
            return None
        from ccl.source.layouts import find_download  # needed only with a download

        found = find_download(source, Path(self.config.path(source.folder)))
        if not self.entry.gmt:
            return found.without_omics()
        if not found.kinds:
            raise ConfigError(
                "a cohort has gene families, but its download has no omics",
                where=f"config, cohorts: {self.name}: gmt; {found.folder}",
                found=", ".join(path.name for path in found.files[:4]),
                expected="a table of expression, copy numbers or mutations",
                todo="add the tables to the folder, or leave `gmt` out",
            )
        return found

    def located(self, path: str) -> Path:
        """Return the path of a file of results, or of the user's."""
        return Path(path.replace("<results>", self.config.results).replace("{cohort}", self.name))

    @property
    def patients(self) -> list[str]:
        """The table of patients, or an empty list."""
        return [SOURCED.format("patients.csv")] if self.public_download else self.table("patients")

    @property
    def has_omics(self) -> bool:
        """Whether there are omics."""
        return bool(self.public_download.kinds if self.public_download else self.entry.omics)

    @property
    def omics(self) -> dict[str, list[str]]:
        """The omics table of each kind, if there are any; a download has one table of all kinds."""
        if self.public_download:
            return {"wide": [SOURCED.format("omics.h5")] if self.public_download.kinds else []}
        paths = {kind: getattr(self.entry.omics, kind, None) for kind in keys_of(cohort_sections.Omics)}
        return {kind: [self.config.path(path)] if path else [] for kind, path in paths.items()}

    @property
    def transforms(self) -> dict[str, dict[str, Any]]:
        """How the values of a public download are changed, by kind of omics; empty for the user's own tables."""
        if self.public_download is None or self.entry.from_ is None:
            return {}
        chosen = {
            kind: getattr(self.entry.from_, kind) or default() for kind, default in cohort_sections.SOURCES.items()
        }
        return {
            kind: {key: getattr(chosen[kind], key) for key in ("transform", "silent") if hasattr(chosen[kind], key)}
            for kind in self.public_download.kinds
        }

    @property
    def gmt(self) -> list[str]:
        """The files of gene families, or an empty list."""
        return [self.config.path(path) for path in self.entry.gmt or ()]

    @property
    def clinical_table(self) -> list[str]:
        """The table of covariates, or an empty list."""
        clinical = self.entry.clinical
        if self.public_download:
            return [SOURCED.format("clinical.csv")] if clinical else []
        path = clinical and (clinical.table or self.entry.patients)
        return [self.config.path(path)] if path else []

    def prepared_by(self, method: Method) -> list[str]:
        """Return the sections of the config that prepare the cohort's slides, or its vectors, for a method."""
        if "vectors" in method.reads:
            return ["vectors"]
        if not method.reads_slides:
            return []
        of_patches = [] if self.entry.features else ["tissue", "tile"]
        return [*of_patches, *(["cluster"] if "clusters" in method.reads else [])]

    @property
    def patches(self) -> dict[str, Any]:
        """How patches are read and coloured, as far as it differs from the default."""
        values = asdict(self.config.embed)
        return stated(sections.Patches, {name: values[name] for name in keys_of(sections.Patches)})

    def lacks(self, method: Method) -> list[str]:
        """Return the keys of inputs that a method reads and the cohort does not have, such as ``slides``."""
        return [key for key in method.needs if not (self.has_omics if key == "omics" else getattr(self.entry, key))]

    @property
    def is_followed(self) -> bool:
        """Whether there is follow-up."""
        return self.entry.patients is not None or bool(self.entry.from_ and self.entry.endpoint)

    @property
    def is_trained_on(self) -> bool:
        """Whether models are trained on the cohort."""
        return self.is_followed and not self.entry.external

    @property
    def encoders(self) -> list[str]:
        """The encoders of the cohort's features: those of imported features, or else those of the config."""
        return list(self.entry.features or self.config.embed.encoders)

    def features_for(self, method: Method) -> list[str]:
        """Return the names of the features that a method is run with: encoders, vectors, or ``none``."""
        if "vectors" in method.reads:
            return list(self.vectors)
        return self.encoders if method.reads_slides else ["none"]

    @property
    def vectors(self) -> Mapping[str, cohort_sections.VectorSource]:
        """Where the vectors of each name come from."""
        return self.entry.vectors or {}

    def vector_path(self, name: str) -> str | None:
        """Return the folder or table of vectors; None if they are means of patches."""
        path = self.vectors[name].path
        return self.config.path(path) if path else None

    def vector_files(self, name: str) -> list[str]:
        """Return the table of vectors, or the files of the slides and patients that exist; the stage reports others."""
        path = self.vector_path(name)
        if path is None or not Path(path).is_dir():
            return [path] if path else []
        found = [find_vector(Path(path), slide) for slide in self.slides]
        return sorted({str(file) for file in found if file is not None})

    @cached_property
    def fold_files(self) -> list[str]:
        """The files of the folds; none if folds are drawn."""
        folder = self.entry.folds
        return [str(path) for path in fold_files(Path(self.config.path(folder)))] if folder else []

    @cached_property
    def n_folds(self) -> int:
        """Number of folds."""
        draw = self.config.cohort
        return count_folds([Path(path) for path in self.fold_files]) if self.fold_files else draw.n_folds * draw.repeats

    @cached_property
    def slides(self) -> list[Slide]:
        """The rows of the slide sheet, sorted by slide."""
        for path in self.table("slides"):
            if self.demo and self.will_be_made(path) and not Path(path).exists():
                return self.demo.slides
            if not (found := read_slide_sheet(Path(path))):
                raise InputError(
                    "the slide sheet lists no slide",
                    where=path,
                    found="a header without rows",
                    expected="a row for each slide",
                    todo=f"list the slides, or remove `slides` from cohort {self.name}",
                )
            return found
        return []

    @cached_property
    def shards(self) -> Mapping[int, Sequence[Slide]]:
        """The slides of each shard that has any, in the order of the shards."""
        found: dict[int, list[Slide]] = defaultdict(list)
        for slide in self.slides:
            found[shard_of(slide.slide_id, self.config.shards)].append(slide)
        return dict(sorted(found.items()))

    @property
    def gdc_manifest(self) -> list[str]:
        """The manifest of slides to download, or an empty list."""
        return [self.config.path(self.entry.download.manifest)] if self.entry.download else []

    @cached_property
    def downloads(self) -> Mapping[str, GdcFile]:
        """The file of each slide that a rule downloads, by slide."""
        for manifest in self.gdc_manifest:
            (sheet,) = self.table("slides")
            return files_of_slides(self.slides, Path(manifest), sheet=Path(sheet))
        return {}

    def shard_downloads(self, shard: int) -> Mapping[str, GdcFile]:
        """Return the part of :attr:`downloads` that a shard has."""
        names = [slide.slide_id for slide in self.shards[shard]]
        return {name: self.downloads[name] for name in names if name in self.downloads}

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
        A slide that is downloaded is not listed either, but the manifest of its download, so that it may be deleted
        when its features are there.
        """
        slides, downloads = self.shards[shard], self.shard_downloads(shard)
        paths = [slide.path for slide in slides if slide.slide_id not in downloads]
        paths += [slide.annotation for slide in slides if slide.annotation]
        return [str(path) for path in paths if path.exists() or self.will_be_made(path)]

    @property
    def missing_slides(self) -> list[Slide]:
        """The slides that are read, do not exist, and will be neither made nor downloaded."""
        return [slide for slide in self.slides if self._is_missing(slide)] if self.entry.reads_slides else []

    def shard_missing(self, shard: int) -> list[str]:
        """Return the names of a shard's slides that do not exist, and will be neither made nor downloaded."""
        return [slide.slide_id for slide in self.shards[shard] if self._is_missing(slide)]

    def _is_missing(self, slide: Slide) -> bool:
        return not (slide.slide_id in self.downloads or slide.path.exists() or self.will_be_made(slide.path))

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
