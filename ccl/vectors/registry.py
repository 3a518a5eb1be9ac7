"""Known encoders of whole slides: data, no code.  ccl does not compute their vectors.

Widths and inputs are those of the public sources of TRIDENT 0.3.0; docs/vectors.md says where each licence was read.
"""

from __future__ import annotations

from typing import NamedTuple

from ccl.wsi.encoders import ENCODERS

NON_COMMERCIAL = "CC-BY-NC-ND-4.0"


class SlideEncoder(NamedTuple):
    """An encoder that makes one vector of the patches of a slide."""

    name: str
    """Its name in TRIDENT."""
    dim: int
    """Width D of its vectors."""
    patches: str
    """The encoder of its patches."""
    patch_px: int
    """Side of its patches at `mpp`."""
    mpp: float
    """Scale of its patches (um/px)."""
    licence: str
    """Licence of its weights, which may bind what is made with them."""
    citation: str


ENTRIES = (
    SlideEncoder("titan", 768, "conch-v1.5", 512, 0.5, NON_COMMERCIAL, "Ding et al., Nat. Med. 2025"),
    SlideEncoder("prism", 1280, "virchow", 224, 0.5, NON_COMMERCIAL, "Shaikovski et al., arXiv:2405.10254"),
    SlideEncoder("gigapath", 768, "prov-gigapath", 256, 0.5, "Apache-2.0", "Xu et al., Nature 2024"),
    SlideEncoder("chief", 768, "ctranspath", 256, 1.0, "AGPL-3.0", "Wang et al., Nature 2024"),
    SlideEncoder("madeleine", 512, "conch", 256, 1.0, f"{NON_COMMERCIAL} (TRIDENT: MIT)", "Jaume et al., ECCV 2024"),
    SlideEncoder("feather", 512, "conch-v1.5", 512, 0.5, NON_COMMERCIAL, "Shao et al., ICML 2025"),
)

SLIDE_ENCODERS = {encoder.name: encoder for encoder in ENTRIES}

MEAN = "mean-"
"""Beginning of the name of an encoder whose patches were averaged, as in TRIDENT."""


def licence_of(name: str) -> str:
    """Return the licence of an encoder of slides or patches, or of the mean of patches; empty if it is not known.

    The licence of a slide encoder names that of its patches too, if it is another.
    """
    if name in SLIDE_ENCODERS:
        own, below = SLIDE_ENCODERS[name], ENCODERS[SLIDE_ENCODERS[name].patches]
        same = own.licence.startswith(below.licence)
        return own.licence if same else f"{own.licence}; {below.name}: {below.licence}"
    patches = name.removeprefix(MEAN)
    return ENCODERS[patches].licence if patches in ENCODERS else ""
