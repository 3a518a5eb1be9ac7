"""What the tests share."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from numpy.typing import NDArray
from PIL import Image

from ccl.io.sheets import Slide

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as BrowserPage

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


# ---- pages (shared by report, table1, ablations, explain, quality) ------------------------------------------------


@pytest.fixture(scope="session")
def without_script() -> Callable[[str], str]:
    """Return a function that takes the one script out of a page, which must be the one that its policy names."""

    def take_out(page: str) -> str:
        found = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
        allowed = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in found]
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
        assert policy
        assert re.findall(r"script-src ([^;]*)", policy[1]) == allowed
        return page.replace(f"<script>{found[0]}</script>", "")

    return take_out


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a Chromium; tests that need one are skipped where there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("neither chromium nor google-chrome is on PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., BrowserPage]]:
    """Return a function that opens a page in a browser; errors of the page and network requests fail the test."""
    opened: list[BrowserPage] = []
    complaints: list[str] = []
    requests: list[str] = []

    def show(path: Path, *, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> BrowserPage:
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        opened.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: requests.append(asked.url))
        page.goto(path.as_uri())
        return page

    yield show
    for page in opened:
        page.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith("file:")] == []


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
