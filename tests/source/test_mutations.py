"""Lists of mutations: which variants count, and in whose words."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ccl.io.errors import InputError
from ccl.source.account import Account
from ccl.source.mutations import is_silent, read_mutations
from tests.source.conftest import Read
from tests.source.layouts import Truth, xena

MAF = (
    "#version 2.4\nHugo_Symbol\tVariant_Classification\tTumor_Sample_Barcode\tNote\n"
    'TP53\tMissense_Mutation\tS1\tan "odd quote\n'
    "TP53\tNonsense_Mutation\tS1\t\n"
    "KRAS\tSilent\tS1\t\n"
    "KRAS\tIntron\tS2\t\n"
    "MYC\tSplice_Site\tS3\t\n"
    "Unknown\tMissense_Mutation\tS3\t\n"
    "\tMissense_Mutation\tS3\t\n"
)


def test_variants_that_change_a_protein_count_once_a_gene(tmp_path: Path) -> None:
    path = tmp_path / "data.maf"
    path.write_text(MAF)
    account = Account()
    found = read_mutations([path], profiled=["S4", "S1"], silent=False, account=account)
    table = pd.DataFrame(found.values, index=found.genes, columns=found.samples)
    assert table.to_dict("index") == {
        "MYC": {"S4": 0, "S1": 0, "S2": 0, "S3": 1},
        "TP53": {"S4": 0, "S1": 1, "S2": 0, "S3": 0},
    }
    facts = account.read["snv"]
    assert (facts["variants"], facts["silent_not_counted"], facts["without_a_gene"]) == (7, 2, 2)
    assert facts["classes"]["Missense_Mutation"] == 3
    every = read_mutations([path], profiled=[], silent=True, account=Account())
    assert every.genes == ("KRAS", "MYC", "TP53")
    assert every.values[0].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("effect", "silent"),
    [
        ("Silent", True), ("5'UTR", True), ("Missense_Mutation", False), ("In_Frame_Del", False),
        ("synonymous_variant", True), ("missense_variant", False), ("splice_region_variant;synonymous_variant", True),
        ("intron_variant&stop_gained", False), ("a new word", False),
    ],
)  # fmt: skip
def test_silent_classes(effect: str, silent: bool) -> None:
    assert is_silent(effect) is silent


def test_a_list_of_xena_does_not_say_who_was_sequenced(tmp_path: Path, read: Read) -> None:
    truth = Truth()
    folder = xena(tmp_path / "xena", truth)
    (folder / "mc3_gene_level_TINY_mc3_gene_level.txt.gz").unlink()
    (folder / "mc3_TINY_mc3.txt").write_text(
        "sample\tchr\tstart\tend\treference\talt\tgene\teffect\n"
        f"{truth.samples()[1]}\t17\t1\t1\tA\tT\tTP53\tMissense_Mutation\n"
        f"{truth.samples()[2]}\t17\t1\t1\tA\tT\tKRAS\tSilent\n"
    )
    found = read("xena", folder, snv={})
    assert found.omics["snv"].to_dict("index") == {truth.patients[1]: {"TP53": 1}, truth.patients[2]: {"TP53": 0}}
    assert "does not say who was sequenced" in found.summary["warnings"][0]


def test_no_variant_is_left(tmp_path: Path) -> None:
    path = tmp_path / "data.maf"
    path.write_text("Hugo_Symbol\tVariant_Classification\tTumor_Sample_Barcode\nTP53\tSilent\tS1\n")
    with pytest.raises(InputError, match="no mutation is left"):
        read_mutations([path], profiled=["S1"], silent=False, account=Account())
