"""M3IF: multimodal multi-instance fusion (Li, Yang et al., MICCAI 2021).

The genes and the mean patch recalibrate each other's channels, and the gates of the mean patch recalibrate each patch.
Then each patch is scored together with the mean, and patches are averaged by their scores.  No gradient of the scores
reaches the mean.

The published network uses wider patches and several encodings of them, and reads its table by TabNet, whose own losses
it adds.  Here patches have one layer, the genes have the two layers of MCAT and similar methods, and the likelihood is
the only loss.  The only configuration that the authors released, for testing, gives each part its own learning rate;
the native track uses that of the classifier and the fusion for all parts.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.attention import AVERAGED
from ccl.methods.declaration import Method, Recipe


@section
class Hyper:
    """Hyper-parameters of M3IF."""

    width: int = key(256, "channels of a patch and of the genes", ge=1)
    dropout: float = key(0.25, "rate of alpha dropout in the genes' layers", ge=0, le=0.9)


METHOD = Method(
    name="m3if",
    reads=("bags", "genomics"),
    citation="Li, Yang et al., MICCAI 2021",
    parameters=2_250_757,
    hyper=Hyper,
    native=Recipe("adam", lr=2e-4, weight_decay=1e-3, epochs=240),
    attention=f"{AVERAGED} The network also reads the plain mean of all patches.",
)
