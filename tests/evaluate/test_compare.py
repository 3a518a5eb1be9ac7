"""Models compared on the same patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.stats import false_discovery_control, norm

from ccl.cli import cli
from ccl.evaluate import bootstrap
from ccl.evaluate.bootstrap import resample
from ccl.evaluate.compare import compare_evaluations, holm
from ccl.evaluate.concordance import concordance_index
from ccl.io.errors import InputError


@pytest.fixture
def evaluation(tmp_path):
    """Write the risks of an evaluation, under `protocol` and, reversed, under another."""

    def write(name, cohort, risk, protocol="last", other="best-on-test"):
        rows = cohort.assign(risk=np.asarray(risk, dtype=float), protocol=protocol)
        both = [rows, rows.assign(risk=-rows["risk"], protocol=other)] if other else [rows]
        (tmp_path / name).mkdir(exist_ok=True)
        pd.concat(both).to_csv(tmp_path / name / "risks.csv", index=False)
        return tmp_path / name

    return write


def compare(folders, tmp_path, protocol="last"):
    lines = compare_evaluations(evaluations=folders, out=tmp_path / "table.csv", protocol=protocol)
    return pd.read_csv(tmp_path / "table.csv"), lines


def test_the_difference_is_that_of_the_same_resamples(evaluation, patients, tmp_path):
    cohort, rng = patients(120), np.random.default_rng(0)
    risks = [rng.normal(0, spread, 120) - cohort["months"] for spread in (10, 20, 100)]
    folders = [evaluation(name, cohort, risk) for name, risk in zip("abc", risks, strict=True)]
    table, lines = compare(folders, tmp_path)
    assert [(row.first[-1], row.second[-1]) for row in table.itertuples()] == [("a", "b"), ("a", "c"), ("b", "c")]
    months, censorship = cohort["months"].to_numpy(), cohort["censorship"].to_numpy()
    values = []
    for counts in resample(120)[:200]:
        drawn = np.repeat(np.arange(120), counts)
        values.append([concordance_index(months[drawn], censorship[drawn], risk[drawn]) for risk in risks])
    row = table.iloc[1]
    own = [concordance_index(months, censorship, risk) for risk in risks]
    assert (row["first_c_index"], row["second_c_index"]) == (pytest.approx(own[0]), pytest.approx(own[2]))
    assert row["difference"] == pytest.approx(own[0] - own[2])
    values = np.array(values)
    assert row["se"] == pytest.approx(np.std(values[:, 0] - values[:, 2]), rel=0.15)
    assert row["p"] == pytest.approx(2 * norm.sf(row["difference"] / row["se"]))
    assert (row["lower"], row["upper"]) == (
        pytest.approx(row["difference"] - 1.959964 * row["se"]), pytest.approx(row["difference"] + 1.959964 * row["se"])
    )  # fmt: skip
    assert (row["n_patients"], row["n_events"]) == (120, int((censorship == 0).sum()))
    assert table["p_holm"].to_numpy() == pytest.approx(holm(table["p"]))
    assert len(lines) == 3
    assert f"{row['difference']:+.3f}" in lines[1]


def test_the_repeats_of_a_model_are_compared_as_their_mean(evaluation, patients, tmp_path):
    cohort, rng = patients(60), np.random.default_rng(0)
    one, two, other = (rng.normal(0, spread, 60) - cohort["months"] for spread in (20, 60, 40))
    repeated = evaluation("repeated", cohort.assign(risk_1=one, risk_2=two), (one + two) / 2)
    table, _ = compare([repeated, evaluation("once", cohort, other)], tmp_path)
    months, censorship = cohort["months"].to_numpy(), cohort["censorship"].to_numpy()

    def difference(drawn):
        c = [concordance_index(months[drawn], censorship[drawn], risk[drawn]) for risk in (one, two, other)]
        return (c[0] + c[1]) / 2 - c[2]

    drawn = [difference(np.repeat(np.arange(60), counts)) for counts in resample(60)]
    assert table["difference"][0] == pytest.approx(difference(np.arange(60)))
    assert table["se"][0] == pytest.approx(np.std(drawn, ddof=1))


def test_holm_by_hand():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([0.2]) == pytest.approx([0.2])
    ps = np.random.default_rng(0).random(20) ** 3
    assert (holm(ps) >= false_discovery_control(ps)).all()


def test_a_model_is_not_better_than_itself(evaluation, patients, tmp_path):
    cohort = patients(50)
    table, _ = compare([evaluation("a", cohort, cohort["months"]), evaluation("b", cohort, cohort["months"])], tmp_path)
    assert table.loc[0, ["difference", "se", "p", "p_holm"]].tolist() == [0, 0, 1, 1]


def test_of_two_models_that_know_nothing_one_is_seldom_called_better(monkeypatch, evaluation, patients, tmp_path):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 200)
    rng = np.random.default_rng(0)
    rejected = []
    for seed in range(15):
        cohort = patients(80, seed=seed)
        folders = [evaluation(str(i), cohort, rng.normal(size=80)) for i in range(8)]
        table, _ = compare(folders, tmp_path)
        rejected.append((table["p"] < 0.05).mean())
    assert 0.01 < np.mean(rejected) < 0.11


def test_patients_whom_not_all_judged_are_left_out_and_counted(evaluation, patients, tmp_path):
    cohort, rng = patients(60), np.random.default_rng(0)
    risk = rng.normal(size=60)
    whole = evaluation("whole", cohort, risk)
    part = evaluation("part", cohort[5:], -risk[5:])
    table, lines = compare([whole, part], tmp_path)
    assert table["n_patients"].tolist() == [55]
    assert table["first_c_index"][0] == pytest.approx(
        concordance_index(cohort["months"][5:], cohort["censorship"][5:], risk[5:])
    )
    assert lines[0] == f"{whole}: 5 patients left out whom not all have judged"


def test_the_protocol_is_chosen_and_given_predictions_have_their_own(evaluation, patients, tmp_path):
    cohort = patients(60)
    ours = evaluation("ours", cohort, -cohort["months"])
    theirs = evaluation("theirs", cohort, -cohort["months"], protocol="given", other=None)
    table, _ = compare([ours, theirs], tmp_path, protocol="best-on-test")
    assert table.loc[0, ["first_protocol", "second_protocol"]].tolist() == ["best-on-test", "given"]
    assert table.loc[0, ["first_c_index", "second_c_index"]].tolist() == [0, 1]
    with pytest.raises(InputError, match=r"(?s)does not have the protocol.*last, best-on-test; not inner"):
        compare([ours, theirs], tmp_path, protocol="inner")


def test_what_cannot_be_compared_is_refused(evaluation, patients, tmp_path):
    cohort = patients(30)
    one = evaluation("one", cohort, cohort["months"])
    for folders in ([one], [one, one]):
        with pytest.raises(InputError, match="nothing to compare"):
            compare(folders, tmp_path)
    moved = evaluation("moved", cohort.assign(months=cohort["months"] + (cohort.index == 7)), cohort["months"])
    with pytest.raises(InputError, match=r"(?s)follow-up of a patient differs.*moved, patient P007"):
        compare([one, moved], tmp_path)
    others = evaluation("others", patients(30, prefix="Q"), cohort["months"])
    with pytest.raises(InputError, match=r"(?s)no patients to compare on.*0 patients"):
        compare([one, others], tmp_path)
    assert not (tmp_path / "table.csv").exists()


def test_the_commands_work_together(patients, tmp_path):
    cohort = patients(60)
    for name, risk in {"a": -cohort["months"], "b": cohort["months"]}.items():
        cohort.assign(risk=risk).to_csv(tmp_path / f"{name}.csv", index=False)
        arguments = ["evaluate", "--predictions", tmp_path / f"{name}.csv", "--out", tmp_path / name, "--months", "24"]
        result = CliRunner().invoke(cli, [str(word) for word in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    arguments = ["compare", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "table.csv"]
    result = CliRunner().invoke(cli, [str(word) for word in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "a 1.000 against" in result.output
    assert pd.read_csv(tmp_path / "table.csv")["difference"].tolist() == [1]


@pytest.mark.parametrize("arguments", [[], ["fold0", "--predictions", "x.csv"]])
def test_evaluate_wants_either_runs_or_predictions(arguments):
    result = CliRunner().invoke(cli, ["evaluate", *arguments, "--out", "out"])
    assert result.exit_code == 2
    assert "either RUNS or --predictions" in result.output


def test_resamples_that_all_give_one_difference_tell_no_p(evaluation, tmp_path):
    """Of three patients only two are comparable: every resample with both has the same difference."""
    cohort = pd.DataFrame({"patient_id": list("abc"), "months": [1.0, 2.0, 2.0], "censorship": [0, 1, 1]})
    folders = [evaluation("right", cohort, [1, 0, 0]), evaluation("wrong", cohort, [-1, 0, 0])]
    table, (line,) = compare(folders, tmp_path)
    assert table.loc[0, "difference"] == 1
    assert table.loc[0, ["se", "lower", "upper", "p", "p_holm"]].isna().all()
    assert "p is not defined" in line
    same, (line,) = compare([folders[0], evaluation("also right", cohort, [2, 1, 1])], tmp_path)
    assert same.loc[0, ["difference", "se", "p"]].tolist() == [0, 0, 1]
    assert "p = 1" in line


def test_holm_leaves_out_what_is_not_defined():
    assert holm([0.04, np.nan, 0.01]) == pytest.approx([0.04, np.nan, 0.02], nan_ok=True)
