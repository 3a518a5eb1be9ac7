"""MOTCat: multimodal optimal transport in place of MCAT's co-attention (Xu and Chen, ICCV 2023).

A transport plan moves the patches of the bag to the gene families.  It is computed for all families together, has no
weights, and passes no gradient.  The bag is shuffled and split into micro-batches.  Each micro-batch makes a
prediction; risk and loss are the means over them, also in evaluation.

Choices: micro-batches have 256 patches as in the paper (the released commands in effect use one micro-batch), and
`epsilon` is that of three of the five released cohorts (the other two, BLCA and LUAD, have 0.05).  As released, the
entropy is that of the plan itself, not relative to the margins, and a family's sum is not divided by its mass.  The
gene families are encoded once for all micro-batches of a bag.  Evaluation uses a fixed shuffle.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.declaration import MCAT, Method
from ccl.nn import HEADS


@section
class Hyper:
    """Hyper-parameters of MOTCat."""

    width: int = key(256, "channels of a patch and of a gene family", ge=HEADS, multiple_of=HEADS)
    dropout: float = key(0.25, "rate of dropout", ge=0, le=0.9)
    micro_batch: int = key(256, "patches of a micro-batch, at most", ge=2)
    epsilon: float = key(0.1, "weight of the transport plan's entropy", ge=0.01)
    tau: float = key(0.5, "weight of the transport plan's margins", ge=1e-3)


METHOD = Method(
    name="motcat",
    reads=("bags", "genomics"),
    citation="Xu, Chen, ICCV 2023",
    parameters=4_228_870,
    hyper=Hyper,
    native=MCAT,
    attention="Shares of the transport plan: a patch's share of all mass that is moved and of the mass that each family"
    " receives, and a family's share of all mass. There is one plan for all families, computed for each patient,"
    " without weights. Genes change the plan too. Attributions do not include this, because the plan passes no"
    " gradient.",
    unattributed="the transport plan",
)
