"""Training end to end on a small cohort: the files, what is learnt, and what must not be."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from ccl.data.batch import Batch
from ccl.data.fold import Inputs, load_fold
from ccl.evaluate.concordance import concordance_index
from ccl.evaluate.stage import evaluate_runs
from ccl.io.errors import ConfigError, InputError, ModelError
from ccl.io.files import UNFINISHED
from ccl.io.formats import Genomics
from ccl.methods import hyper, load
from ccl.methods.declaration import Recipe
from ccl.methods.interface import Output, SurvivalModel
from ccl.nn.replicas import Replicas
from ccl.train import stage as run
from ccl.train.loop import train_replicas
from ccl.train.stage import train_fold
from ccl.train.store import load_checkpoint, load_model
from ccl.train.tracks import unified
from tests.data.conftest import INTERVALS, SETTINGS

SMALL = {"ccl": {"width": 16}, "snn": {"width": 16}}


@pytest.fixture
def fold(tmp_path, cohort):
    """The cohort's fold 0 as the loop sees it."""
    from ccl.methods import get_method

    cohort.train(tmp_path, overrides=SMALL["ccl"], epochs=1)
    inputs = Inputs(tmp_path / "patients.csv", tmp_path / "folds.csv", tmp_path / "genomics.h5", tmp_path / "k.h5")
    return load_fold(get_method("ccl").reads, inputs, 0, **INTERVALS)


@pytest.mark.parametrize("model", ["ccl", "snn"])
def test_the_files_say_what_the_contract_says(tmp_path, cohort, model):
    out = cohort.train(tmp_path, model=model, overrides=SMALL[model], epochs=3, seeds=(0, 7))
    history, predictions = pd.read_csv(out / "history.csv"), pd.read_csv(out / "predictions.csv")
    run = json.loads((out / "run.json").read_text())

    parts = ["nll", "knowledge", "patient"] if model == "ccl" else ["nll"]
    assert list(history) == ["seed", "epoch", "loss", *parts, "c_index_train", "c_index_test", "seconds"]
    assert list(zip(history["seed"], history["epoch"], strict=True)) == [(s, e) for s in (0, 7) for e in (1, 2, 3)]
    np.testing.assert_allclose(history[parts].sum(axis=1), history["loss"], rtol=1e-6)

    survival = [f"survival_{k}" for k in range(1, 5)]
    assert list(predictions) == ["seed", "epoch", "patient_id", "months", "censorship", "risk", *survival]
    assert len(predictions) == 2 * 3 * 5
    np.testing.assert_allclose(predictions["risk"], -predictions[survival].sum(axis=1), rtol=1e-6)
    for logged in history.itertuples():
        rows = predictions.query(f"seed == {logged.seed} and epoch == {logged.epoch}")
        c_index = concordance_index(rows["months"], rows["censorship"], rows["risk"])
        assert c_index == pytest.approx(logged.c_index_test)
        assert rows["patient_id"].tolist() == ["P00", "P04", "P08", "P12", "P16"]

    assert run["cohort"], run["encoder"] == ("toy", "resnet50" if model == "ccl" else "none")
    assert (run["model"], run["fold"], run["synthetic"]) == (model, 0, True)
    assert run["weights"] == ("random" if model == "ccl" else "none")
    assert run["hyper"]["width"] == 16
    assert run["settings"]["lr"] == 1e-3
    assert run["seeds"] == [0, 7]
    assert (run["n_train"], run["n_test"], run["left_out"]) == (15, 5, {})
    assert run["families"]["two"] == ["B0_cnv", "B1_cnv", "B2_cnv"]
    assert len(run["interval_edges"]) == 5
    assert run["parameters"] == sum(w.numel() for w in load_model(out / "model.safetensors", 7)[0].parameters())
    assert set(run["versions"]) == {"ccl", "python", "torch", "numpy", "scikit-learn"}


