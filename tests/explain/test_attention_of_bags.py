"""What the methods that read bags attend to: shares of patches and families, from their weights by other ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from nystrom_attention import NystromAttention
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ccl.data.batch import Batch
from ccl.explain import EXPLAINED
from ccl.io.errors import ModelError
from ccl.methods import get_method
from ccl.methods.interface import Attention, risk
from ccl.nn.nystrom import NystromLayer
from tests.explain.networks import FAMILIES, bag, network

OF_BAGS = [method for method in EXPLAINED if method != "ccl"]

BY_PLACE = ("dtfd-mil", "transmil", "dualtrans", "cmta")
"""Methods to which the place of a patch in the bag matters."""

ASKING = {"mcat", "motcat", "survpath", "cmta"}
"""Methods whose families ask for patches."""


@pytest.mark.parametrize("method", OF_BAGS)
@pytest.mark.parametrize("patches", [1, 2, 50])
@torch.no_grad()
def test_attention_over_patches_and_families_sums_to_one(method: str, patches: int) -> None:
    attention = network(method).attends_to(bag(patches))
    assert attention.patches
    for shares in attention.patches.values():
        assert shares.shape == (2, patches)
    for shares in attention.families.values():
        assert shares.shape == (2, 1, len(FAMILIES))
    assert (attention.by_family is not None) == (method in ASKING)
    if attention.by_family is not None:
        assert attention.by_family.shape == (2, len(FAMILIES), patches)
    for shares in parts(attention):
        assert (shares >= 0).all()
        torch.testing.assert_close(shares.sum(dim=-1), torch.ones(shares.shape[:-1]))


def parts(attention: Attention) -> list[Tensor]:
    """All shares there are, in 32 bits."""
    found = [*attention.patches.values(), *attention.families.values()]
    return [shares.float() for shares in (found if attention.by_family is None else [*found, attention.by_family])]


@pytest.mark.parametrize("method", [method for method in OF_BAGS if method not in BY_PLACE])
@torch.no_grad()
def test_attention_follows_the_patches(method: str) -> None:
    model, patient = network(method), bag()
    order = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    before, after = (parts(model.attends_to(each)) for each in (patient, reordered(patient, order)))
    for shares, moved in zip(before, after, strict=True):
        torch.testing.assert_close(moved, shares[..., order] if shares.shape[-1] == 50 else shares)


def reordered(patient: Batch, order: Tensor) -> Batch:
    assert patient.bag is not None
    return Batch(patient.genomics, None, None, patient.bag[:, order])


@torch.no_grad()
def test_attention_of_dtfd_follows_patches_within_their_pseudo_bags() -> None:
    """A patch that changes places with one of another pseudo-bag is weighed in other company."""
    model, patient = network("dtfd-mil"), bag()
    dealt = torch.from_numpy(np.random.default_rng(0).permutation(50)) % 4
    order = torch.arange(50)
    own = torch.nonzero(dealt == 1)[:, 0]
    order[own] = own.flip(0)
    shares = model.attends_to(patient).patches["attention"]
    torch.testing.assert_close(model.attends_to(reordered(patient, order)).patches["attention"], shares[:, order])
    order = torch.arange(50).roll(1)
    assert not torch.allclose(model.attends_to(reordered(patient, order)).patches["attention"], shares[:, order])


@pytest.mark.parametrize("method", ["transmil", "dualtrans"])
@torch.no_grad()
def test_the_class_token_follows_patches_of_one_landmark_where_no_layer_knows_of_places(method: str) -> None:
    """Landmarks are runs of the bag, so that even without convolutions not every order is the same."""
    model, patient = network(method), bag(49)
    transformer = model.transformer
    for weight in (*transformer.positions.parameters(), *(layer.local for layer in transformer.layers)):
        weight.zero_()
    # 8 landmarks: one of six zeros and the class token, then of 7 patches each.
    order = torch.arange(49)
    order[7:14] = order[7:14].flip(0)
    shares = model.attends_to(patient).patches["class token"]
    torch.testing.assert_close(model.attends_to(reordered(patient, order)).patches["class token"], shares[:, order])


class Largest(TorchFunctionMode):
    """Notes the count of numbers in the largest tensor that any function gives."""

    count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.count = max(self.count, out.numel())
        return out


@pytest.mark.parametrize("method", OF_BAGS)
@torch.no_grad()
def test_attention_lays_out_no_more_than_the_prediction_does(method: str) -> None:
    model, patient = network(method), bag(2000)
    with Largest() as predicting:
        model(patient)
    with Largest() as attending:
        model.attends_to(patient)
    assert attending.count <= predicting.count


@torch.no_grad()
def test_attention_of_attmil_is_what_its_prediction_was_made_with() -> None:
    model, patient = network("attmil"), bag()
    weights = model.attends_to(patient).patches["attention"]
    mean = weights[:, None] @ model.patch(patient.bag.expand(2, -1, -1))
    torch.testing.assert_close(model.head(model.pooled(mean)), model(patient).logits)


@torch.no_grad()
def test_attention_of_dtfd_is_what_its_prediction_was_made_with() -> None:
    model, patient = network("dtfd-mil"), bag()
    weights = model.attends_to(patient).patches["attention"]
    mean = weights[:, None] @ torch.relu(model.patch(patient.bag.expand(2, -1, -1)))
    torch.testing.assert_close(model.second_head(mean), model(patient).logits)


@torch.no_grad()
def test_attention_of_dtfd_is_a_product_of_both_tiers() -> None:
    model, patient = network("dtfd-mil"), bag()
    patches = torch.relu(model.patch(patient.bag.expand(2, -1, -1)))
    dealt = torch.from_numpy(np.random.default_rng(0).permutation(50)) % 4
    scores, tier = model.attention(patches)[..., 0], []
    for number in range(4):
        own = torch.softmax(scores[:, dealt == number], dim=1)
        vector = (own[..., None] * patches[:, dealt == number]).sum(dim=1)
        tier.append((own, model.second_attention(vector[:, None])[:, 0, 0]))
    second = torch.softmax(torch.stack([score for _, score in tier], dim=1), dim=1)
    weights = model.attends_to(patient).patches["attention"]
    for number, (own, _) in enumerate(tier):
        torch.testing.assert_close(weights[:, dealt == number], own * second[:, number, None])


@torch.no_grad()
def test_attention_of_m3if_is_what_its_prediction_was_made_with() -> None:
    model, patient = network("m3if"), bag()
    genes, mean, patches = model._recalibrated(patient)
    attended = model.attends_to(patient).patches["attention"][:, None] @ patches
    joint = model.joint(torch.cat([model.after_genes(genes), attended, mean], dim=-1))
    torch.testing.assert_close(model.head(joint), model(patient).logits)


def test_the_maximum_of_maxmil_is_where_the_gradient_of_its_channels_goes() -> None:
    model, patient = network("maxmil"), bag()
    patches = model.patch(patient.bag.expand(2, -1, -1)).detach().requires_grad_()
    patches.amax(dim=1).sum().backward()
    shares = model.attends_to(patient).patches["maximum"]
    torch.testing.assert_close(shares, patches.grad.mean(dim=-1))
    assert shares.max() > 2 / 50


@torch.no_grad()
def test_the_one_patch_of_maxmil_makes_the_prediction_alone() -> None:
    model, patient = network("maxmil", level="instance"), bag()
    chosen = model.attends_to(patient).patches["maximum"].argmax(dim=-1)
    for replica, place in enumerate(chosen):
        alone = model(reordered(patient, place[None])).logits[replica]
        torch.testing.assert_close(alone, model(patient).logits[replica])


@torch.no_grad()
def test_attention_of_motcat_is_the_plan_of_all_micro_batches() -> None:
    """Sinkhorn's steps written out for one micro-batch after the other."""
    model, patient = network("motcat", micro_batch=16).double(), in_64_bits(bag())
    attention = model.attends_to(patient)
    families, patches = model.network.encode(patient, patient.bag.expand(2, -1, -1))
    order = np.random.default_rng(0).permutation(50)
    for replica in range(2):
        masses = torch.zeros(3, 50, dtype=torch.float64)
        for chosen in np.array_split(order, 4):
            a, b = (x - x.min(dim=-1, keepdim=True).values for x in (patches[replica, chosen], families[replica]))
            cost = (a[:, None] - b).square().sum(dim=-1)
            kernel = torch.exp(-cost / cost.max() / 0.1)
            u, v = torch.ones(len(chosen), dtype=torch.float64), torch.ones(3, dtype=torch.float64)
            for _ in range(500):
                u = (1 / len(chosen) / (kernel @ v)) ** (0.5 / 0.6)
                v = (1 / 3 / (kernel.T @ u)) ** (0.5 / 0.6)
            masses[:, chosen] = (u[:, None] * kernel * v).T
        expected = masses / masses.sum()
        close = {"rtol": 1e-3, "atol": 1e-6}  # the model stops where steps have become small
        torch.testing.assert_close(attention.patches["transport"][replica], expected.sum(dim=0), **close)
        torch.testing.assert_close(attention.families["transport"][replica, 0], expected.sum(dim=1), **close)
        by_family = masses / masses.sum(dim=1, keepdim=True)
        torch.testing.assert_close(attention.by_family[replica], by_family, **close)


