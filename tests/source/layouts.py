"""One small cohort, written in the layout of each public download and as tidy tables."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GENES = ("TP53", "KRAS", "MYC", "EGFR", "RUBCN")
ENSEMBL = {gene: f"ENSG{number:011d}" for number, gene in enumerate(GENES, start=1)}
GMT = "ONE\tfirst\tTP53\tKRAS\nTWO\tsecond\tMYC\tEGFR\tRUBCN\n"
DAYS = 365.25 / 12


@dataclass
class Truth:
    """What every layout holds; values with a row for each gene and a column for each patient."""

    n: int = 24
    seed: int = 0
    patients: list[str] = field(init=False)
    rna: NDArray[np.float64] = field(init=False)
    cnv: NDArray[np.int64] = field(init=False)
    snv: NDArray[np.int64] = field(init=False)
    days: NDArray[np.int64] = field(init=False)
    dead: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.patients = sorted(f"TCGA-A{number % 4}-{number:04d}" for number in range(self.n))
        self.rna = np.round(rng.lognormal(4, 1, (len(GENES), self.n)), 3)
        self.cnv = rng.integers(-2, 3, (len(GENES), self.n))
        self.snv = (rng.random((len(GENES), self.n)) < 0.3).astype(np.int64)
        self.snv[:, 0], self.snv[:, 1] = 0, 1
        self.days = rng.integers(30, 3000, self.n)
        self.dead = np.arange(self.n) % 2

    def samples(self, ending: str = "-01") -> list[str]:
        """The primary samples of all patients."""
        return [patient + ending for patient in self.patients]


def write(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    """Write rows separated by tabs, compressed if the name ends in ``.gz``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def matrix(
    first: str, samples: Sequence[str], values: NDArray[np.generic], names: Sequence[str] = GENES
) -> list[list[object]]:
    """Return the rows of a matrix of genes by samples."""
    return [[first, *samples], *([name, *row] for name, row in zip(names, values.tolist(), strict=True))]


def tidy(folder: Path, truth: Truth) -> Path:
    """Write the tables that the stages read without a download; expression is log2(x + 1)."""
    folder.mkdir()
    for kind, values in (("rna", np.log2(truth.rna + 1)), ("cnv", truth.cnv), ("snv", truth.snv)):
        rows = zip(truth.patients, values.T.tolist(), strict=True)
        lines = [",".join(["patient_id", *GENES]), *(",".join(map(str, [name, *row])) for name, row in rows)]
        (folder / f"{kind}.csv").write_text("\n".join(lines) + "\n")
    lines = [f"{p},{d / DAYS},{1 - e}" for p, d, e in zip(truth.patients, truth.days, truth.dead, strict=True)]
    (folder / "patients.csv").write_text("\n".join(["patient_id,months,censorship", *lines]) + "\n")
    return folder


def maf(samples: Sequence[str], truth: Truth, columns: Sequence[int] | None = None) -> list[list[object]]:
    """Return the rows of a MAF file of some patients, each with a silent variant of EGFR as well."""
    rows: list[list[object]] = [
        ["Hugo_Symbol", "Chromosome", "Variant_Classification", "Tumor_Sample_Barcode", "HGVSp"]
    ]
    for column in range(truth.n) if columns is None else columns:
        mutated = [gene for gene, value in zip(GENES, truth.snv[:, column], strict=True) if value]
        rows += [[gene, 1, "Missense_Mutation", samples[column], 'p."E17K'] for gene in mutated]
        rows += [["EGFR", 7, "Silent", samples[column], ""]] if mutated else []
    return rows