def test_held_out_patients_have_a_c_index_at_every_epoch(tmp_path, cohort):
    out = cohort.train(tmp_path, model="snn", overrides=SMALL["snn"], epochs=3, seeds=(0, 7), inner=0.3)
    history, run = pd.read_csv(out / "history.csv"), json.loads((out / "run.json").read_text())
    assert list(history)[-4:] == ["c_index_train", "c_index_inner", "c_index_test", "seconds"]
    assert history["c_index_inner"].between(0, 1).all()
    assert (run["n_train"], run["n_inner"], run["n_test"]) == (10, 5, 5)
    assert run["settings"]["inner"] == 0.3
    evaluate_runs(runs=[out], out=tmp_path / "judged")
    for score in json.loads((tmp_path / "judged" / "evaluation.json").read_text())["protocols"]["inner"]["folds"]:
        rows = history[history["seed"] == score["seed"]].set_index("epoch")
        assert score["epoch"] == rows["c_index_inner"].idxmax()
        assert score["c_index"] == pytest.approx(rows["c_index_test"][score["epoch"]])
    assert set(pd.read_csv(out / "predictions.csv")["patient_id"]) == {"P00", "P04", "P08", "P12", "P16"}


def test_held_out_patients_that_cannot_be_ordered_are_refused(tmp_path, cohort):
    with pytest.raises(ConfigError, match=r"(?s)have no C-index, so no epoch can be selected.*inner: 0\.05.*raise"):
        cohort.train(tmp_path, model="snn", overrides=SMALL["snn"], inner=0.05)
    assert not (tmp_path / "run").exists()


def test_a_run_that_holds_out_nobody_says_nothing_of_it(tmp_path, cohort):
    run = json.loads((cohort.train(tmp_path, model="snn", overrides=SMALL["snn"]) / "run.json").read_text())
    assert "inner" not in run["settings"]
    assert "n_inner" not in run


@pytest.mark.parametrize("model", ["ccl", "snn"])
def test_the_same_seed_gives_the_same_numbers_and_another_one_others(tmp_path, cohort, model):
    one = cohort.train(tmp_path / "one", model=model, overrides=SMALL[model], seeds=(3,))
    both = cohort.train(tmp_path / "both", model=model, overrides=SMALL[model], seeds=(0, 3))
    first, second = (pd.read_csv(out / "predictions.csv") for out in (one, both))
    # Side by side the sums of a product may be in another order.
    pd.testing.assert_frame_equal(first, second.query("seed == 3").reset_index(drop=True), rtol=1e-4)
    assert not np.allclose(second.query("seed == 0")["risk"], second.query("seed == 3")["risk"])


@pytest.mark.parametrize("model", ["ccl", "snn"])
def test_test_patients_influence_nothing_that_is_learnt(tmp_path, cohort, model):
    outs = [cohort.train(tmp_path / "before", model=model, overrides=SMALL[model])]
    tested = np.arange(20) % 4 == 0
    families = tuple(
        replace(f, values=np.where(tested[:, None], f.values * 50 + 3, f.values)) for f in cohort.genomics.families
    )
    centres = np.where(tested[:, None, None], -cohort.clusters.centres, cohort.clusters.centres)
    outcomes = cohort.outcomes.assign(
        months=np.where(tested, cohort.outcomes["months"] * 9 + 1, cohort.outcomes["months"]),
        censorship=np.where(tested, 1 - cohort.outcomes["censorship"], cohort.outcomes["censorship"]),
    )
    changed = replace(
        cohort,
        outcomes=outcomes,
        genomics=Genomics(cohort.genomics.patients, families),
        clusters=replace(cohort.clusters, centres=centres),
    )
    outs.append(changed.train(tmp_path / "after", model=model, overrides=SMALL[model]))

    assert (outs[0] / "model.safetensors").read_bytes() == (outs[1] / "model.safetensors").read_bytes()
    before, after = (pd.read_csv(out / "history.csv").drop(columns=["c_index_test", "seconds"]) for out in outs)
    pd.testing.assert_frame_equal(before, after)
    edges = [json.loads((out / "run.json").read_text())["interval_edges"] for out in outs]
    assert edges[0] == edges[1]
    risks = [pd.read_csv(out / "predictions.csv")["risk"] for out in outs]
    assert not np.allclose(*risks)


