"""CMTA: translation, alignment and first weights, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from ccl.data.batch import Shape
from ccl.methods import hyper, load
from ccl.nn.replicas import InputLinear, Linear, Replicas


def patient(patients, patches=30):
    # 30 patches are a square of 36.
    return replace(patients(1, replicas=2, outcomes=True), bag=torch.randn(2, patches, 10))


def look(layer, number, queries, seen):
    """PyTorch's own attention with the weights of one replica."""
    theirs = torch.nn.MultiheadAttention(16, 1, batch_first=True)
    own = {name: value[number] for name, value in layer.state_dict().items()}
    theirs.in_proj_weight.data = torch.cat([own["to_q.weight"], own["to_kv.weight"]])
    theirs.in_proj_bias.data = torch.cat([own["to_q.bias"], own["to_kv.bias"]], dim=1)[0]
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = own["to_out.weight"], own["to_out.bias"][0]
    return theirs(queries, seen, seen)[0]


def streams(model, batch):
    """Class tokens of slide and genes, (S, d) each: encoder's and decoder's."""
    slide = model.patch_encoder(model.patch(batch.bag), class_only=False)
    genes = model.gene_encoder(model.families(batch.genomics)[:, 0], class_only=False)
    assert slide.shape == (2, 1 + 36, 16)
    assert genes.shape == (2, 1 + 3, 16)
    to_genes = [look(model.patches_to_genes, number, slide[number, 1:], genes[number, 1:]) for number in range(2)]
    to_slide = [look(model.genes_to_patches, number, genes[number, 1:], slide[number, 1:]) for number in range(2)]
    decoded = model.patch_decoder(torch.stack(to_genes)), model.gene_decoder(torch.stack(to_slide))
    return slide[:, 0], decoded[0][:, 0], genes[:, 0], decoded[1][:, 0]


def still(model):
    """In training, but without chance."""
    for layer in model.modules():
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    return model.train()


def test_a_modality_is_the_mean_of_its_encoder_and_its_decoder(build, patients):
    model, batch = build("cmta", seeds=(0, 1)).eval(), patient(patients)
    slide, told_slide, genes, told_genes = streams(model, batch)
    vector = torch.cat([(slide + told_slide) / 2, (genes + told_genes) / 2], dim=1)[:, None]
    for layer in model.fusion.layers:
        vector = torch.relu(vector @ layer.linear.weight.mT + layer.linear.bias)
    expected = vector @ model.head.weight.mT + model.head.bias
    torch.testing.assert_close(model(batch).logits, expected)


def test_alignment_is_the_mean_absolute_difference(build, patients):
    model, batch = still(build("cmta", seeds=(0, 1), alignment_weight=100.0)), patient(patients)
    slide, told_slide, genes, told_genes = streams(model, batch)
    for number, loss in enumerate(model(batch).aux["alignment"]):
        expected = F.l1_loss(told_slide[number], slide[number]) + F.l1_loss(told_genes[number], genes[number])
        torch.testing.assert_close(loss, 100 * expected)


def test_alignment_moves_the_decoder_and_not_towards_it_the_encoder(build, patients):
    """The encoder's class tokens are constants; what the encoder tells the decoder is not."""
    model, batch = still(build("cmta", seeds=(0, 1))), patient(patients)
    model(batch).aux["alignment"].sum().backward()
    assert model.patch_decoder.class_token.grad.abs().sum() > 0
    _, told_slide, _, told_genes = streams(model, batch)
    with torch.no_grad():
        slide, _, genes, _ = streams(model, batch)
    distance = (told_slide - slide).abs().mean(dim=1) + (told_genes - genes).abs().mean(dim=1)
    weight = model.patch_encoder.norm.bias
    (expected,) = torch.autograd.grad(distance.sum(), weight)
    torch.testing.assert_close(weight.grad, expected)


def test_alignment_is_of_training(build, patients):
    assert not build("cmta", seeds=(0, 1)).eval()(patient(patients)).aux


def test_first_weights_are_xavier_normal_and_biases_zero():
    model = load("cmta").Model(Shape((50, 334), 4, 0, 100), hyper("cmta", {}), Replicas((0,)))
    layers = [layer for layer in model.modules() if isinstance(layer, (Linear, InputLinear))]
    for layer in layers:
        assert layer.bias is None or not layer.bias.any()
        for weight in getattr(layer, "weights", None) or [layer.weight]:
            assert weight.std().item() == pytest.approx((2 / sum(weight.shape[-2:])) ** 0.5, rel=0.1)