def cbioportal(folder: Path, truth: Truth, *, words: bool = False, long: bool = False) -> Path:
    """Write a study folder of cBioPortal; `words` are statuses without numbers, `long` is the long copy number."""
    samples = truth.samples()

    def meta(name: str, data: str, **keys: str) -> None:
        keys = {"cancer_study_identifier": "tiny", **keys, "data_filename": data}
        folder.mkdir(exist_ok=True)
        (folder / f"meta_{name}.txt").write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))

    def comments(names: Sequence[str]) -> list[list[str]]:
        first, *rest = names
        return [
            [f"#{first}", *rest],
            [f"#{first}", *rest],
            ["#STRING"] * 1 + ["STRING"] * len(rest),
            ["#1", *["1"] * len(rest)],
        ]

    dead = ("DECEASED", "LIVING") if words else ("1:DECEASED", "0:LIVING")
    progressed = ("PROGRESSION", "CENSORED") if words else ("1:PROGRESSION", "0:CENSORED")
    names = ["PATIENT_ID", "AGE", "SEX", "OS_STATUS", "OS_MONTHS", "PFS_STATUS", "PFS_MONTHS"]
    rows = [
        [p, 40 + at, "Female" if at % 2 else "[Not Available]", dead[1 - e], d / DAYS, progressed[1 - e], d / DAYS / 2]
        for at, (p, d, e) in enumerate(zip(truth.patients, truth.days, truth.dead, strict=True))
    ]
    write(folder / "data_clinical_patient.txt", [*comments(names), names, *rows])
    names = ["PATIENT_ID", "SAMPLE_ID", "SAMPLE_TYPE", "GRADE"]
    rows = [[p, s, "Primary", f"G{at % 3}"] for at, (p, s) in enumerate(zip(truth.patients, samples, strict=True))]
    write(folder / "data_clinical_sample.txt", [*comments(names), names, *rows])
    meta(
        "clinical_patient",
        "data_clinical_patient.txt",
        genetic_alteration_type="CLINICAL",
        datatype="PATIENT_ATTRIBUTES",
    )
    meta(
        "clinical_sample", "data_clinical_sample.txt", genetic_alteration_type="CLINICAL", datatype="SAMPLE_ATTRIBUTES"
    )

    rows = matrix("Hugo_Symbol", samples, truth.rna)
    write(
        folder / "data_mrna.txt",
        [[row[0], "Entrez_Gene_Id" if at == 0 else at, *row[1:]] for at, row in enumerate(rows)],
    )
    meta("mrna", "data_mrna.txt", genetic_alteration_type="MRNA_EXPRESSION", datatype="CONTINUOUS", stable_id="rna_seq")
    write(folder / "data_z.txt", rows)
    meta("z", "data_z.txt", genetic_alteration_type="MRNA_EXPRESSION", datatype="Z-SCORE", stable_id="rna_seq_z")
    if long:
        listed = [
            [gene, at, sample, truth.cnv[at, column]]
            for at, gene in enumerate(GENES)
            for column, sample in enumerate(samples)
            if truth.cnv[at, column]
        ]
        write(folder / "data_cna.txt", [["Hugo_Symbol", "Entrez_Gene_Id", "Sample_Id", "Value"], *listed])
    else:
        write(folder / "data_cna.txt", matrix("Hugo_Symbol", samples, truth.cnv))
    datatype = "DISCRETE_LONG" if long else "DISCRETE"
    meta("cna", "data_cna.txt", genetic_alteration_type="COPY_NUMBER_ALTERATION", datatype=datatype, stable_id="gistic")
    write(folder / "data_mutations.txt", [["#version 2.4"], *maf(samples, truth)])
    meta(
        "mutations",
        "data_mutations.txt",
        genetic_alteration_type="MUTATION_EXTENDED",
        datatype="MAF",
        stable_id="mutations",
    )
    lists = folder / "case_lists"
    lists.mkdir()
    for name in ("sequenced", "cna"):
        (lists / f"cases_{name}.txt").write_text(f"stable_id: tiny_{name}\ncase_list_ids: " + "\t".join(samples) + "\n")
    return folder