@pytest.mark.parametrize("model", ["ccl", "snn"])
def test_a_stored_model_gives_the_risks_of_the_last_epoch(tmp_path, cohort, model):
    out = cohort.train(tmp_path, model=model, overrides=SMALL[model], seeds=(0, 7))
    last = pd.read_csv(out / "predictions.csv").query("epoch == 2")
    rows = [0, 4, 8, 12, 16]
    assert json.loads((out / "run.json").read_text())["method"] == model
    for seed in (0, 7):
        network, scalers = load_model(out / "model.safetensors", seed)
        assert list(scalers.families) == ["one", "two"]
        genomics = tuple(
            torch.from_numpy(scaler.apply(family.values[rows]))[None]
            for scaler, family in zip(scalers.families.values(), cohort.genomics.families, strict=True)
        )
        centres = torch.from_numpy(cohort.clusters.centres[rows])[None] if model == "ccl" else None
        with torch.no_grad():
            logits = network(Batch(genomics, centres, None)).logits[0]
        risk = -torch.cumprod(1 - torch.sigmoid(logits), dim=1).sum(dim=1)
        np.testing.assert_allclose(risk, last.query("seed == @seed")["risk"], rtol=1e-5)


def test_a_model_that_is_not_there_is_refused(tmp_path, cohort):
    path = cohort.train(tmp_path, model="snn", overrides=SMALL["snn"]) / "model.safetensors"
    with pytest.raises(InputError, match="seed0"):
        load_model(path, 1)
    path.write_bytes(b"damaged")
    with pytest.raises(InputError, match="damaged"):
        load_model(path, 0)


@pytest.mark.parametrize("model", ["ccl", "snn"])
def test_one_epoch_changes_every_parameter_and_buffer(fold, model):
    network, chosen = load(model).Model, hyper(model, SMALL[model])
    start = network(fold.shape, chosen, Replicas((0,))).state_dict()
    # A large step and few patients: enough that no change is lost in rounding.
    settings = replace(SETTINGS, epochs=1, lr=0.1, weight_decay=0.0)
    trained = train_replicas(network, chosen, fold, recipe=unified(settings), seeds=(0,)).model
    still = {name for name, value in trained.state_dict().items() if torch.equal(value, start[name])}
    assert still == set()


@pytest.mark.parametrize("name", ["sgd", "adam", "radam", "lookahead-radam"])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_every_optimiser_trains_the_layers_that_expect_patients(fold, name, accumulate):
    network, chosen = load("ccl").Model, hyper("ccl", SMALL["ccl"])
    start = network(fold.shape, chosen, Replicas((0,))).state_dict()
    recipe = Recipe(name, lr=0.1, weight_decay=0.0, epochs=1, accumulate=accumulate)
    trained = train_replicas(network, chosen, fold, recipe=recipe, seeds=(0,)).model.state_dict()
    first = [key for key in start if ".first.weights" in key]
    assert len(first) == 3
    assert not any(torch.equal(trained[key], start[key]) for key in first)


@pytest.mark.parametrize("model", ["ccl", "snn"])
def test_eight_patients_are_learnt_by_heart(tmp_path, make_cohort, model):
    cohort = make_cohort(count=11)
    out = cohort.train(tmp_path, model=model, overrides={**SMALL[model], "dropout": 0.0}, epochs=60, lr=0.02)
    history = pd.read_csv(out / "history.csv")
    assert json.loads((out / "run.json").read_text())["n_train"] == 8
    # Patients of one interval are alike to the likelihood, so a pair within it may stay in the wrong order.
    assert history["c_index_train"].iloc[-1] > 0.9
    assert history["nll"].iloc[-1] < 0.3 * history["nll"].iloc[0]


def test_a_planted_risk_is_found_in_new_patients(tmp_path, make_cohort):
    out = make_cohort(count=60).train(tmp_path, epochs=12, lr=0.003, seeds=(0, 1, 2))
    assert pd.read_csv(out / "history.csv").query("epoch == 12")["c_index_test"].mean() > 0.7


