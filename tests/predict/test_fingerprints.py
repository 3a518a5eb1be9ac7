"""Hashes recognise the same patient, and nobody else."""

from __future__ import annotations

import numpy as np

from ccl.predict.fingerprints import of_genes, of_name


def test_a_name_is_recognised_whatever_its_case_and_only_with_the_same_salt() -> None:
    assert of_name("TCGA-01", "a") == of_name(" tcga-01 ", "a")
    assert of_name("TCGA-01", "a") != of_name("TCGA-02", "a")
    assert of_name("TCGA-01", "a") != of_name("TCGA-01", "b")
    assert "TCGA" not in of_name("TCGA-01", "a")


def test_genes_are_recognised_with_missing_values_and_nobody_by_few_of_them() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 20)).astype(np.float32)
    values[0, 3] = np.nan
    first = of_genes([values[:, :8], values[:, 8:]], "a")
    assert len(set(first)) == 3
    assert of_genes([values[:, :8].copy(), values[:, 8:].copy()], "a") == first
    values[1, 0] += 1
    assert of_genes([values[:, :8], values[:, 8:]], "a")[1] != first[1]
    assert of_genes([np.zeros((2, 30), np.float32)], "a") == ["", ""]
