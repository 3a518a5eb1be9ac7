"""Explanations of attention that several methods share (:attr:`ccl.methods.declaration.Method.attention`)."""

AVERAGED = (
    "The weights of the patches in the network's average. They show which patches the summary of the slides is made of,"
    " not whether these raised or lowered the risk."
)

TWICE = "The first patches of a bag are repeated to fill the square grid of patches, so they are counted twice."

CLASS_TOKEN = (
    "The attention of the class token, which summarises the slide, in the second of two layers: the mean over heads,"
    " computed through the layer's landmarks, with negative weights set to zero. The first layer has already mixed the"
    " patches, so a patch also represents others. A local filter adds the first patches without attention."
    f" {TWICE}"
)

QUERIED = (
    "The attention of the gene families, as queries, to the patches: the mean over families, and each family by itself."
    " It shows which patches a family reads, not whether they raised or lowered the risk."
)
