"""Explaining the networks of a fold for one patient: prediction, attention, and attribution of the risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor

from ccl.data.batch import Batch
from ccl.data.tables import Tables
from ccl.explain.cases import Case
from ccl.methods.clinical import COVARIATES
from ccl.methods.interface import Attention, SurvivalModel, risk, survival
from ccl.train.reload import check_risk, load_networks, read_batch

STEPS = 64
"""Points between the reference and the patient at which gradients are computed."""

COLUMNS = ("component", "kind", "family", "name", "value", "attribution")

Shares = Mapping[str, NDArray[np.float64]]
"""Shares (n,) by component."""


@dataclass(frozen=True)
class Explanation:
    """The explanation of one patient by the networks of one fold, the mean over their seeds."""

    survival: NDArray[np.float64]
    """(n,) survival at the right edges of the intervals."""
    patches: Shares
    """Attention to patches by component; also by name of the gene family, if families query patches."""
    clusters: Shares
    """Attention to clusters, in the order of K-means."""
    families: Shares
    """Attention to gene families."""
    spread: Mapping[tuple[str, str], NDArray[np.float64]]
    """Standard deviation over seeds of ``clusters`` and ``families``, by kind and component; empty for one seed."""
    attributions: pd.DataFrame
    """``component``, ``kind`` (``gene``, ``covariate`` or ``cluster``), ``family``, ``name``, ``value`` (scaled; none
    for a cluster), ``attribution``: how much it raised the risk above that of the reference."""
    risk: float
    reference_risk: float
    """Risk of the average training patient: :meth:`ccl.methods.interface.SurvivalModel.reference`."""

    @property
    def unexplained(self) -> float:
        """The part of the difference between both risks that the attributions miss, due to the number of steps."""
        return self.risk - self.reference_risk - float(self.attributions["attribution"].sum())


def explain_patient(case: Case, tables: Tables) -> Explanation:
    """Explain a patient by the networks of the fold that tested them.

    Raises
    ------
    InputError
        The networks were not trained on these files.
    ModelError
        The method has no attention.
    """
    attentions, curves, found = [], [], []
    networks = load_networks(case.run)
    risks = np.zeros((len(networks), 2))
    for number, (model, scalers) in enumerate(networks):
        batch = read_batch(case.patient, tables, scalers)
        with torch.no_grad():
            logits = model(batch).logits
            curves.append(survival(logits)[0, 0].double().numpy())
            reference = model.reference(batch)
            risks[number] = float(risk(logits)), float(risk(model(reference).logits))
            attentions.append(model.attends_to(batch))
        found.append(attribute(model, batch, reference, tables))
    check_risk(case.run, case.patient, found=risks[:, 0].mean(), expected=case.risk)
    spread = {
        (kind, name): np.std(np.stack([_shares(a, kind)[name] for a in attentions]), axis=0, ddof=1)
        for kind in ("clusters", "families")
        for name in _shares(attentions[0], kind)
        if len(attentions) > 1
    }
    mean = found[0].assign(attribution=np.mean([table["attribution"] for table in found], axis=0))
    return Explanation(
        survival=np.mean(curves, axis=0),
        patches={**_mean(attentions, "patches"), **_by_family(attentions, tables)},
        clusters=_mean(attentions, "clusters"),
        families=_mean(attentions, "families"),
        spread=spread,
        attributions=mean,
        risk=float(risks[:, 0].mean()),
        reference_risk=float(risks[:, 1].mean()),
    )


def attribute(model: SurvivalModel, batch: Batch, reference: Batch, tables: Tables) -> pd.DataFrame:
    """Return the integrated gradients (Sundararajan et al., ICML 2017) of the risk from a reference to a patient.

    They are computed through one component at a time.  Gradients through all components add up to the whole gradient,
    so all attributions add up to the difference between the two risks.
    """
    # Centres that are the same in the reference change nothing.
    with_centres = reference.centres is not batch.centres
    at, base = (_inputs(each, with_centres=with_centres) for each in (batch, reference))
    if not at:
        return pd.DataFrame(columns=list(COLUMNS))
    names = list(model.through(batch))
    parts = []
    for name in names:

        def risk_through(*inputs: Tensor, name: str = name) -> Tensor:
            many, rest = len(batch.genomics), list(inputs[len(batch.genomics) :])
            held = None if batch.centres is None else batch.centres.expand(-1, len(inputs[0]), -1, -1)
            moved = replace(
                batch,
                genomics=tuple(values[None] for values in inputs[:many]),
                clinical=None if batch.clinical is None else rest.pop(0)[None],
                centres=rest.pop(0)[None] if rest else held,
            )
            return risk(model.through(moved)[name])[0]

        # A method that reads bags takes one patient at a time.
        at_once = None if batch.bag is None else 1
        moved = IntegratedGradients(risk_through).attribute(at, base, n_steps=STEPS, internal_batch_size=at_once)
        table = _table(name, batch, [part.detach() for part in moved], tables)
        parts.append(table[(table["kind"] == "covariate") == (name == COVARIATES)])
    return pd.concat(parts, ignore_index=True)


def _inputs(batch: Batch, *, with_centres: bool) -> tuple[Tensor, ...]:
    """Return the genes (1, n_f) of each family, the covariates (1, C), and the centres (1, k, D) if requested."""
    others = (batch.clinical, batch.centres if with_centres else None)
    return tuple(values[0] for values in (*batch.genomics, *others) if values is not None)


def _table(component: str, batch: Batch, moved: Sequence[Tensor], tables: Tables) -> pd.DataFrame:
    """Return a row for each gene, each covariate and each cluster with its attribution."""
    named = [
        ("gene", family.name, family.columns, values)
        for family, values in zip(tables.families, batch.genomics, strict=True)
    ]
    if batch.clinical is not None and tables.clinical is not None:
        named.append(("covariate", "", tables.clinical.columns, batch.clinical))
    values = [
        pd.DataFrame(
            {
                "kind": kind,
                "family": family,
                "name": columns,
                "value": numbers[0, 0].numpy(),
                "attribution": part[0].double().numpy(),
            }
        )
        for (kind, family, columns, numbers), part in zip(named, moved, strict=False)
    ]
    clusters = [
        pd.DataFrame(
            {
                "kind": "cluster",
                "family": "",
                "name": [f"cluster {number}" for number in range(1, part.shape[1] + 1)],
                "attribution": part[0].double().sum(dim=-1).numpy(),
            }
        )
        for part in moved[len(named) :]
    ]
    return pd.concat([*values, *clusters], ignore_index=True).assign(component=component)[list(COLUMNS)]


def _shares(attention: Attention, kind: str) -> dict[str, NDArray[np.float64]]:
    """Return one kind of shares of one network and one patient."""
    shares: Mapping[str, Tensor] = getattr(attention, kind)
    return {name: values.flatten().double().numpy() for name, values in shares.items()}


def _mean(attentions: Sequence[Attention], kind: str) -> Shares:
    return {
        name: np.mean([_shares(each, kind)[name] for each in attentions], axis=0)
        for name in _shares(attentions[0], kind)
    }


def _by_family(attentions: Sequence[Attention], tables: Tables) -> Shares:
    """Return the attention of each family to the patches, the mean over networks; empty if families do not query."""
    shares = [each.by_family[0].double().numpy() for each in attentions if each.by_family is not None]
    return {family.name: np.mean([s[n] for s in shares], axis=0) for n, family in enumerate(tables.families) if shares}