def test_a_family_of_motcat_takes_the_patches_that_look_like_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three kinds of patches around the vectors of three families, each in a third of the bag."""
    model, patient = network("motcat"), bag(48)
    draw = torch.Generator().manual_seed(4)
    families = 3 * torch.randn(2, 3, 16, generator=draw)
    patches = families.repeat_interleave(16, dim=1) + 0.3 * torch.randn(2, 48, 16, generator=draw)
    monkeypatch.setattr(model, "_order", lambda count: torch.arange(count).expand(2, -1))
    monkeypatch.setattr(model.network, "encode", lambda batch, bag: (families, patches))
    by_family = model.attends_to(patient).by_family
    assert by_family is not None
    assert (by_family.view(2, 3, 3, 16).sum(dim=-1).diagonal(dim1=1, dim2=2) > 0.8).all()


def in_64_bits(patient: Batch) -> Batch:
    assert patient.bag is not None
    return Batch(tuple(values.double() for values in patient.genomics), None, None, patient.bag.double())


@torch.no_grad()
def test_attention_of_survpath_is_the_parts_of_one_masked_matrix() -> None:
    """The published attention: all tokens by all, but for patches by patches."""
    model, patient = network("survpath"), bag()
    layer, attention = model.pathway_attention, model.attends_to(patient)
    tokens = [model.families(patient.genomics)[:, 0], model.patch(patient.bag.expand(2, -1, -1))]
    q, k, _ = (layer.norm(torch.cat(tokens, dim=1)) @ layer.to_qkv.weight.mT).chunk(3, dim=-1)
    scores = torch.einsum("sid,sjd->sij", q, k) / 8**0.5
    scores[:, 3:, 3:] = -torch.inf
    whole = scores.exp() / scores.exp().sum(dim=-1, keepdim=True)
    asked, among = whole[:, :3, 3:], whole[:, :3, :3]
    torch.testing.assert_close(attention.by_family, asked / asked.sum(dim=-1, keepdim=True))
    torch.testing.assert_close(attention.patches["cross-attention"], asked.sum(dim=1) / asked.sum(dim=(1, 2))[:, None])
    torch.testing.assert_close(
        attention.families["of families"][:, 0], among.sum(dim=1) / among.sum(dim=(1, 2))[:, None]
    )
    torch.testing.assert_close(attention.families["of patches"][:, 0], whole[:, 3:, :3].mean(dim=1))


@torch.no_grad()
def test_attention_of_cmta_adds_up_the_places_of_a_patch_in_the_square() -> None:
    model, patient = network("cmta"), bag()
    attention = model.attends_to(patient)
    _, square, _, genes = model._encode(patient)
    assert square.shape[1] == 64

    def dense(layer: Any, queries: Tensor, keys: Tensor) -> Tensor:
        q, k = layer.to_q(queries), layer.to_kv(keys)[..., :16]
        scores = torch.einsum("sid,sjd->sij", q, k) / 4
        return scores.exp() / scores.exp().sum(dim=-1, keepdim=True)

    asked = dense(model.genes_to_patches, genes, square)
    asked = torch.stack([asked[..., [n, n + 50] if n < 14 else [n]].sum(dim=-1) for n in range(50)], dim=-1)
    torch.testing.assert_close(attention.by_family, asked)
    torch.testing.assert_close(attention.patches["cross-attention"], asked.mean(dim=1))
    of_patches = dense(model.patches_to_genes, square, genes).mean(dim=1)
    torch.testing.assert_close(attention.families["of patches"][:, 0], of_patches)


@torch.no_grad()
def test_families_of_mcat_ask_as_its_co_attention_does() -> None:
    model, patient = network("mcat"), bag()
    attention = model.attends_to(patient)
    families, patches = model.network.encode(patient, patient.bag.expand(2, -1, -1))
    _, values = model.coattention.to_kv(patches).chunk(2, dim=-1)
    told = model.coattention.to_out(attention.by_family @ values)
    torch.testing.assert_close(told, model.coattention(families, patches))
    torch.testing.assert_close(attention.patches["co-attention"], attention.by_family.mean(dim=1))


@pytest.mark.parametrize("method", ["transmil", "dualtrans"])
@pytest.mark.parametrize("patches", [3, 49, 50])
@torch.no_grad()
def test_the_class_token_attends_as_in_the_matrix_of_the_published_layer(method: str, patches: int) -> None:
    """The library lays out the whole matrix of tokens by tokens; the class token is the first behind the zeros."""
    model, patient = network(method, width=32).double(), in_64_bits(bag(patches))
    transformer = model.transformer
    of_bag = torch.relu(model.patch(patient.bag.expand(2, -1, -1)))
    side = next(side for side in range(9) if side * side >= patches)
    square = torch.cat([of_bag, of_bag], dim=1)[:, : side * side]
    tokens = torch.cat([transformer.class_token, square], dim=1)
    tokens = transformer.between(transformer.layers[0](tokens, tokens.shape[1]))
    shares = model.attends_to(patient).patches["class token"]
    for replica in range(2):
        theirs = NystromAttention(32, 4, 8, num_landmarks=16).double()
        theirs.to_qkv.weight.copy_(transformer.layers[1].to_qkv.weight[replica])
        _, matrix = theirs(transformer.layers[1].norm(tokens)[replica, None], return_attn=True)
        row = matrix[0, :, -tokens.shape[1], -side * side :].mean(dim=0)
        whole = row[:patches].clone()
        whole[: side * side - patches] += row[patches:]
        kept = whole.clamp(min=0)
        torch.testing.assert_close(shares[replica], kept / kept.sum())


@torch.no_grad()
def test_a_class_token_that_attends_to_nothing_attends_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NystromLayer, "weights", lambda self, tokens: -torch.ones(2, 8, tokens.shape[1]))
    shares = network("transmil").attends_to(bag()).patches["class token"]
    torch.testing.assert_close(shares, torch.full((2, 50), 1 / 50))


@pytest.mark.parametrize("method", [name for name in OF_BAGS if "genomics" in get_method(name).reads])
def test_gradients_of_genes_are_whole_but_for_what_a_transport_plan_does(method: str) -> None:
    """Against a small step of all genes: else attributions would not add up to the difference of two risks."""
    model, patient = network(method).double(), in_64_bits(bag(20))
    for values in patient.genomics:
        values.requires_grad_()
    slopes = torch.autograd.grad(risk(model.through(patient)["whole"]).sum(), patient.genomics)
    step = 1e-6
    sides = [
        risk(model(replace(patient, genomics=tuple(v.detach() + sign * step for v in patient.genomics))).logits)
        for sign in (1, -1)
    ]
    expected = (sides[0] - sides[1]).sum().item() / (2 * step)
    whole = torch.cat(slopes, dim=-1).sum().item() == pytest.approx(expected, rel=1e-3)
    assert whole == (method != "motcat")


def test_a_method_without_attention_says_so() -> None:
    with pytest.raises(ModelError, match="no attention to show"):
        network("meanmil").attends_to(bag())