def gdc(folder: Path, truth: Truth) -> Path:
    """Write a download of GDC: a folder for each file, the sample sheet and the clinical table; copies are cnv + 2."""
    sheet: list[list[object]] = [
        ["File ID", "File Name", "Data Type", "Project ID", "Case ID", "Sample ID", "Sample Type"]
    ]
    for column, patient in enumerate(truth.patients):
        tumour = f"{patient}-01A"
        pair = [f"{patient}, {patient}", f"{patient}-10A, {tumour}", "Blood Derived Normal, Primary Tumor"]
        star: list[list[object]] = [
            ["# gene-model: GENCODE v36"],
            ["gene_id", "gene_name", "gene_type", "unstranded", "tpm_unstranded"],
        ]
        star += [[name, "", "", 7, ""] for name in ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous")]
        star += [
            [f"{ENSEMBL[g]}.4", g, "protein_coding", 9, v] for g, v in zip(GENES, truth.rna[:, column], strict=True)
        ]
        star += [["ENSG00000000001.4_PAR_Y", "TP53", "protein_coding", 0, 0]]
        copies: list[list[object]] = [
            ["gene_id", "gene_name", "chromosome", "start", "end", "copy_number", "min_copy_number"]
        ]
        copies += [
            [f"{ENSEMBL[g]}.4", g, "chr1", 1, 2, v + 2, v] for g, v in zip(GENES, truth.cnv[:, column], strict=True)
        ]
        variants = maf([f"{p}-01A-11D-A100-09" for p in truth.patients], truth, [column])
        for name, rows, owner in (
            (f"u{column}.rna_seq.augmented_star_gene_counts.tsv", star, [patient, tumour, "Primary Tumor"]),
            (f"T.u{column}.ascat2.gene_level_copy_number.v36.tsv", copies, pair),
            (f"u{column}.wxs.aliquot_ensemble_masked.maf.gz", [["#version gdc-1.0.0"], *variants], pair),
        ):
            write(folder / f"id{column}-{name[:3]}" / name, rows)
            sheet.append([f"id{column}-{name[:3]}", name, "some type", "TCGA-TINY", *owner])
    write(folder / "gdc_sample_sheet.2024-01-01.tsv", sheet)
    names = [
        "case_id",
        "case_submitter_id",
        "age_at_index",
        "days_to_death",
        "days_to_last_follow_up",
        "vital_status",
        "treatment_type",
    ]
    rows: list[list[object]] = [
        [f"c{p}", p, 40, d if e else "'--", "'--" if e else d, "Dead" if e else "Alive", treatment]
        for p, d, e in zip(truth.patients, truth.days, truth.dead, strict=True)
        for treatment in ("Radiation", "Surgery")
    ]
    write(folder / "clinical.tsv", [names, *rows])
    return folder


def xena(folder: Path, truth: Truth) -> Path:
    """Write files of a Xena hub, the expression as log2(x + 1) by versioned Ensembl ids."""
    samples = truth.samples()
    ids = [f"{ENSEMBL[gene]}.2" for gene in GENES]
    write(
        folder / "TCGA-TINY.star_tpm.tsv.gz",
        matrix("Ensembl_ID", [f"{s}A" for s in samples], np.log2(truth.rna + 1), ids),
    )
    write(folder / "Gistic2_CopyNumber_Gistic2_all_thresholded.by_genes.gz", matrix("Gene Symbol", samples, truth.cnv))
    write(folder / "mc3_gene_level_TINY_mc3_gene_level.txt.gz", matrix("sample", samples, truth.snv))
    write(
        folder / "probemap.tsv",
        [["id", "gene", "chrom"], *([id_, gene, "chr1"] for id_, gene in zip(ids, GENES, strict=True))],
    )
    rows = [[s, p, e, d, e, d] for s, p, e, d in zip(samples, truth.patients, truth.dead, truth.days, strict=True)]
    write(folder / "survival_TINY_survival.txt", [["sample", "_PATIENT", "OS", "OS.time", "PFI", "PFI.time"], *rows])
    rows = [[s, p, 40, "Primary Tumor"] for s, p in zip(samples, truth.patients, strict=True)]
    write(folder / "TCGA.TINY.sampleMap_TINY_clinicalMatrix", [["sampleID", "_PATIENT", "age", "sample_type"], *rows])
    return folder
