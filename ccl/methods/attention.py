"""What attention means, in sentences that several methods share (:attr:`ccl.methods.declaration.Method.attention`)."""

AVERAGED = (
    "The weights by which the network averages the patches. They say which patches its summary is made of, not whether"
    " these raised or lowered the risk."
)

TWICE = "The first patches of a bag are repeated to fill the square grid of patches: they are read and counted twice."

CLASS_TOKEN = (
    "The attention of the class token, from which the slide is read, in the second of two layers: the mean over heads,"
    " computed through the layer's landmarks, with negative weights set to zero. The first layer has already mixed the"
    " patches, and a local filter adds the first of them beside the attention: a patch stands for more than itself."
    f" {TWICE}"
)

QUERIED = (
    "The attention of the gene families, as queries, to the patches: the mean over families, and each family by itself."
    " It says what a family receives, not whether this raised or lowered the risk."
)
