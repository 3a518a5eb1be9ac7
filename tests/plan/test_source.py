"""Planning a cohort that is read from a public download."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ccl.io.errors import CclError, ConfigError
from ccl.plan import make_plan
from tests.plan.conftest import job
from tests.source.layouts import GMT, Truth, cbioportal, gdc, xena

COHORT: dict[str, Any] = {"endpoint": "OS", "gmt": "families.gmt"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a download of each layout."""
    folder = tmp_path_factory.mktemp("downloads")
    (folder / "families.gmt").write_text(GMT)
    for layout in (cbioportal, gdc, xena):
        layout(folder / layout.__name__, Truth(n=4))
    return folder


def plan(folder: Path, cohort: dict[str, Any], **sections: Any) -> Any:
    return make_plan(
        {"data": str(folder), "cohorts": {"tiny": cohort}, "models": {"snn": {}}, **sections}, ["mine.yaml"]
    )


def test_the_inputs_are_the_files_and_not_on_the_command_line(folder: Path) -> None:
    """A download of GDC has thousands of files, and a command line has a limit."""
    made = plan(folder, {**COHORT, "from": {"gdc": "gdc", "rna": {}, "snv": {}}})
    files = made.inputs.source(job(cohort="tiny"))["files"]
    assert sum(name.endswith(".maf.gz") for name in files) == 4
    assert sum(name.endswith("star_gene_counts.tsv") for name in files) == 4
    assert {Path(name).name for name in files} > {"clinical.tsv", "gdc_sample_sheet.2024-01-01.tsv"}
    assert not any("copy_number" in name for name in files)
    assert ".maf" not in made.options.source(job(cohort="tiny"))
    assert made.inputs.genomics(job(cohort="tiny")) == {
        "wide": ["<results>/{cohort}/source/omics.h5"],
        "gmt": [str(folder / "families.gmt")],
        "aliases": [],
    }
    assert made.inputs.cohort(job(cohort="tiny"))["patients"] == ["<results>/{cohort}/source/patients.csv"]


def test_a_bundle_records_how_the_values_were_transformed(folder: Path) -> None:
    made = plan(folder, {**COHORT, "from": {"gdc": "gdc", "rna": {"transform": "log2(x + 1)"}, "snv": {}}})
    recorded = json.loads(made.options.preprocessing(job(cohort="tiny", model="snn")))
    assert recorded == {"from": {"rna": {"transform": "log2(x + 1)"}, "snv": {"silent": False}}}


def test_without_gene_families_no_omics_are_read(folder: Path) -> None:
    made = plan(folder, {"endpoint": "OS", "from": {"cbioportal": "cbioportal"}}, models={})
    names = {Path(name).name for name in made.inputs.source(job(cohort="tiny"))["files"]}
    assert {"data_clinical_patient.txt", "data_clinical_sample.txt"} < names
    assert not {"data_mrna.txt", "data_cna.txt", "data_mutations.txt", "cases_sequenced.txt"} & names
    assert "--no-omics" in made.options.source(job(cohort="tiny"))
    with pytest.raises(ConfigError, match="no omics"):
        plan(folder, {"endpoint": "OS", "from": {"cbioportal": "cbioportal"}})


@pytest.mark.parametrize(
    ("cohort", "expected"),
    [
        ({"from": {"cbioportal": "cbioportal"}}, "`from` needs `endpoint` beside it"),
        ({"from": {"cbioportal": "cbioportal"}, "patients": "p.csv"}, "takes the place of `patients`"),
        ({"from": {"cbioportal": "cbioportal"}, "omics": {"rna": "r.csv"}}, "takes the place of `omics`"),
        ({"from": {"cbioportal": "cbioportal"}, "patient_column": "case_id"}, "takes the place of `patient_column`"),
        (
            {
                "from": {"cbioportal": "cbioportal"},
                "clinical": {"table": "c.csv", "covariates": {"a": {"kind": "numeric"}}},
            },
            "takes the place of `clinical: table`",
        ),
        ({"from": {"cbioportal": "a", "gdc": "b"}}, "one of cbioportal, gdc, xena"),
        ({"from": {"cbioportal": "a", "survival": "b"}}, "`survival` is only for `xena`"),
        ({"from": {"cbioportal": "cbioportal", "rna": {"transform": "log"}}}, "one of none, log2(x + 1)"),
        ({"from": {"cbioportal": "nowhere"}}, "from: cbioportal: there is no"),
        ({"from": {"xena": "xena", "genes": "nowhere.tsv"}}, "from: genes: there is no"),
    ],
)
def test_a_mistake_is_found_while_planning(folder: Path, cohort: dict[str, Any], expected: str) -> None:
    whole = COHORT if "needs `endpoint`" not in expected else {"gmt": "families.gmt"}
    with pytest.raises(CclError) as error:
        plan(folder, {**whole, **cohort})
    assert expected in str(error.value)


def test_a_kind_that_is_named_needs_gene_families(folder: Path) -> None:
    with pytest.raises(CclError, match="`from: rna` needs `gmt`"):
        plan(folder, {"endpoint": "OS", "from": {"cbioportal": "cbioportal", "rna": {}}})


def test_planning_reads_no_large_table() -> None:
    """It imports neither of the libraries that read them."""
    code = "import sys, ccl.source.layouts; sys.exit(bool({'pandas', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
