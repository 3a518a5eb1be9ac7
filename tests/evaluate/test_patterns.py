"""The C-index by what patients have."""

from __future__ import annotations

import json

import pytest
from lifelines.utils import concordance_index

from ccl.evaluate.stage import evaluate_runs


@pytest.fixture
def judge(tmp_path, write_fold, patients):
    def judge(lacking, n=60):
        table = patients(n)
        risk = -table["months"] + 20 * (table.index % 3)
        extra = {} if lacking is None else {"lacking": lacking(list(table["patient_id"]))}
        evaluate_runs(runs=[write_fold(0, table, lambda seed, epoch: risk, **extra)], out=tmp_path / "judged")
        found = json.loads((tmp_path / "judged" / "evaluation.json").read_text())["protocols"]["last"]
        return table.assign(risk=risk), found

    return judge


def test_each_pattern_has_its_own_c_index_and_counts(judge):
    table, found = judge(lambda names: dict.fromkeys(names[:20], "no slides") | dict.fromkeys(names[20:38], "no genes"))
    rows = found["patterns"]
    assert [row["pattern"] for row in rows] == ["complete", "no slides", "no genes"]
    assert [row["n_patients"] for row in rows] == [22, 20, 18]
    for row, part in zip(rows, (table[38:], table[:20], table[20:38]), strict=True):
        died = 1 - part["censorship"]
        assert row["n_events"] == died.sum()
        assert row["c_index"] == pytest.approx(concordance_index(part["months"], -part["risk"], died))
        assert row["lower"] <= row["c_index"] <= row["upper"]
        assert row["reason"] is None


def test_a_pattern_with_too_few_pairs_is_blank_with_the_reason(judge):
    rows = judge(lambda names: dict.fromkeys(names[:3], "no slides"))[1]["patterns"]
    few = rows[1]
    assert (few["n_patients"], few["c_index"], few["lower"]) == (3, None, None)
    assert few["reason"] == f"{few['pairs']} comparable pairs of patients, fewer than 30"
    assert few["pairs"] <= 3


def test_complete_cases_have_no_patterns(judge):
    assert "patterns" not in judge(None)[1]


def test_patients_who_all_turn_out_complete_are_one_pattern(judge):
    assert [row["pattern"] for row in judge(lambda names: {})[1]["patterns"]] == ["complete"]
