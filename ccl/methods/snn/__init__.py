"""SNN: a self-normalising network on all omics columns at once (Klambauer et al., NeurIPS 2017).

Four layers, as in the survival form of Chen et al. (ICCV 2021), with the activation (SELU) and the initialisation
(PyTorch's) of CCL's own genomic layers.  MCAT's class uses ELU and normal weights of variance 1 / fan-in instead; with
these, SGD at 1e-3 without momentum gives a C-index on TCGA-BLCA that is five points lower after 30 epochs.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.declaration import MCAT, Method


@section
class Hyper:
    """Hyper-parameters of SNN."""

    width: int = key(256, "channels of each layer", ge=1)
    dropout: float = key(0.25, "rate of alpha dropout after each layer", ge=0, le=0.9)


METHOD = Method(
    name="snn",
    reads=("genomics",),
    citation="Klambauer et al., NeurIPS 2017; for survival Chen et al., ICCV 2021",
    parameters=1_067_012,
    hyper=Hyper,
    native=MCAT,
)
