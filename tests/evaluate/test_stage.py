"""The evaluate stage on fold folders, against scikit-survival, lifelines and scipy."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from scipy.stats import ttest_ind
from sksurv.compare import compare_survival
from sksurv.metrics import concordance_index_censored
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

from ccl.evaluate.bootstrap import resample
from ccl.evaluate.concordance import concordance_index
from ccl.evaluate.stage import evaluate_runs
from ccl.io.errors import InputError


def evaluate(folders, out):
    evaluate_runs(runs=folders, out=out)
    return (
        json.loads((out / "evaluation.json").read_text()),
        pd.read_csv(out / "risks.csv", dtype={"patient_id": str, "fold": str}),
        pd.read_csv(out / "curves.csv"),
    )


@pytest.fixture
def five_folds(write_fold, patients):
    """Five folds, two seeds, three epochs, risks that follow death loosely."""
    rng = np.random.default_rng(1)
    folders = []
    for fold in range(5):
        tested = patients(40, seed=fold, prefix=f"F{fold}-")
        noise = {(seed, epoch): rng.normal(0, 25, 40) for seed in (0, 7) for epoch in (1, 2, 3)}
        folders.append(
            write_fold(
                fold, tested, lambda seed, epoch, tested=tested, noise=noise: noise[seed, epoch] - tested["months"],
                seeds=(0, 7), left_out={f"F{fold}-gone": "no slide of the patient has features"},
            )
        )  # fmt: skip
    return folders


def sksurv_c_index(rows):
    return concordance_index_censored(rows["censorship"] == 0, rows["months"], rows["risk"])[0]


def test_c_index_of_every_fold_and_seed_agrees_with_scikit_survival(five_folds, tmp_path):
    found, _, _ = evaluate(five_folds, tmp_path / "out")
    for protocol in ("last", "best-on-test"):
        means = []
        for fold, folder in enumerate(five_folds):
            predictions = pd.read_csv(folder / "predictions.csv")
            scores = predictions.groupby(["seed", "epoch"])[["months", "censorship", "risk"]].apply(sksurv_c_index)
            best = scores.groupby("seed").max() if protocol == "best-on-test" else scores.xs(3, level="epoch")
            listed = {row["seed"]: row for row in found["protocols"][protocol]["folds"] if row["fold"] == fold}
            assert {seed: row["c_index"] for seed, row in listed.items()} == pytest.approx(best.to_dict())
            assert all(scores[seed, row["epoch"]] == pytest.approx(row["c_index"]) for seed, row in listed.items())
            assert {row["n_test"] for row in listed.values()} == {40}
            means.append(best.mean())
        assert found["protocols"][protocol]["mean"] == pytest.approx(np.mean(means))
        assert found["protocols"][protocol]["std"] == pytest.approx(np.std(means))
    assert found["protocols"]["best-on-test"]["mean"] > found["protocols"]["last"]["mean"]


def test_spread_over_seeds_is_that_of_their_means_over_folds(five_folds, tmp_path):
    found, _, _ = evaluate(five_folds, tmp_path / "out")
    for protocol in found["protocols"].values():
        listed = pd.DataFrame(protocol["folds"])
        means = [listed[listed["seed"] == seed]["c_index"].mean() for seed in (0, 7)]
        assert [row["seed"] for row in protocol["seeds"]] == [0, 7]
        assert [row["mean"] for row in protocol["seeds"]] == pytest.approx(means)
        # Of two numbers, the sample's standard deviation is their distance over the square root of two.
        assert protocol["std_over_seeds"] == pytest.approx(abs(means[0] - means[1]) / 2**0.5)
        assert protocol["mean"] == pytest.approx(np.mean(means))


def test_one_seed_has_no_spread(write_fold, patients, tmp_path):
    folder = write_fold(0, tested := patients(30), lambda s, e: -tested["months"], seeds=(5,))
    found, _, _ = evaluate([folder], tmp_path / "out")
    assert found["protocols"]["last"]["seeds"] == [{"seed": 5, "mean": 1}]
    assert found["protocols"]["last"]["std_over_seeds"] is None


def test_what_training_found_is_averaged_over_folds_and_seeds(write_fold, patients, tmp_path):
    folders = []
    for fold, after in enumerate([(2.0, 3.0), (4.0, 7.0)]):
        tested = patients(12, prefix=f"F{fold}-")
        facts = {"distance_before_alignment": [10.0, 10.0], "distance_after_alignment": after}
        folders.append(write_fold(fold, tested, lambda s, e, t=tested: -t["months"], seeds=(0, 1), facts=facts))
    found, _, _ = evaluate(folders, tmp_path / "out")
    assert (found["distance_before_alignment"], found["distance_after_alignment"]) == (10, 4)
    assert (found["model"], found["method"], found["empty_clusters"]) == ("ours", "ccl", 0.125)


def test_method_without_alignment_has_no_distances(five_folds, tmp_path):
    found, _, _ = evaluate(five_folds, tmp_path / "out")
    assert found["distance_before_alignment"] is found["distance_after_alignment"] is None


def test_pooled_risk_is_the_mean_over_seeds_at_the_judged_epoch(five_folds, tmp_path):
    found, risks, _ = evaluate(five_folds, tmp_path / "out")
    predictions = pd.concat([pd.read_csv(folder / "predictions.csv") for folder in five_folds])
    expected = predictions[predictions["epoch"] == 3].groupby("patient_id")["risk"].mean()
    last = risks[risks["protocol"] == "last"].set_index("patient_id")
    assert last["risk"].to_dict() == pytest.approx(expected.to_dict())
    assert found["protocols"]["last"]["pooled"] == pytest.approx(sksurv_c_index(last))
    assert (last["fold"] == last.index.str[1]).all()
    assert found["n_patients"] == 200
    assert found["n_events"] == int((last["censorship"] == 0).sum())
    assert len(found["left_out"]) == 5


def test_kaplan_meier_and_log_rank_agree_with_two_libraries(five_folds, tmp_path):
    found, risks, curves = evaluate(five_folds, tmp_path / "out")
    for protocol, rows in risks.groupby("protocol"):
        stated = found["protocols"][protocol]["kaplan_meier"]
        assert stated["cut"] == pytest.approx(np.median(rows["risk"]))
        assert (rows["group"] == "high").eq(rows["risk"] > stated["cut"]).all()
        assert (stated["n_high"], stated["n_low"]) == (100, 100)
        chi2, p = compare_survival(Surv.from_arrays(rows["censorship"] == 0, rows["months"]), rows["group"])
        assert stated["log_rank_statistic"] == pytest.approx(chi2, rel=1e-5)
        assert stated["log_rank_p"] == pytest.approx(p, rel=1e-5)
        high, low = (rows[rows["group"] == name] for name in ("high", "low"))
        again = logrank_test(high["months"], low["months"], high["censorship"] == 0, low["censorship"] == 0)
        assert stated["log_rank_p"] == pytest.approx(again.p_value, rel=1e-5)
        for group, members in rows.groupby("group"):
            curve = curves[(curves["protocol"] == protocol) & (curves["group"] == group)].set_index("months")
            times, survival, band = kaplan_meier_estimator(
                members["censorship"].to_numpy() == 0, members["months"].to_numpy(), conf_type="log-log"
            )
            assert curve["survival"][0] == 1
            assert curve["survival"].loc[times].to_numpy() == pytest.approx(survival, abs=1e-8)
            defined = np.isfinite(band).all(axis=0) & (survival < 1) & (survival > 0)
            both = curve[["lower", "upper"]].loc[times[defined]].to_numpy()
            assert both == pytest.approx(band[:, defined].T, abs=1e-6)
            assert (curve["at_risk"] == [(members["months"] >= time).sum() for time in curve.index]).all()


def test_t_test_is_welch_between_groups_made_from_follow_up(five_folds, tmp_path):
    found, risks, _ = evaluate(five_folds, tmp_path / "out")
    rows = risks[risks["protocol"] == "last"]
    median = KaplanMeierFitter().fit(rows["months"], rows["censorship"] == 0).median_survival_time_
    short = rows[(rows["censorship"] == 0) & (rows["months"] <= median)]["risk"]
    long = rows[rows["months"] > median]["risk"]
    stated = found["protocols"]["last"]["t_test"]
    test = ttest_ind(short, long, equal_var=False)
    assert stated["split_months"] == pytest.approx(median)
    assert stated["split_from"] == "median survival"
    assert (stated["n_short"], stated["n_long"]) == (len(short), len(long))
    assert stated["n_unknown"] == 200 - len(short) - len(long) > 0
    assert (stated["t"], stated["p"]) == (pytest.approx(test.statistic), pytest.approx(test.pvalue))
    assert stated["t"] > 0


def test_t_test_of_risks_that_ignore_survival_finds_nothing(write_fold, patients, tmp_path):
    # Were the groups made from the predicted risk itself, p would be next to zero here.
    rng = np.random.default_rng(5)
    folder = write_fold(0, patients(300), lambda seed, epoch: rng.normal(size=300))
    found, _, _ = evaluate([folder], tmp_path / "out")
    assert found["protocols"]["last"]["t_test"]["p"] > 0.05


def test_split_falls_back_to_median_follow_up_where_most_survive(write_fold, patients, tmp_path):
    tested = patients(40).assign(censorship=[0] * 4 + [1] * 36, months=np.arange(1.0, 41.0))
    found, _, _ = evaluate([write_fold(0, tested, lambda s, e: -tested["months"])], tmp_path / "out")
    stated = found["protocols"]["last"]["t_test"]
    assert (stated["split_from"], stated["split_months"]) == ("median follow-up", 20.5)
    assert (stated["n_short"], stated["n_long"], stated["n_unknown"]) == (4, 20, 16)


def test_best_on_test_takes_the_later_epoch_of_a_tie_for_each_seed(write_fold, patients, tmp_path):
    tested = patients(30)
    good, bad = -tested["months"], tested["months"]
    risk = {(0, 1): good, (0, 2): bad, (0, 3): good, (0, 4): bad, (9, 1): bad, (9, 2): good, (9, 3): bad, (9, 4): bad}
    folder = write_fold(3, tested, lambda seed, epoch: risk[seed, epoch], epochs=4, seeds=(0, 9))
    found, _, _ = evaluate([folder], tmp_path / "out")
    best = {row["seed"]: row for row in found["protocols"]["best-on-test"]["folds"]}
    assert (best[0]["epoch"], best[9]["epoch"]) == (3, 2)
    assert best[0]["c_index"] == best[9]["c_index"] == 1
    assert [row["epoch"] for row in found["protocols"]["last"]["folds"]] == [4, 4]


def test_fold_without_a_comparable_pair_is_named_and_left_out_of_the_mean(write_fold, patients, tmp_path):
    censored = patients(10, prefix="C").assign(censorship=1)
    tested = patients(30, seed=2)
    folders = [
        write_fold(0, tested, lambda s, e: -tested["months"]),
        write_fold(1, censored, lambda s, e: censored["months"]),
    ]
    found, _, _ = evaluate(folders, tmp_path / "out")
    for protocol in found["protocols"].values():
        assert [row["c_index"] for row in protocol["folds"]] == [1, None]
        assert protocol["folds"][1]["n_events"] == 0
        assert protocol["folds"][1]["epoch"] == 3
        assert (protocol["mean"], protocol["std"]) == (1, 0)
        assert protocol["seeds"] == [{"seed": 0, "mean": 1}]


@pytest.mark.parametrize("risk", [0.0, 1.5])
def test_cohort_without_deaths_or_with_equal_risks_has_no_statistics(write_fold, patients, tmp_path, risk):
    tested = patients(12).assign(censorship=1) if risk == 0 else patients(12)
    found, risks, _ = evaluate([write_fold(0, tested, lambda s, e: np.full(12, risk))], tmp_path / "out")
    last = found["protocols"]["last"]
    assert last["mean"] == last["pooled"] == last["seeds"][0]["mean"] == (None if risk == 0 else 0.5)
    assert (risks["group"] == "low").all()
    assert last["kaplan_meier"]["log_rank_p"] is last["kaplan_meier"]["log_rank_statistic"] is None
    assert last["t_test"]["p"] is last["t_test"]["t"] is None


@pytest.fixture
def two_repeats(write_fold, patients):
    """Four folds, which test forty patients twice, and what each repeat predicts of them."""
    a, b = patients(20, seed=1, prefix="A"), patients(20, seed=2, prefix="B")
    parts = [a, b, pd.concat([a[:10], b[10:]]), pd.concat([a[10:], b[:10]])]
    rng = np.random.default_rng(0)
    risks = [-part["months"] + rng.normal(scale=20 * (1 + i), size=20) for i, part in enumerate(parts)]
    folders = [write_fold(i, p, lambda s, e, r=r: r) for i, (p, r) in enumerate(zip(parts, risks, strict=True))]
    whole = [part.assign(risk=risk) for part, risk in zip(parts, risks, strict=True)]
    repeats = [pd.concat(pair).set_index("patient_id").sort_index() for pair in (whole[:2], whole[2:])]
    return folders, repeats


def test_in_repeated_cross_validation_curves_are_of_each_patients_mean_risk(two_repeats, tmp_path):
    folders, repeats = two_repeats
    found, risks, _ = evaluate(folders, tmp_path / "out")
    assert found["n_patients"] == 40
    last = risks[risks["protocol"] == "last"].set_index("patient_id")
    assert last.loc["A000", "fold"] == "0 2"
    mean = (repeats[0]["risk"] + repeats[1]["risk"]) / 2
    assert last["risk"].to_numpy() == pytest.approx(mean.to_numpy())
    assert found["protocols"]["last"]["kaplan_meier"]["cut"] == pytest.approx(mean.median())


def test_in_repeated_cross_validation_each_repeat_is_judged_by_itself(two_repeats, tmp_path):
    folders, _ = two_repeats
    found = evaluate(folders, tmp_path / "out")[0]["protocols"]["last"]
    alone = []
    for number in range(2):
        evaluate_runs(runs=folders[2 * number : 2 * number + 2], out=tmp_path / str(number))
        alone.append(json.loads((tmp_path / str(number) / "evaluation.json").read_text())["protocols"]["last"])
    each = [one["pooled"] for one in alone]
    assert abs(each[0] - each[1]) > 0.02  # so that the mean is neither of them
    assert found["repeats"] == pytest.approx(each)
    assert found["pooled"] == pytest.approx(np.mean(each))
    assert found["std_over_repeats"] == pytest.approx(np.std(each, ddof=1))
    assert found["uno"]["c_index"] == pytest.approx(np.mean([one["uno"]["c_index"] for one in alone]))
    aucs = [[month["auc"] for month in one["months"]] for one in alone]
    assert [month["auc"] for month in found["months"]] == pytest.approx(np.mean(aucs, axis=0))
    assert "repeats" not in alone[0]


def test_the_interval_draws_patients_and_not_their_repeats(two_repeats, tmp_path):
    folders, repeats = two_repeats
    interval = evaluate(folders, tmp_path / "out")[0]["protocols"]["last"]["pooled_interval"]
    values = []
    for counts in resample(40):
        drawn = np.repeat(np.arange(40), counts)
        rows = [repeat.iloc[drawn] for repeat in repeats]
        values.append(np.mean([concordance_index(r["months"], r["censorship"], r["risk"]) for r in rows]))
    assert (interval["lower"], interval["upper"]) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_patients_who_are_tested_unequally_often_have_one_mean_risk(write_fold, patients, tmp_path):
    a, b = patients(20, seed=1, prefix="A"), patients(20, seed=2, prefix="B")
    folders = [write_fold(i, part, lambda s, e, p=part: -p["months"]) for i, part in enumerate([a, b, a])]
    found, risks, _ = evaluate(folders, tmp_path / "out")
    assert "repeats" not in found["protocols"]["last"]
    assert "risk_1" not in risks


def test_order_of_folders_does_not_matter(five_folds, tmp_path):
    evaluate_runs(runs=five_folds, out=tmp_path / "one")
    evaluate_runs(runs=five_folds[::-1], out=tmp_path / "two")
    for name in ("evaluation.json", "risks.csv", "curves.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_identifiers_stay_text(write_fold, patients, tmp_path):
    tested = patients(12)
    tested["patient_id"] = [f"{i:03d}" for i in range(12)]
    _, risks, _ = evaluate([write_fold(0, tested, lambda s, e: -tested["months"])], tmp_path / "out")
    assert risks["patient_id"][0] == "000"


def refused(folders, out, match):
    with pytest.raises(InputError, match=match):
        evaluate_runs(runs=folders, out=out)
    assert not out.exists()


@pytest.mark.parametrize("name", ["run.json", "predictions.csv"])
def test_missing_file_is_named(five_folds, tmp_path, name):
    (five_folds[2] / name).unlink()
    refused(five_folds, tmp_path / "out", rf"(?s)fold2.*no {name}")


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("cohort", "ucec"),
        ("model", "snn"),
        ("method", "snn"),
        ("encoder", "uni"),
        ("weights", "random"),
        ("settings", {"lr": 1}),
        ("families", {"f0": ["TP53_cnv"]}),
        ("empty_clusters", 0.0),
    ],
)
def test_folds_trained_otherwise_are_refused(write_fold, patients, tmp_path, entry, value):
    a, b = patients(12, prefix="A"), patients(12, prefix="B")
    folders = [write_fold(0, a, lambda s, e: a["months"]), write_fold(1, b, lambda s, e: b["months"], **{entry: value})]
    refused(folders, tmp_path / "out", f"differ in their {entry}")


def test_only_what_differs_is_told_of_long_settings(write_fold, patients, tmp_path):
    a, b = patients(12, prefix="A"), patients(12, prefix="B")
    genes = {f"family{i}": [f"GENE{j}_rnaseq" for j in range(999)] for i in range(3)}
    one, other = {**genes, "family1": ["TP53_cnv"]}, {**genes, "family1": ["EGFR_mut"]}
    folders = [
        write_fold(0, a, lambda s, e: a["months"], families=one),
        write_fold(1, b, lambda s, e: b["months"], families=other),
    ]
    with pytest.raises(InputError) as error:
        evaluate_runs(runs=folders, out=tmp_path / "out")
    assert "family1" in str(error.value)
    assert "family2" not in str(error.value)
    assert {"TP53_cnv", "EGFR_mut"} <= set(str(error.value).replace("'", " ").split())


@pytest.mark.parametrize("entry", ["method", "empty_clusters", "facts"])
def test_description_without_an_entry_is_refused(five_folds, tmp_path, entry):
    path = five_folds[3] / "run.json"
    facts = json.loads(path.read_text())
    del facts[entry]
    path.write_text(json.dumps(facts))
    refused(five_folds, tmp_path / "out", rf"(?s)incomplete.*fold3.*no {entry}.*train the fold again")


def test_folds_of_different_length_are_refused(write_fold, patients, tmp_path):
    a, b = patients(12, prefix="A"), patients(12, prefix="B")
    folders = [write_fold(0, a, lambda s, e: a["months"]), write_fold(1, b, lambda s, e: b["months"], epochs=4)]
    refused(folders, tmp_path / "out", "differ in their number of epochs")


def test_fold_given_twice_is_refused(five_folds, tmp_path):
    refused([*five_folds, five_folds[0]], tmp_path / "out", "a fold is given twice")


def test_no_fold_is_refused(tmp_path):
    refused([], tmp_path / "out", "no fold to evaluate")


def test_folds_that_were_drawn_anew_average_over_those_that_test_a_patient(write_fold, patients, tmp_path):
    a, b = patients(12, prefix="A"), patients(12, prefix="B")
    parts = [a, pd.concat([b, a[:1]])]
    folders = [write_fold(i, part, lambda s, e, i=i, part=part: i - part["months"]) for i, part in enumerate(parts)]
    found, risks, _ = evaluate(folders, tmp_path / "out")
    last = risks[risks["protocol"] == "last"].set_index("patient_id")
    assert (found["n_patients"], last.loc["A000", "fold"], last.loc["A001", "fold"]) == (24, "0 1", "0")
    assert last.loc["A000", "risk"] == pytest.approx(0.5 - a["months"][0])
    assert last.loc["A001", "risk"] == pytest.approx(-a["months"][1])


def test_incomplete_predictions_are_refused(five_folds, tmp_path):
    path = five_folds[1] / "predictions.csv"
    pd.read_csv(path).iloc[:-1].to_csv(path, index=False)
    refused(five_folds, tmp_path / "out", r"(?s)not complete.*fold1.*5 whole pairs.*6 \(seeds 0, 7; epochs 1 to 3\)")


@pytest.mark.parametrize(
    ("column", "value"), [("risk", ""), ("risk", "inf"), ("censorship", 2), ("months", -1.0), ("months", 9999.0)]
)
def test_impossible_prediction_is_refused_by_patient(five_folds, tmp_path, column, value):
    path = five_folds[4] / "predictions.csv"
    table = pd.read_csv(path, dtype=object)
    table.loc[5, column] = value
    table.to_csv(path, index=False)
    refused(five_folds, tmp_path / "out", "(?s)(cannot be judged|differs between rows).*fold4.*F4-005")
