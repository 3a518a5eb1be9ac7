"""Benchmark: what CCL finds of a planted risk, which of its parts contribute, and what its components hold.

Makes a synthetic cohort of patch features whose log-risk is known, trains CCL whole, with a modality cut, without each
of its modules and on a shuffled follow-up, all on the same folds and seeds, and asks the components of the test
patients for each planted factor.  Prints tables and writes every number to a CSV, after each fold.  All data are
synthetic; docs/evidence.md discusses the numbers.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from probe import Array, probe, probe_data
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv
from threadpoolctl import threadpool_limits

from ccl.cluster.stage import cluster_cohort
from ccl.cohort.stage import make_cohort
from ccl.config.cohort_sections import CohortSettings
from ccl.config.sections import ClusterSettings, DemoSettings, GenomicsSettings, TrainSettings
from ccl.data.fold import Fold, Inputs, load_fold
from ccl.data.patients import Side
from ccl.demo.make import make_demo
from ccl.evaluate.concordance import concordance_index
from ccl.genomics.stage import group_genomics
from ccl.io.errors import ModelError
from ccl.io.files import read_table, write_table
from ccl.io.formats import Clusters, Features, Genomics
from ccl.io.interop.importing import import_features
from ccl.methods import get_method, hyper, load
from ccl.nn.replicas import Replicas
from ccl.train.loop import train_replicas
from ccl.train.tracks import unified

Cut = Literal["", "pathology", "genomics", "follow-up"]

TABLE_IV = {"align": False, "decompose": False, "guide": False}
RELEASED = {"preset": "released"}
PENALTIES = (3.0, 30.0, 300.0, 3000.0)
"""Of the Cox model."""


@dataclass(frozen=True)
class Arm:
    """One way to train."""

    name: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    cut: Cut = ""
    """What is handed to other patients at random."""
    reference: str = "CCL, paper"
    """The arm that differences are to."""
    method: str = "ccl"
    probed: bool = False


ARMS = (
    Arm("CCL, paper", probed=True),
    Arm("CCL, released", RELEASED, probed=True),
    Arm("no guidance (+CCA +MKD)", {"guide": False}, probed=True),
    Arm("no knowledge terms", {"knowledge_terms": "none"}, probed=True),
    Arm("no knowledge term of S", {"knowledge_terms": "GPC"}, probed=True),
    Arm("no alignment", {"align": False}),
    Arm("+CCA", {**TABLE_IV, "align": True}),
    Arm("baseline", TABLE_IV),
    Arm("CCL, paper, pathology cut", cut="pathology"),
    Arm("CCL, paper, genomics cut", cut="genomics"),
    Arm("CCL, released, pathology cut", RELEASED, cut="pathology", reference="CCL, released"),
    Arm("CCL, released, genomics cut", RELEASED, cut="genomics", reference="CCL, released"),
    Arm("CCL, paper, follow-up shuffled", cut="follow-up"),
    Arm("SNN", method="snn"),
    Arm("SNN, follow-up shuffled", cut="follow-up", method="snn"),
)

PAPER_RATE = 1e-3

PAPER_ARMS = tuple(
    dataclasses.replace(arm, name=f"{arm.name} @ {PAPER_RATE}", reference=f"{ARMS[0].name} @ {PAPER_RATE}")
    for arm in (ARMS[0], ARMS[1], Arm("SNN", method="snn"))
)
"""The same at the paper's learning rate."""


@dataclass(frozen=True)
class Planted:
    """The synthetic cohort."""

    folder: Path
    truth: pd.DataFrame
    """Indexed by patient: the latents, the parts of the log-risk, and their sum."""
    pooled: pd.DataFrame
    """Indexed by patient: the mean of the patches' features."""

    def inputs(self, cut: Cut, fold: int) -> Inputs:
        """Return what training reads, the `cut` part dealt to other patients: in each fold in another way."""
        files = [self.folder / name for name in ("patients.csv", "folds.csv", "genomics.h5", "k6.h5", "slides.csv")]
        dealt, rng = self.folder / f"{cut}-cut-{fold}", np.random.default_rng(fold)
        if cut == "follow-up":
            table = read_table(files[0], text=("patient_id",))
            write_table(dealt, table.assign(patient_id=_deal(table["patient_id"], rng)))
            files[0] = dealt
        elif cut == "genomics":
            genomics = Genomics.read(files[2])
            dataclasses.replace(genomics, patients=_deal(genomics.patients, rng)).write(dealt)
            files[2] = dealt
        elif cut == "pathology":
            clusters = Clusters.read(files[3])
            dataclasses.replace(clusters, patients=_deal(clusters.patients, rng)).write(dealt)
            files[3] = dealt
        return Inputs(*files, manifests=(self.folder / "manifest.csv",))


