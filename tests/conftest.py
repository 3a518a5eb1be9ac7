"""What the tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from numpy.typing import NDArray
from PIL import Image

from ccl.formats import Slide

ROOT = Path(__file__).parents[1]

# A busy machine is no defect: no test is timed, and the same examples are drawn everywhere.
hypothesis_settings.register_profile(
    "ccl", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("ccl")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real TCGA tables and slides; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("CCL_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set CCL_TEST_DATA)")
    return folder


# ---- slides (shared by slides, tissue, tile) -------------------------------------------------------------------


@pytest.fixture
def write_slide(tmp_path: Path) -> Callable[..., Slide]:
    """Return a function that writes an image as a tiled, pyramidal TIFF slide and returns the row of its sheet."""

    def write(
        image: NDArray[np.uint8],
        *,
        name: str = "slide",
        file_mpp: float | tuple[float, float] | None = None,
        sheet_mpp: float | None = None,
        downsamples: Sequence[int] = (),
        levels: Sequence[NDArray[np.uint8]] = (),
        compression: str = "jpeg",
        description: str | None = None,
    ) -> Slide:
        """Write `image` (H, W, 3) at `file_mpp` um/px with coarser levels: averaged by `downsamples`, or as given."""
        path = tmp_path / f"{name}.tif"
        options: dict[str, Any] = {
            "tile": (256, 256),
            "photometric": "rgb",
            "compression": compression,
            "description": description,
            "metadata": None,
        }
        coarser = [*levels, *(np.asarray(Image.fromarray(image).reduce(factor)) for factor in downsamples)]
        with tifffile.TiffWriter(path) as tiff:
            for index, level in enumerate([image, *coarser]):
                scale = {}
                if file_mpp is not None:
                    x_mpp, y_mpp = file_mpp if isinstance(file_mpp, tuple) else (file_mpp, file_mpp)
                    factor = image.shape[1] / level.shape[1]
                    resolution = (1e4 / (x_mpp * factor), 1e4 / (y_mpp * factor))
                    scale = {"resolution": resolution, "resolutionunit": "CENTIMETER"}
                tiff.write(level, subfiletype=int(index > 0), **options, **scale)
        return Slide(name, f"patient of {name}", path, sheet_mpp)

    return write
