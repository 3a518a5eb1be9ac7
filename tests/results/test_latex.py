"""Tables for a paper: LaTeX can read any content and prints it correctly."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from ccl.pages.numbers import MISSING
from ccl.results.gather import Evaluation
from ccl.results.latex import PACKAGES, careful, judged, latex_table, mean_over, mean_std, over
from tests.results.tex import tables_of

HOSTILE = r"a_b & 50% #1 {x} $5 ~ ^ \end{table} < | > [2] *τ"

PRINTED = r"a\_b \& 50\% \#1 \{x\} \$5 \textasciitilde \space \textasciicircum \space \textbackslash end\{table\} "


@pytest.fixture
def hostile() -> pd.DataFrame:
    return pd.DataFrame([[HOSTILE, "0.7000 ± 0.0200", MISSING]] * 2, columns=["Model", HOSTILE, "b"])


def test_what_is_special_to_latex_is_escaped_wherever_it_stands(hostile: pd.DataFrame) -> None:
    latex = latex_table(hostile, HOSTILE, "tab:x")
    assert latex.count(PRINTED + r"$<$ $|$ $>$ {[}2] {*}$\tau$") == 4  # the caption, a heading, two cells
    assert latex.count(r"\end{table}") == 1
    (rows,) = tables_of(latex)
    assert [len(row) for row in rows] == [3, 3, 3]


def test_plain_numbers_stand_to_the_right_means_and_words_to_the_left() -> None:
    rows = [["5 (2 + 3)", "0.7 ± 0.1", "< 1e-300", "cpu"], ["1", MISSING, "", "2 GPU"]]
    table = pd.DataFrame(rows, columns=["n", "a", "p", "on"])
    assert r"\begin{tabular}{llrl}" in latex_table(table, "c")


def test_many_columns_take_the_whole_width_of_a_page() -> None:
    narrow, wide = (pd.DataFrame([["0.5"] * n], columns=list("abcdef")[:n]) for n in (4, 5))
    assert latex_table(narrow, "c").startswith("\\begin{table}[htbp]")
    assert latex_table(wide, "c").startswith("\\begin{table*}[htbp]")


def test_a_label_is_there_where_there_is_one(hostile: pd.DataFrame) -> None:
    assert r"\label{tab:x}" in latex_table(hostile, "c", "tab:x")
    assert r"\label" not in latex_table(hostile, "c")


def test_a_number_is_printed_with_what_is_known_of_it() -> None:
    assert mean_std(0.68624, 0.02525) == "0.6862 ± 0.0253"
    assert mean_std(4.65, None, digits=2) == "4.65"
    assert mean_std(None, None) == MISSING


def evaluation(
    cohort: str,
    encoder: str,
    folds: int,
    seeds: int,
    synthetic: bool,
    weights: str,
    censored: int = 0,
    learnt: float = 0.8,
) -> Evaluation:
    """An evaluation whose first folds have no C-index."""
    scores = [{"fold": fold, "c_index": None if fold < censored else 0.6} for fold in range(folds)]
    protocols = {"last": {"folds": scores, "seeds": [{"seed": seed} for seed in range(seeds)]}}
    facts = {
        "model": "snn", "method": "mcat",
        "cohort": cohort, "encoder": encoder, "synthetic": synthetic, "weights": weights, "protocols": protocols
    }  # fmt: skip
    nothing, history = pd.DataFrame(), pd.DataFrame({"epoch": [1], "c_index_train": [learnt]})
    return Evaluation(facts, nothing, nothing, nothing, tuple({"fold": fold} for fold in range(folds)), history)


def test_a_caption_tells_the_protocol_and_what_a_mean_is_over() -> None:
    assert judged("last") == "Protocol last (judged after the last epoch)."
    assert "too good by construction" in judged("best-on-test")
    five, three = (evaluation("a", "uni", folds, seeds, False, "hub") for folds, seeds in ((5, 2), (3, 2)))
    assert over([five, three]) == "3 or 5 folds, 2 seeds averaged within each"
    assert over([evaluation("a", "uni", 5, 1, False, "hub")]) == "5 folds"


def test_a_fold_without_a_c_index_is_in_no_mean() -> None:
    whole, censored = (evaluation("a", "uni", 5, 2, False, "hub", censored=count) for count in (0, 2))
    assert mean_over([whole, censored]) == "3 or 5 folds, 2 seeds averaged within each"
    assert over([whole, censored]) == "5 folds, 2 seeds averaged within each"
    assert mean_over([evaluation("a", "uni", 2, 1, False, "hub", censored=1)]) == "1 fold"


def test_what_is_not_real_is_named() -> None:
    real = evaluation("blca", "conch", 5, 1, False, "hub")
    invented = [evaluation("demo", encoder, 5, 1, True, "random") for encoder in ("uni", "resnet50")]
    assert careful([real, *invented]) == (
        " Careful: the patients of demo are synthetic, and the weights of uni, resnet50 are random."
    )
    assert careful([real]) == ""


def test_a_model_that_has_not_learnt_is_named() -> None:
    idle = evaluation("blca", "uni", 5, 1, False, "hub", learnt=0.52)
    assert careful([idle]) == (
        " Careful: not trained, as it does not order its own training patients: snn (mcat) with uni on blca."
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_a_document_with_hostile_tables_compiles(tmp_path: Path, hostile: pd.DataFrame) -> None:
    packages = "".join(f"\\usepackage{{{name}}}\n" for name in PACKAGES)
    tables = latex_table(hostile, HOSTILE, "tab:x") + latex_table(
        pd.DataFrame([["[1] *", "1"]] * 2, columns=["*", "n"]), "c"
    )
    document = f"\\documentclass{{article}}\n{packages}\\begin{{document}}\n{tables}\n\\end{{document}}\n"
    (tmp_path / "paper.tex").write_text(document)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "Overfull" not in result.stdout