def test_divergence_stops_with_the_patient_and_the_epoch(fold):
    class Broken(SurvivalModel):
        def __init__(self, shape, hyper, replicas):
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(2, 1, shape.intervals))

        def forward(self, batch):
            wanted = fold.train.genomics[0][3]
            broken = (batch.genomics[0] == wanted).all(dim=2, keepdim=True)
            return Output(torch.where(broken, torch.nan, 0.0) + self.bias)

    with pytest.raises(ModelError, match=f"patient {fold.train.patients[3]}, epoch 1, seed 5"):
        train_replicas(Broken, None, fold, recipe=unified(SETTINGS), seeds=(5, 6))


def test_a_learning_rate_that_explodes_is_reported_and_leaves_no_files(tmp_path, cohort):
    with pytest.raises(ModelError, match="lower `train: lr`"):
        cohort.train(tmp_path, overrides=SMALL["ccl"], lr=1e3)
    assert not (tmp_path / "run").exists()


def test_a_test_side_without_comparable_pairs_has_an_empty_c_index(tmp_path, cohort):
    tested = np.arange(20) % 4 == 0
    outcomes = cohort.outcomes.assign(censorship=np.where(tested, 1, cohort.outcomes["censorship"]))
    out = replace(cohort, outcomes=outcomes).train(tmp_path, model="snn", overrides=SMALL["snn"], epochs=1)
    history = pd.read_csv(out / "history.csv", dtype=str, keep_default_na=False)
    assert history["c_index_test"].tolist() == [""]


class Killed(BaseException):
    """As if the process had been killed."""


@pytest.fixture
def kill(monkeypatch):
    """Return a function that lets the next training die after some epochs."""

    def kill(after):
        original = run.save_checkpoint

        def save(path, key, model, course):
            original(path, key, model, course)
            if course.epoch == after:
                raise Killed

        monkeypatch.setattr(run, "save_checkpoint", save)

    return kill


