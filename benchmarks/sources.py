"""How long the source stage takes, and how much memory, for a study of 20,000 genes by 1,100 samples.

``python benchmarks/sources.py``, a few minutes with the writing of the files; 5 GB of disk.  A study is written in the
layout of each public download, and ``ccl source`` reads it in a process of its own.  The files of GDC are 1,100 names
of 8 files, as only their reading is measured.  Seconds of CPU do
not depend on what else the machine does.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

GENES, SAMPLES, MUTATIONS, DIFFERENT = 20_000, 1_100, 120_000, 8
FOLLOW_UP = "OS_STATUS\tOS_MONTHS"


def matrix(path: Path, first: str, samples: Sequence[str], *, whole: bool) -> None:
    """Write a matrix of expression, or of copy numbers if `whole`."""
    rng = np.random.default_rng(0)
    with gzip.open(path, "wt", compresslevel=1) if path.suffix == ".gz" else path.open("w") as file:
        file.write("\t".join([first, *samples]) + "\n")
        for gene in range(GENES):
            values = rng.integers(-2, 3, len(samples)) if whole else np.round(rng.lognormal(5, 2, len(samples)), 4)
            file.write(f"G{gene}\t" + "\t".join(map(str, values.tolist())) + "\n")


def maf(path: Path, samples: Sequence[str], rows: int) -> None:
    """Write a MAF file with the hundred or so columns of a public one."""
    rng = np.random.default_rng(1)
    genes, owners = rng.integers(0, GENES, rows), rng.integers(0, len(samples), rows)
    rest = "\t".join(f"column{number}" for number in range(100))
    with path.open("w") as file:
        file.write(f"Hugo_Symbol\tVariant_Classification\tTumor_Sample_Barcode\t{rest}\n")
        for gene, owner in zip(genes, owners, strict=True):
            file.write(f"G{gene}\tMissense_Mutation\t{samples[owner]}\t{rest}\n")


def cbioportal(folder: Path, patients: Sequence[str]) -> None:
    """Write a study folder of cBioPortal."""
    samples = [f"{patient}-01" for patient in patients]
    clinical, omics = {"genetic_alteration_type": "CLINICAL"}, {}
    omics["rna"] = {"genetic_alteration_type": "MRNA_EXPRESSION", "datatype": "CONTINUOUS"}
    omics["cna"] = {"genetic_alteration_type": "COPY_NUMBER_ALTERATION", "datatype": "DISCRETE"}
    omics["mutations"] = {"genetic_alteration_type": "MUTATION_EXTENDED", "datatype": "MAF"}
    tables = {"patient": {**clinical, "datatype": "PATIENT_ATTRIBUTES"}, **omics}
    tables["sample"] = {**clinical, "datatype": "SAMPLE_ATTRIBUTES"}
    for name, keys in tables.items():
        lines = {**keys, "stable_id": name, "data_filename": f"{name}.txt"}
        (folder / f"meta_{name}.txt").write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    rows = "".join(f"{patient}\t{number % 2}:X\t{number}\n" for number, patient in enumerate(patients))
    (folder / "patient.txt").write_text(f"PATIENT_ID\t{FOLLOW_UP}\n{rows}")
    rows = "".join(f"{patient}\t{sample}\n" for patient, sample in zip(patients, samples, strict=True))
    (folder / "sample.txt").write_text(f"PATIENT_ID\tSAMPLE_ID\n{rows}")
    matrix(folder / "rna.txt", "Hugo_Symbol", samples, whole=False)
    matrix(folder / "cna.txt", "Hugo_Symbol", samples, whole=True)
    maf(folder / "mutations.txt", samples, MUTATIONS)


def xena(folder: Path, patients: Sequence[str]) -> None:
    """Write compressed matrices of a Xena hub."""
    samples = [f"{patient}-01" for patient in patients]
    matrix(folder / "HiSeqV2.gz", "sample", samples, whole=False)
    matrix(folder / "all_thresholded.by_genes.gz", "Gene Symbol", samples, whole=True)
    rows = "".join(f"{sample}\t{number % 2}\t{number}\n" for number, sample in enumerate(samples))
    (folder / "survival.txt").write_text(f"sample\tOS\tOS.time\n{rows}")


def gdc(folder: Path, patients: Sequence[str]) -> None:
    """Write STAR counts and gene-level copy numbers of GDC, a file for each sample."""
    rng = np.random.default_rng(0)
    columns = (
        "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded\tfpkm_unstranded"
    )
    for number in range(DIFFERENT):
        with (folder / f"rna{number}").open("w") as file:
            file.write(f"# gene-model: GENCODE v36\n{columns}\nN_unmapped\t\t\t1\t1\t1\t\t\n")
            for gene, value in enumerate(np.round(rng.lognormal(2, 2, GENES), 4).tolist()):
                file.write(f"ENSG{gene:011d}.1\tG{gene}\tprotein_coding\t9\t9\t9\t{value}\t{value}\n")
        with (folder / f"cnv{number}").open("w") as file:
            file.write("gene_id\tgene_name\tchromosome\tstart\tend\tcopy_number\tmin_copy_number\tmax_copy_number\n")
            for gene, value in enumerate(rng.integers(0, 5, GENES).tolist()):
                file.write(f"ENSG{gene:011d}.1\tG{gene}\tchr1\t1\t2\t{value}\t{value}\t{value}\n")
    sheet = ["File Name\tCase ID\tSample ID\tSample Type"]
    for number, patient in enumerate(patients):
        endings = ("rna_seq.augmented_star_gene_counts", "gene_level_copy_number.v36")
        for kind, ending in zip(("rna", "cnv"), endings, strict=True):
            name = f"{number}.{ending}.tsv"
            os.link(folder / f"{kind}{number % DIFFERENT}", folder / name)
            sheet.append(f"{name}\t{patient}\t{patient}-01A\tPrimary Tumor")
    (folder / "gdc_sample_sheet.tsv").write_text("\n".join(sheet) + "\n")
    rows = "".join(f"{patient}\tDead\t{number + 1}\n" for number, patient in enumerate(patients))
    (folder / "clinical.tsv").write_text(f"case_submitter_id\tvital_status\tdays_to_death\n{rows}")


def measure(section: dict[str, object], folder: Path, out: Path) -> tuple[float, float, float]:
    """Return the seconds by the clock and of CPU, and the peak memory (GiB), of a process that reads a download."""
    words = ["ccl", "source", "--from", json.dumps(section), "--folder", str(folder), "--out", str(out)]
    start = time.perf_counter()
    with (out.parent / "log").open("w") as log:
        child = os.posix_spawnp(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, log.fileno(), 2)])
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit((out.parent / "log").read_text())
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def main() -> None:
    """Print a row for each layout."""
    patients = [f"TCGA-{number % 26:02d}-{number:04d}" for number in range(SAMPLES)]
    log, copies = {"transform": "log2(x + 1)"}, {"transform": "x - 2"}
    print(f"{'layout':<12}{'kinds':<15}{'seconds':>8}{'CPU':>8}{'GiB':>6}")
    for write, kinds in (
        (cbioportal, {"rna": log}),
        (cbioportal, {"rna": log, "cnv": {}, "snv": {}}),
        (xena, {"rna": log, "cnv": {}}),
        (gdc, {"rna": log, "cnv": copies}),
    ):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "download"
            folder.mkdir()
            write(folder, patients)
            seconds, cpu, peak = measure({write.__name__: "download", **kinds}, folder, Path(name) / "out")
        print(f"{write.__name__:<12}{', '.join(kinds):<15}{seconds:>8.1f}{cpu:>8.1f}{peak:>6.2f}", flush=True)


if __name__ == "__main__":
    main()
