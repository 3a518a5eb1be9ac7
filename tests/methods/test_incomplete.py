"""What holds of every method that is given incomplete patients."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import pytest
import torch
from torch import Tensor

from ccl.data.batch import Batch, Outcomes, Present, Shape
from ccl.methods import METHODS, hyper, load
from ccl.methods.build import build
from ccl.methods.incomplete import WithStandIns
from ccl.methods.interface import ClosedForm, Output, SurvivalModel
from ccl.nn.likelihood import survival_nll
from ccl.nn.replicas import Replicas

TABLES = ((0,) * 4 + (1,) * 3, (0,) * 5, (1,) * 11)
"""Two omics tables; the second family is in the first table alone, the third in the second."""

BOTH = [
    name
    for name in METHODS
    if METHODS[name].multimodal and "clinical" not in METHODS[name].reads
    if not issubclass(load(name).Model, ClosedForm)
]
PATTERNS = {"slides": ([True, True], False), "genes": ([False, False], True), "table": ([True, False], True)}


def make(name: str, *, complete: bool = False, **overrides: object) -> SurvivalModel:
    reads = METHODS[name].reads
    known = {item.name for item in fields(METHODS[name].hyper)}
    small = {"width": 16, "hidden": 16, "dropout": 0.0, **overrides}
    shape = Shape((7, 5, 11), 4, 3 if "clusters" in reads else 0, 10, tables=() if complete else TABLES)
    chosen = hyper(name, {key: value for key, value in small.items() if key in known})
    return build(name, shape, chosen, Replicas((0,)))


def patient(name: str, seed: int, lacks: str = "") -> Batch:
    rng = torch.Generator().manual_seed(seed)
    genes = tuple(torch.randn(1, 1, size, generator=rng) for size in (7, 5, 11))
    slides = torch.randn(1, 20, 10, generator=rng)
    clusters = "clusters" in METHODS[name].reads
    centres, bag = (slides[:, None, :3], None) if clusters else (None, slides)
    outcomes = Outcomes(torch.tensor([[seed % 4]]), torch.tensor([[0.0]]), torch.tensor([[3.0 + seed]]))
    return replace(Batch(genes, centres, outcomes, bag), present=present(lacks) if lacks else None)


def present(lacks: str) -> Present:
    tables, slides = PATTERNS.get(lacks, ([True, True], True))
    return Present(torch.tensor([[tables]]), torch.tensor([[slides]]))


@torch.no_grad()
def logits(model: SurvivalModel, batch: Batch) -> Tensor:
    found: Tensor = model.eval()(replace(batch, outcomes=None)).logits
    return found


@pytest.mark.parametrize("name", BOTH)
def test_complete_patients_have_the_logits_of_the_plain_network(name: str) -> None:
    """Bit by bit, whether the masks say that they have everything or there are none."""
    plain, made, batch = make(name, complete=True), make(name), patient(name, 0)
    assert torch.equal(logits(made, batch), logits(plain, batch))
    assert torch.equal(logits(made, replace(batch, present=present("nothing"))), logits(plain, batch))


# CCL reads the training mean of a missing table, which the data hold.
@pytest.mark.parametrize(("name", "lacks"), [pair for pair in product(BOTH, PATTERNS) if pair != ("ccl", "table")])
def test_what_a_patient_lacks_cannot_matter(name: str, lacks: str) -> None:
    model, one, other = make(name), patient(name, 0, lacks), patient(name, 1, lacks)
    if lacks == "slides":
        changed = replace(one, centres=other.centres, bag=other.bag)
    else:
        absent = [torch.tensor([number == 1 or lacks == "genes" for number in numbers]) for numbers in TABLES]
        mixed = [torch.where(*three) for three in zip(absent, other.genomics, one.genomics, strict=True)]
        changed = replace(one, genomics=tuple(mixed))
    assert torch.equal(logits(model, one), logits(model, changed))
    complete = replace(one, present=None), replace(changed, present=None)
    assert not torch.equal(logits(model, complete[0]), logits(model, complete[1]))


@pytest.mark.parametrize("lacks", ["slides", "genes"])
@pytest.mark.parametrize("name", BOTH)
def test_what_a_patient_has_does_matter(name: str, lacks: str) -> None:
    model, one, other = make(name), patient(name, 0, lacks), patient(name, 1, lacks)
    assert not torch.allclose(logits(model, one), logits(model, other))


@pytest.mark.parametrize("lacks", PATTERNS)
@pytest.mark.parametrize("name", BOTH)
def test_a_step_is_finite_and_learns_the_stand_in(name: str, lacks: str) -> None:
    model, batch = make(name, dropout=0.2), patient(name, 0, lacks)
    assert batch.outcomes is not None
    model.begin(Outcomes(torch.arange(4)[None], torch.zeros(1, 4), 1 + torch.arange(4.0)[None]))
    output = model.train()(batch)
    (survival_nll(output.logits, batch.outcomes) + sum(output.aux.values())).sum().backward()
    moved = {key for key, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert all(torch.isfinite(w.grad).all() for w in model.parameters() if w.grad is not None)
    if name != "ccl":
        assert ("patch" in moved) == (lacks == "slides")
        assert ("genes.0" in moved) == (lacks != "slides")
        assert ("genes.1" in moved) == (lacks == "genes")


class Centres(SurvivalModel):
    """A network of centres that knows nothing of incomplete patients."""

    def forward(self, batch: Batch) -> Output:
        assert batch.centres is not None
        return Output(batch.centres.sum(dim=(2, 3))[..., None])


def test_missing_centres_have_a_stand_in_too() -> None:
    model = WithStandIns(Centres(), Shape((7, 5, 11), 4, 3, 10, tables=TABLES), Replicas((0,)))
    batch = replace(patient("ccl", 0, "slides"), bag=None)
    torch.testing.assert_close(model(batch).logits.flatten(), 3 * model.patch.sum()[None])
    assert torch.equal(model(replace(batch, present=None)).logits[..., 0], batch.centres.sum(dim=(2, 3)))