def _deal(patients: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    """Return `patients` in another order, along one random cycle, so that nobody keeps a place."""
    cycle, dealt = rng.permutation(len(patients)), np.empty(len(patients), dtype=object)
    dealt[cycle] = np.asarray(patients, dtype=object)[np.roll(cycle, 1)]
    return tuple(dealt)


def make_planted(folder: Path, patients: int, folds: int, seed: int) -> Planted:
    """Make the cohort and bring it through the stages before training, with their default settings."""
    demo = folder / "demo"
    make_demo(demo, DemoSettings(patients=patients, seed=seed, bags=True, shuffle_risk=False))
    settings = CohortSettings("patient_id", "months", "censorship", n_folds=folds, fold_seed=seed, synthetic=True)
    make_cohort("planted", folder, settings=settings, patients=demo / "patients.csv", slides=demo / "slides.csv")
    group_genomics(
        folder / "genomics.h5",
        settings=GenomicsSettings("patient_id", families=(), missing="error"),
        tables={kind: demo / f"{kind}.csv" for kind in ("rna", "cnv", "snv")},
        gmt=[demo / "families.gmt"],
    )
    sheet, manifest = folder / "slides.csv", folder / "manifest.csv"
    import_features(manifest, slides=sheet, features=demo / "features", on_bad_slide="fail")
    cluster_cohort(
        slides=sheet,
        manifests=[manifest],
        out=folder / "k6.h5",
        settings=ClusterSettings(k=6, restarts=3, empty="reseed", normalise="none"),
        on_bad_slide="fail",
        threads=1,
    )
    truth = read_table(demo / "truth" / "patients.csv", text=("patient_id",)).set_index("patient_id")
    means = [Features.read(demo / "features" / f"{name}-A.h5").features.mean(axis=0) for name in truth.index]
    return Planted(folder, truth, pd.DataFrame(means, index=truth.index))


def targets(planted: Planted, side: Side) -> pd.DataFrame:
    """Return what the probe asks for: the latents, the product of the two synergistic ones, and the log-risk.

    The other parts of the log-risk are multiples of a latent, so that their R² are those of the latents.
    """
    truth = planted.truth.loc[list(side.patients)]
    latents = truth.filter(like="latent_").rename(columns=lambda name: name.removeprefix("latent_"))
    return latents.assign(synergy=truth["risk_synergy"], log_risk=truth["log_risk"])


def read_fold(method: str, inputs: Inputs, fold: int, settings: TrainSettings) -> Fold:
    """Return the data of one fold as a method reads them."""
    intervals = {"intervals": settings.intervals, "intervals_from": settings.intervals_from}
    return load_fold(get_method(method).reads, inputs, fold, **intervals)


def train_arm(arm: Arm, planted: Planted, fold: int, settings: TrainSettings) -> Iterator[dict[str, Any]]:
    """Train one arm on one fold, all seeds; yield the C-index of each seed, and what its components hold."""
    data = read_fold(arm.method, planted.inputs(arm.cut, fold), fold, settings)
    network, chosen = load(arm.method).Model, hyper(arm.method, arm.overrides)
    trained = train_replicas(network, chosen, data, recipe=unified(settings), seeds=settings.seeds)
    for seed, history in trained.history.groupby("seed"):
        scores = history["c_index_test"]
        for measure, value in (("last", scores.iloc[-1]), ("best-on-test", scores.max())):
            yield {"replica": seed, "source": "risk", "measure": measure, "value": float(value)}
    if arm.probed:
        yield from probe(trained.model, data.test, targets(planted, data.test))


def floors(planted: Planted, fold: int, settings: TrainSettings) -> Iterator[dict[str, Any]]:
    """Yield what needs no training of CCL: true risks, Cox models, an untrained network and the data themselves."""
    data = read_fold("ccl", planted.inputs("", fold), fold, settings)
    truth = planted.truth.loc[list(data.test.patients)]
    parts = {name: truth[f"risk_{name}"] for name in ("shared", "pathology", "genomics", "synergy")}
    known = {
        "truth: all": truth["log_risk"],
        "truth: without synergy": truth["log_risk"] - parts["synergy"],
        "truth: shared + genomics": parts["shared"] + parts["genomics"],
        "truth: shared + pathology": parts["shared"] + parts["pathology"],
    }
    for name, value in known.items():
        yield {"arm": name, "measure": "last", "value": _concordance(data.test, value.to_numpy())}
    sides = (data.train, data.test)
    genes = [torch.cat(side.genomics, dim=1).numpy() for side in sides]
    means = [planted.pooled.loc[list(side.patients)].to_numpy() for side in sides]
    both = [np.hstack(pair) for pair in zip(genes, means, strict=True)]
    for name, features in (("ridge Cox: genes", genes), ("ridge Cox: genes + mean patch", both)):
        yield {"arm": name, "measure": "last", "value": _concordance(data.test, ridge_cox(data.train, *features))}
    for row in factors(planted, fold, settings):
        yield {"arm": "cox-factors", **row}
    wanted = targets(planted, data.test)
    for row in probe_data(data.test, means[1], wanted):
        yield {"arm": "data", **row}
    untrained = load("ccl").Model(data.shape, hyper("ccl", {}), Replicas(settings.seeds))
    for row in probe(untrained, data.test, wanted):
        yield {"arm": "untrained", **row}


def factors(planted: Planted, fold: int, settings: TrainSettings) -> Iterator[dict[str, Any]]:
    """Yield the C-index of ``cox-factors``, and how well its products tell the planted one (fitted in training)."""
    data = read_fold("cox-factors", planted.inputs("", fold), fold, settings)
    chosen = hyper("cox-factors", {})
    trained = train_replicas(load("cox-factors").Model, chosen, data, recipe=unified(settings), seeds=(0,))
    yield {"measure": "last", "value": float(trained.history["c_index_test"].iloc[-1])}
    model, sides = trained.model.eval(), (data.train, data.test)
    products = [torch.cat([model.heavy(batch)[2] for batch in side.batches()], dim=1)[0].numpy() for side in sides]
    true = [planted.truth.loc[list(side.patients), "risk_synergy"].to_numpy() for side in sides]
    told = LinearRegression().fit(products[0], true[0]).predict(products[1])
    yield {"source": "products", "measure": "R2 synergy", "value": float(np.corrcoef(told, true[1])[0, 1] ** 2)}


def _concordance(side: Side, scores: Array) -> float:
    return concordance_index(side.months, side.censorship, scores)


def ridge_cox(train: Side, features: Array, others: Array) -> Array:
    """Return the log-risk of `others` by a ridge Cox model on `features` of the training patients.

    The penalty is the one with the best mean C-index in a three-fold cross-validation among them.
    """

    def predict(fitted: Array, new: Array, penalty: float) -> Array:
        scaler = StandardScaler().fit(features[fitted])
        values = scaler.transform(features[fitted])
        # Ridge regression is the same in the basis of the patients, which is the smaller.
        basis = np.linalg.svd(values, full_matrices=False)[2].T
        followed = Surv.from_arrays(train.censorship[fitted] == 0, train.months[fitted])
        # The baseline hazard, which nothing here reads, may underflow.
        with np.errstate(over="ignore"):
            cox = CoxPHSurvivalAnalysis(alpha=penalty, ties="efron").fit(values @ basis, followed)
        predicted: Array = cox.predict(scaler.transform(new) @ basis)
        return predicted

    def score(penalty: float) -> float:
        scores = []
        for fitted, left in StratifiedKFold(3, shuffle=True, random_state=0).split(features, train.censorship):
            risks = predict(fitted, features[left], penalty)
            scores.append(concordance_index(train.months[left], train.censorship[left], risks))
        return float(np.mean(scores))

    return predict(np.arange(len(features)), others, max(PENALTIES, key=score))


def c_indices(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the C-index of each arm, and its paired difference to the arm's reference, each with standard error."""
    scores = rows[rows["measure"].isin(["last", "best-on-test"])].drop(columns="source")
    cells = scores.pivot(index=["arm", "measure"], columns=["fold", "replica"], values="value")
    references = {arm.name: arm.reference for arm in (*ARMS, *PAPER_ARMS) if arm.name != arm.reference}
    lines: dict[str, dict[str, str]] = {}
    for arm, measure in scores[["arm", "measure"]].drop_duplicates().itertuples(index=False):
        own, reference = cells.loc[(arm, measure)], (references.get(arm, ""), measure)
        line = lines.setdefault(arm, {"runs": str(own.notna().sum())})
        line[measure] = _mean_and_error(own)
        if reference in cells.index:
            line[f"{measure}, to reference"] = _mean_and_error(own - cells.loc[reference])
    return pd.DataFrame(lines.values(), index=pd.Index(lines, name="arm")).fillna("")


def holdings(rows: pd.DataFrame, arm: str, kind: str) -> pd.DataFrame:
    """Return the mean and standard error over folds and seeds of an arm's measures of one kind, by source."""
    own = rows[(rows["arm"] == arm) & rows["measure"].str.startswith(kind)]
    own = own.assign(measure=own["measure"].str.removeprefix(kind))
    # In the order of the rows, which is that of the network.
    table = own.groupby(["source", "measure"], sort=False)["value"].agg(_mean_and_error).unstack("measure")
    return table.reindex(index=own["source"].unique(), columns=own["measure"].unique()).fillna("")


def contrasts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return R² and cosines as paired differences: of each component with and without guidance, and of S and C."""
    cell, probed = ["fold", "replica", "measure"], rows[rows["measure"].str.startswith(("R2 ", "cos "))]
    guided, unguided = (probed[probed["arm"] == name] for name in (ARMS[0].name, "no guidance (+CCA +MKD)"))
    effect = guided.merge(unguided, on=[*cell, "source"], suffixes=("", "_other"))
    common, synergy = (guided[guided["source"] == name] for name in ("C", "S"))
    between = synergy.merge(common, on=cell, suffixes=("", "_other")).assign(source="S - C")
    both = [effect.assign(arm="guided - unguided"), between.assign(arm=ARMS[0].name + ": S - C")]
    return pd.concat(both).assign(value=lambda table: table["value"] - table["value_other"])


def _mean_and_error(values: pd.Series) -> str:
    known = values.dropna()
    return f"{known.mean():.3f} ± {known.sem():.3f}" if len(known) > 1 else f"{known.mean():.3f}"


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown."""
    lines = [[table.index.name or "", *table.columns], ["---"] * (1 + table.shape[1])]
    lines += [[str(name), *row] for name, row in zip(table.index, table.astype(str).to_numpy(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(rows: pd.DataFrame) -> None:
    """Print all tables."""
    print("\nC-index on test patients (synthetic data), mean ± standard error over folds and seeds")
    print(markdown(c_indices(rows)))
    rows = pd.concat([rows, contrasts(rows)])
    for arm in rows["arm"].unique():
        for kind, words in (("R2 ", "R² on test patients of each factor"), ("cos ", "mean cosine")):
            if ((rows["arm"] == arm) & rows["measure"].str.startswith(kind)).any():
                print(f"\n{arm}: {words} (synthetic data)\n{markdown(holdings(rows, arm, kind))}")


def run(planted: Planted, options: argparse.Namespace) -> None:
    """Train every arm on every fold, fold by fold, and report after each."""
    rows: list[dict[str, Any]] = []
    own = TrainSettings(options.epochs, options.lr, 1e-5, 4, "train", "uniform", seeds=tuple(range(options.seeds)))
    papers = dataclasses.replace(own, epochs=options.paper_epochs, lr=PAPER_RATE)
    for arms, settings in ((ARMS, own), (PAPER_ARMS if options.paper_epochs else (), papers)):
        for fold in range(options.folds if arms else 0):
            if arms is ARMS:
                rows += [{"fold": fold, "replica": 0, "source": "", **row} for row in floors(planted, fold, own)]
            for arm in arms:
                start = time.perf_counter()
                try:
                    rows += [{"arm": arm.name, "fold": fold, **row} for row in train_arm(arm, planted, fold, settings)]
                except ModelError as error:
                    print(f"fold {fold}, {arm.name}: {error.line}", flush=True)
                print(f"fold {fold}, {arm.name}: {time.perf_counter() - start:.0f} s", flush=True)
            write_table(options.out, pd.DataFrame(rows))
            report(pd.DataFrame(rows))


def main() -> None:
    """Make the cohort, train, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3, help="networks per fold and arm")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=5e-3, help="learning rate of the main arms")
    parser.add_argument("--paper-epochs", type=int, default=30, help=f"epochs at the paper's {PAPER_RATE}; 0: none")
    parser.add_argument("--cohort-seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/evidence.csv"))
    parser.add_argument("--tables", type=Path, help="print the tables of such a CSV, and train nothing")
    options = parser.parse_args()
    if options.tables:
        report(read_table(options.tables))
        return
    torch.set_num_threads(1)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        run(make_planted(Path(folder), options.patients, options.folds, options.cohort_seed), options)


if __name__ == "__main__":
    main()
