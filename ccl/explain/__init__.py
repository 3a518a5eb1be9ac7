"""Stage ``explain``: explanations of the predictions for single patients (Figure 9 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ccl.config.settings import setting

VERSION = 3
"""Bumped when the stage's output changes for the same input."""

AVERAGED = (
    "The weights by which the network averages the patches. They show which patches its summary is made of, not whether"
    " these raised or lowered the risk."
)

TWICE = (
    "The first patches of a bag are repeated to fill the square in which all are arranged; their shares are added up."
)

CLASS_TOKEN = (
    "The attention of the class token, which represents the slide, in the last of two layers: the mean over heads,"
    " computed through the layer's landmarks, with negative weights set to zero. Before that, the first layer and its"
    " local filter have mixed the patches, so a patch also represents others."
    f" {TWICE}"
)

ASKED = (
    "How gene families, as queries, distribute their attention over patches: all families together, and each family"
    " alone. It shows which patches a family reads, not whether they raised or lowered the risk."
)

EXPLAINED: Mapping[str, str] = {
    "maxmil": "The share of channels whose largest value over all patches comes from a patch: the part of it that the"
    " network reads. There are no weights. With the option level: instance all attention is on the one patch that is"
    " judged.",
    "attmil": AVERAGED,
    "clam-sb": AVERAGED,
    "clam-mb": AVERAGED,
    "transmil": CLASS_TOKEN,
    "dtfd-mil": f"{AVERAGED} A weight is that of the patch in its pseudo-bag times that of the pseudo-bag; patches are"
    " assigned to pseudo-bags in a fixed random order.",
    "dualtrans": CLASS_TOKEN,
    "mcat": ASKED,
    "m3if": f"{AVERAGED} The network also reads the unweighted mean of all patches.",
    "gpdbn": AVERAGED,
    "porpoise": AVERAGED,
    "hfbsurv": AVERAGED,
    "survpath": f"{ASKED} A family attends to patches and to families; each of these two parts adds up to 100 %."
    " Patches attend to families too, shown as the mean over patches.",
    "motcat": "Shares of the transport plan: of each patch in the mass of all families and of each family, and of each"
    " family in the whole mass. There is one plan for all families, computed for each patient, without weights."
    " It depends on genes too; attributions do not include this, because no gradient passes through the plan.",
    "cmta": f"{ASKED} Patches attend to families too, shown as the mean over patches. Encoders have mixed the patches"
    f" before that, so a patch also represents others. {TWICE}",
    "ccl": "CCL has no softmax over clusters or families. If its gates, normalisations and cuts at zero are held"
    " fixed at their values for this patient, each component is a sum of one vector for each cluster and one for each"
    " family. Attention is the share of a vector's length. It shows how much of a component comes from the cluster or"
    " the family, not whether this raised or lowered the risk.",
}
"""Methods with attention, each with a description of its attention for the page.

They are listed here because Snakemake needs them and does not load torch.
"""


@dataclass(frozen=True)
class ExplainSettings:
    """Which patients are explained."""

    patients: tuple[str, ...] = setting("patients to explain; if empty, as many as count says")
    count: int = setting("patients to explain where none are named, of the highest and the lowest risk in equal parts")
