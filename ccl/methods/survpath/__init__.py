"""SurvPath: joint attention of pathways and patches, without attention between patches (Jaume et al., CVPR 2024).

Pathways attend to all tokens; patches attend to pathways only.  Without attention between patches, a whole bag is
affordable.  As published, neither the attention nor the feed-forward part has a residual connection.

Choices: the gene families stand in for pathways, which need tables that a list of families cannot give.  In training, a
bag of more than `patches` patches is sampled again at each step; in evaluation it is read whole, as published.  A
smaller bag is not padded with zeros, to which the published network attends.  From the authors' grids of
hyper-parameters the native track takes the point at which their scripts train the compared methods, for 20 epochs.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.attention import QUERIED
from ccl.methods.declaration import Method, Recipe


@section
class Hyper:
    """Hyper-parameters of SurvPath."""

    width: int = key(256, "channels of a token; attention has half as many", ge=2, multiple_of=2)
    dropout: float = key(0.25, "rate of alpha dropout in the gene families' layers", ge=0, le=0.9)
    patches: int = key(4096, "patches of a bag that a training step sees, at most", ge=1)


METHOD = Method(
    name="survpath",
    reads=("bags", "genomics"),
    citation="Jaume et al., CVPR 2024",
    parameters=1_676_100,
    hyper=Hyper,
    native=Recipe(
        "radam", lr=5e-4, weight_decay=1e-4, epochs=20, sampling="weighted", schedule="cosine", nll_alpha=0.5
    ),
    attention=f"{QUERIED} A family divides its attention between patches and families; the shares shown are within each"
    " of these two. Patches in turn attend to families: the mean over patches.",
)