@pytest.mark.parametrize(
    ("model", "more"), [("ccl", {}), ("ccl", {"preset": "released", "anchor_init": "first_patient"}), ("snn", {})]
)
@pytest.mark.parametrize("sampling", ["uniform", "weighted"])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path, cohort, kill, monkeypatch, model, more, sampling):
    """Anchor, bank, random numbers: the predictions of every epoch are the same, to the last digit."""
    how = {"model": model, "overrides": {**SMALL[model], **more}, "epochs": 5, "seeds": (0, 7), "sampling": sampling}
    whole = cohort.train(tmp_path / "whole", **how)
    kill(after=2)
    with pytest.raises(Killed):
        cohort.train(tmp_path / "killed", **how)
    monkeypatch.undo()
    assert [path.suffix for path in (tmp_path / "killed" / "run").glob("[!.]*")] == [".safetensors"]
    resumed = cohort.train(tmp_path / "killed", **how)
    assert (resumed / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()
    assert (resumed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert not list(resumed.glob("checkpoint*"))
    histories = [pd.read_csv(out / "history.csv").drop(columns="seconds") for out in (resumed, whole)]
    pd.testing.assert_frame_equal(*histories)


def test_a_damaged_checkpoint_is_not_continued(tmp_path, cohort, kill, monkeypatch, capfd):
    how = {"overrides": SMALL["ccl"], "epochs": 3}
    whole = cohort.train(tmp_path / "whole", **how)
    kill(after=2)
    with pytest.raises(Killed):
        cohort.train(tmp_path / "killed", **how)
    monkeypatch.undo()
    folder = tmp_path / "killed" / "run"
    checkpoint = next(folder.glob("checkpoint*"))
    (folder / f"{UNFINISHED}{checkpoint.stem}-abcd1234.safetensors").touch()  # of a process killed while it wrote
    content = bytearray(checkpoint.read_bytes())
    content[-9] ^= 1
    checkpoint.write_bytes(content)
    resumed = cohort.train(tmp_path / "killed", **how)
    assert "the checkpoint is damaged, so training starts from the beginning" in capfd.readouterr().err
    assert (resumed / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()
    assert not [path for path in folder.rglob("*") if "checkpoint" in path.name]


def test_another_config_does_not_go_on_from_a_checkpoint(tmp_path, cohort, kill, monkeypatch):
    kill(after=1)
    with pytest.raises(Killed):
        cohort.train(tmp_path, overrides=SMALL["ccl"], epochs=3)
    monkeypatch.undo()
    left = next((tmp_path / "run").glob("checkpoint*"))
    out = cohort.train(tmp_path, overrides={**SMALL["ccl"], "anchor_update": 0.3}, epochs=3)
    fresh = cohort.train(tmp_path / "fresh", overrides={**SMALL["ccl"], "anchor_update": 0.3}, epochs=3)
    assert (out / "predictions.csv").read_bytes() == (fresh / "predictions.csv").read_bytes()
    assert not left.exists()


def test_a_checkpoint_of_another_run_is_refused(tmp_path, cohort, kill):
    kill(after=1)
    with pytest.raises(Killed):
        cohort.train(tmp_path, overrides=SMALL["ccl"])
    path = next((tmp_path / "run").glob("checkpoint*"))
    with pytest.raises(InputError, match="another run"):
        load_checkpoint(path, "0" * 64, SurvivalModel())


def test_divergence_keeps_the_last_good_checkpoint(tmp_path, cohort, monkeypatch):

    original = run.save_checkpoint

    def save(path, key, model, course):
        original(path, key, model, course)
        if course.epoch == 2:
            next(model.parameters()).data.fill_(torch.nan)

    monkeypatch.setattr(run, "save_checkpoint", save)
    with pytest.raises(ModelError, match=r"patient P\d\d, epoch 3"):
        cohort.train(tmp_path, model="snn", overrides=SMALL["snn"], epochs=9)
    path = next((tmp_path / "run").glob("checkpoint*"))
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["ccl"])["epoch"] == 2
        assert all(torch.isfinite(file.get_tensor(name)).all() for name in file.keys())  # noqa: SIM118


def test_weighted_sampling_shows_each_class_as_often(fold):
    weights = fold.train.sampling_weights(fold.edges)
    outcomes = fold.train.outcomes(fold.edges)
    classes = (2 * outcomes.labels + outcomes.censorship)[0].numpy()
    totals = [weights[classes == one].sum() for one in np.unique(classes)]
    np.testing.assert_allclose(totals, 1.0)


@pytest.mark.parametrize(
    ("change", "match"), [({"model": "nope"}, "attmil, .*snn"), ({"overrides": {"k": 3}}, "width")]
)
def test_a_wrong_name_is_refused(tmp_path, cohort, change, match):
    with pytest.raises(ConfigError, match=match):
        cohort.train(tmp_path, **change)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"overrides": {"preset": "released", "groups": 2}}, "models: mine: groups"),
        ({"overrides": {"groups": 40}}, "models: mine: groups"),
        ({"overrides": {"width": 7}}, "models: mine: width"),
        ({"method": "cox-genomics", "overrides": {}, "track": "native"}, "models: mine: track"),
    ],
)
def test_what_a_model_sets_wrong_is_refused_by_its_name_in_the_config(tmp_path, cohort, change, where):
    arguments = cohort.arguments(tmp_path) | {"model": "mine"} | change
    with pytest.raises(ConfigError) as caught:
        train_fold(**arguments)
    assert where in str(caught.value)


def test_a_method_without_epochs_takes_several_seeds(tmp_path, cohort):
    out = cohort.train(tmp_path, model="cox-genomics", seeds=(0, 1))
    one, two = (rows.drop(columns="seed").to_numpy() for _, rows in pd.read_csv(out / "history.csv").groupby("seed"))
    np.testing.assert_allclose(one, two)
    risks = pd.read_csv(out / "predictions.csv").pivot(index="patient_id", columns="seed", values="risk")
    np.testing.assert_array_equal(risks[0], risks[1])
