"""Stage ``explain``: what the prediction for single patients rests on (Figure 9 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping

VERSION = 3
"""Bumped when the stage's output changes for the same input."""

AVERAGED = (
    "The weights by which the network averages the patches. They say which patches its summary is made of, not whether"
    " these raised or lowered the risk."
)

TWICE = (
    "The first patches of a bag fill up the square that all are laid out in: they are read twice, and count for both."
)

CLASS_TOKEN = (
    "What the class token, from which the slide is read, attends to in the last of two layers: the mean over heads,"
    " computed through the layer's landmarks, with weights below zero cut off. The first layer has mixed the patches by"
    " then, and a local filter mixes in the first of them beside the attention: a patch stands for more than itself."
    f" {TWICE}"
)

ASKED = (
    "How families, as queries, share their attention out to patches: all families together, and each family by"
    " itself. It says what a family is told of, not whether this raised or lowered the risk."
)

EXPLAINED: Mapping[str, str] = {
    "maxmil": "The share of channels whose largest value over all patches is a patch's: what the network reads of it."
    " There are no weights. With the option level: instance it is all for the one patch that is judged.",
    "attmil": AVERAGED,
    "clam-sb": AVERAGED,
    "clam-mb": AVERAGED,
    "transmil": CLASS_TOKEN,
    "dtfd-mil": f"{AVERAGED} A weight is the patch's in its pseudo-bag times the pseudo-bag's own; pseudo-bags are"
    " dealt in a fixed random order.",
    "dualtrans": CLASS_TOKEN,
    "mcat": ASKED,
    "m3if": f"{AVERAGED} The plain mean of all patches is read beside this one.",
    "gpdbn": AVERAGED,
    "porpoise": AVERAGED,
    "hfbsurv": AVERAGED,
    "survpath": f"{ASKED} Each family's attention is shared by patches and families; shares are of one of these parts."
    " Patches in turn attend to families: the mean over patches.",
    "motcat": "Shares of the transport plan: of each patch in all the mass that is moved, and in what each family gets;"
    " of each family in all. The plan is one for all families, found anew for each patient, and has no weights."
    " Genes move it too, which attributions leave out: no gradient comes through it.",
    "cmta": f"{ASKED} Patches in turn attend to families: the mean over patches. Encoders have mixed the patches by"
    f" then: a patch stands for more than itself. {TWICE}",
    "ccl": "CCL has no softmax over clusters or families. With its gates, normalisations and cuts held as they are for"
    " this patient, each component is a sum of one vector for each cluster and one for each family. Attention is the"
    " share of a vector's length. It says how much of the component's content is the cluster's or the family's, not"
    " whether it raised or lowered the risk.",
}
"""Methods that say what they attend to, and in words what it is, for the page.

It stands here because Snakemake, which must know, does not load torch.
"""
