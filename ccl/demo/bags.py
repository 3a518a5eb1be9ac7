"""Patch features with planted risk, for cohorts of hundreds of patients without slides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.demo import VERSION
from ccl.io.files import digest, write_table
from ccl.io.formats import Features, new_h5
from ccl.io.progress import progress

DIMENSION = 128
PATCHES = (60, 200)
PATCH_PX = 256

PHENOTYPES = ("collagen", "tumour", "lymphocytes", "myxoid", "necrosis", "fat")
"""Phenotypes of patches; the last two carry no risk."""

PREVALENCE = (0.0, 0.0, -0.7, -0.3, -1.2, -1.2)
"""Log-odds of the phenotypes if all latents are zero."""

CARRIED = {"shared": "tumour", "pathology": "lymphocytes", "synergy_slide": "myxoid"}
"""The phenotype whose share and look each latent drives."""

SHARE_EFFECT = 0.7
"""Change of a phenotype's log-odds per unit of its latent."""

LOOK_EFFECT = 0.35
"""Shift of the phenotype, along its own random direction, per unit of the latent; patches scatter by 1."""

PATIENT_SCATTER = 0.3
"""Standard deviation of the shift that all patches of a patient share without any risk, such as stain."""


def make_bags(
    out: Path, slides: Sequence[str], *, latents: pd.DataFrame, seed: Sequence[int], patients: Sequence[int] = ()
) -> None:
    """Write ``features/{slide}.h5`` for each row of `latents`, and the phenotype of each patch.

    The features are float32, (60 to 200, 128), of the encoder ``planted``; ``truth/patches.csv`` lists the phenotypes.
    The looks of the phenotypes are drawn from `seed`, the patches from `seed` and the words of `patients`.
    """
    rng = np.random.default_rng(seed)
    prototypes = rng.normal(0, 1.2, (len(PHENOTYPES), DIMENSION))
    directions = rng.standard_normal((len(PHENOTYPES), DIMENSION))
    truth = []
    for number, slide_id in enumerate(progress(slides, "demo", unit="slide")):
        own = np.random.default_rng([*seed, *patients, number])
        effect = np.zeros(len(PHENOTYPES))
        for latent, phenotype in CARRIED.items():
            effect[PHENOTYPES.index(phenotype)] = latents[latent].iloc[number]
        share = np.exp(np.array(PREVALENCE) + SHARE_EFFECT * effect)
        count = int(own.integers(PATCHES[0], PATCHES[1] + 1))
        shown = own.choice(len(PHENOTYPES), count, p=share / share.sum())
        looks = prototypes + LOOK_EFFECT * effect[:, None] * directions + own.normal(0, PATIENT_SCATTER, DIMENSION)
        features = (looks[shown] + own.standard_normal((count, DIMENSION))).astype(np.float32)
        path = out / "features" / f"{slide_id}.h5"
        coords, attributes = _grid(count, path)
        with new_h5(path) as file:
            Features(features, coords, "planted", "synthetic", attributes).fill(
                file, digest("demo", VERSION, *seed, *patients, number), path
            )
        names = [PHENOTYPES[i] for i in shown]
        truth.append(pd.DataFrame({"slide_id": slide_id, "patch": range(count), "phenotype": names}))
    write_table(out / "truth" / "patches.csv", pd.concat(truth))


def _grid(count: int, path: Path) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Lay the patches out on a square, with the attributes that the tile stage would give them."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    places = np.arange(count)
    coords = np.stack([places % columns, places // columns], axis=1) * PATCH_PX
    attributes = {
        "patch_size": PATCH_PX,
        "patch_size_level0": float(PATCH_PX),
        "level0_magnification": 20.0,
        "target_magnification": 20.0,
        "overlap": 0,
        "name": path.stem,
        "savetodir": str(path.parent),
        "level0_width": columns * PATCH_PX,
        "level0_height": rows * PATCH_PX,
        "level0_mpp": 0.5,
        "target_mpp": 0.5,
    }
    return coords.astype(np.int64), attributes
