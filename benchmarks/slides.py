"""Which kinds of slides are read and which are refused: writes a file of each kind, and the table of docs/slides.md.

    python -m benchmarks.slides [docs/slides.md] [--keep FOLDER]

With `--keep`, the files, their outlines and a contact sheet stay in FOLDER.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from ccl.config.sections import TileSettings, TissueSettings
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide
from ccl.wsi.quality.slides import SlideQuality, read_slides
from ccl.wsi.quality.stage import make_contact_sheet
from ccl.wsi.tile.stage import TileStage
from ccl.wsi.tissue.stage import TissueStage
from tests.wsi.reader import formats

START, END = "<!-- table of benchmarks/slides.py -->", "<!-- end of table -->"
GLASS = (243.0, 241.0, 244.0)
SCALE = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}
SCREEN = {"resolution": (72, 72), "resolutionunit": "INCH"}
UNSCALED = {"resolution": None, "resolutionunit": None}
OME = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="I"><Pixels {}/></Image></OME>'


def picture(tint: tuple[float, float, float] = (1, 1, 1)) -> NDArray[np.uint8]:
    """Return a slide of 1600 x 1200 px: grainy stained tissue with a hole on glass."""
    rng = np.random.default_rng(0)
    shape = cv2.ellipse(np.zeros((1200, 1600), np.uint8), (800, 600), (560, 400), 15, 0, 360, 1, cv2.FILLED)
    cv2.circle(shape, (760, 620), 90, 0, cv2.FILLED)
    grain = cv2.GaussianBlur(rng.normal(size=shape.shape).astype(np.float32), (0, 0), 8)
    density = shape * (1 + 0.4 * grain / grain.std()).clip(0.2, None)
    light = np.exp(-density[..., None] * np.array((0.25, 0.7, 0.3)))
    return np.clip(light * np.array(GLASS) * np.array(tint) + rng.normal(size=(*shape.shape, 3)), 0, 255).astype(
        np.uint8
    )


def tiff(path: Path, image: NDArray[Any], **options: Any) -> None:
    """Write a tiled TIFF of 0.5 um/px."""
    told = {"tile": (256, 256), "photometric": "rgb", "compression": "deflate", "metadata": None, **SCALE, **options}
    tifffile.imwrite(path, image, **told)


def vendor(write: Callable[..., None], path: Path, image: NDArray[np.uint8]) -> None:
    """Write a slide with a level of half its size, as a scanner does."""
    write(path, [image, cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)])


def damaged(path: Path, image: NDArray[np.uint8], *, share: float) -> None:
    """Write a slide whose file was cut short."""
    tiff(path, image)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def ct(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a DICOM file that is not a slide."""
    scan = Dataset()
    scan.SOPClassUID, scan.SOPInstanceUID, scan.Modality = CTImageStorage, generate_uid(), "CT"
    scan.file_meta = FileMetaDataset()
    scan.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    scan.save_as(path, enforce_file_format=True)


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    name: str
    file: str
    write: Callable[..., None]
    image: NDArray[Any]
    mpp: float | None = None
    """Scale in the sample sheet."""


def kinds() -> list[Kind]:
    """Return every kind of file."""
    return [*read_kinds(picture()), *refused_kinds(picture())]


def read_kinds(image: NDArray[np.uint8]) -> list[Kind]:
    """Return the kinds of files that are read."""
    planar = partial(tiff, planarconfig="separate")
    big, svs = partial(formats.write_tiff, bigtiff=True), partial(formats.write_aperio, jpeg_2000=False)
    jp2, leica = partial(formats.write_aperio, jpeg_2000=True), partial(formats.write_leica, margin=64)
    nm = " ".join(f'PhysicalSize{axis}="500" PhysicalSize{axis}Unit="nm"' for axis in "XY")
    ome = partial(tiff, description=OME.format(nm), **SCREEN)
    return [
        Kind("tiled TIFF, deflate", "tiff.tif", tiff, image),
        Kind("tiled TIFF, JPEG", "jpeg.tif", partial(tiff, compression="jpeg"), image),
        Kind("tiled TIFF, LZW", "lzw.tif", partial(tiff, compression="lzw"), image),
        Kind("tiled TIFF, Zstandard", "zstd.tif", partial(tiff, compression="zstd"), image),
        Kind("tiled TIFF, colours in separate planes", "planar.tif", planar, np.moveaxis(image, -1, 0)),
        Kind("tiled TIFF, 16 bits", "deep.tif", tiff, image.astype(np.uint16) * 257),
        Kind("BigTIFF", "big.tif", partial(vendor, big), image),
        Kind("OME-TIFF, scale in nm", "ome.ome.tif", ome, image),
        Kind("Aperio SVS, JPEG", "jpeg.svs", partial(vendor, svs), image),
        Kind("Aperio SVS, JPEG 2000", "jp2.svs", partial(vendor, jp2), image),
        Kind("Philips TIFF", "philips.tiff", partial(vendor, formats.write_philips), image),
        Kind("Leica SCN", "leica.scn", partial(vendor, leica), image),
        Kind("DICOM series", "series", partial(vendor, formats.write_dicom), image),
        Kind("without a scale, scale in the sheet", "sheet.tif", partial(tiff, **UNSCALED), image, 0.5),
        Kind("file 0.5 um/px, sheet 0.4 um/px", "other.tif", tiff, image, 0.4),
        Kind("glass tinted pink", "pink.tif", tiff, picture((1, 0.92, 0.96))),
        Kind("glass with blue lowered by 7 %", "warm.tif", tiff, picture((1, 1, 0.93))),
        Kind("brown background, as of DAB", "brown.tif", tiff, picture((0.95, 0.89, 0.80))),
    ]


def refused_kinds(image: NDArray[np.uint8]) -> list[Kind]:
    """Return the kinds of files that are refused."""
    dark, large, screen = 255 - image, np.tile(image, (2, 2, 1)), partial(tiff, **SCREEN)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return [
        Kind("without a scale", "unscaled.tif", partial(tiff, **UNSCALED), large),
        Kind("scale of a screen (72 dpi)", "screen.tif", screen, large),
        Kind("thumbnail of a slide", "thumbnail.tif", screen, image[::8, ::8]),
        Kind("pixels that are not square", "oblong.tif", partial(tiff, resolution=(20_000, 10_000)), image),
        Kind("coarser than the patches", "coarse.tif", partial(tiff, resolution=(5_000, 5_000)), image),
        Kind("TIFF without tiles", "plain.tif", partial(tiff, tile=None), image),
        Kind("tiled TIFF, JPEG 2000", "jp2.tif", partial(tiff, compression="jpeg2000"), image),
        Kind("tiled TIFF, WebP", "webp.tif", partial(tiff, compression="webp"), image),
        Kind("tiled TIFF, JPEG XL", "jxl.tif", partial(tiff, compression="jpegxl"), image),
        Kind("PNG", "picture.png", lambda path, image: cv2.imwrite(str(path), image[..., ::-1]), image),
        Kind("DICOM file of a CT", "ct.dcm", ct, image),
        Kind("grayscale", "grey.tif", partial(tiff, photometric="minisblack"), grey),
        Kind("fluorescence, red and blue", "red-blue.tif", tiff, dark * np.uint8((1, 0, 1))),
        Kind("fluorescence, green", "green.tif", tiff, dark * np.uint8((0, 1, 0))),
        Kind("glass without tissue", "blank.tif", tiff, np.full_like(image, GLASS)),
        Kind("cut short by half", "half.tif", partial(damaged, share=0.5), image),
        Kind("cut short by 2 %", "short.tif", partial(damaged, share=0.98), image),
        Kind("empty file", "empty.svs", lambda path, image: path.touch(), image),
        Kind("text named .svs", "text.svs", lambda path, image: path.write_text("no slide\n" * 400), image),
        Kind("no file", "gone.svs", lambda path, image: None, image),
    ]


def examine(folder: Path) -> list[tuple[str, SlideQuality]]:
    """Write every kind, outline and tile it, and return what the contact sheet shows of it."""
    every = kinds()
    for kind in every:
        kind.write(folder / kind.file, kind.image)
    slides = [Slide(kind.file, "P", folder / kind.file, kind.mpp) for kind in every]
    tissue, tile = (folder / stage / "manifests" / "0.tsv" for stage in ("tissue", "tile"))
    run_shard(TissueStage(folder / "tissue", TissueSettings()), Shard(slides, None, tissue, "exclude"))
    run_shard(TileStage(folder / "tile", TileSettings()), Shard(slides, tissue, tile, "exclude"))
    rows = [f"{slide.slide_id},P,{slide.path.name},{slide.mpp or ''}" for slide in slides]
    (folder / "slides.csv").write_text("\n".join(["slide_id,patient_id,path,mpp", *rows, ""]))
    sheet = {"slides": folder / "slides.csv", "tissue": [tissue], "tile": [tile]}
    make_contact_sheet(folder / "quality", cohort="kinds of files", synthetic=True, **sheet)
    found = {slide.slide_id: slide for slide in read_slides(slides, [tissue], [tile])}
    return [(kind.name, found[kind.file]) for kind in every]


def row(name: str, slide: SlideQuality) -> str:
    """Return a row of the table."""
    if slide.reason:
        stage, _, rest = slide.reason.partition(": ")
        told = f"refused by `{stage}`: " + re.sub(r"; where: .*?(?=; found: )|; (expected|to do): .*", "", rest)
        told = re.sub(r"/\S*/", "", told)  # names of files without their folder
    else:
        measures = slide.measures
        assert measures
        told = f"read, {measures.level0_mpp:g} um/px, {measures.tissue_mm2:.2f} mm2 of tissue, {slide.tiles} patches"
        told += "".join(f". To check: {note}" for note in slide.notes if "same content" not in note)
    return f"| {name} | {told.replace('|', '/')} |"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, nargs="?", default="docs/slides.md", help="page with the marks of the table")
    parser.add_argument("--keep", type=Path, help="folder in which the files stay")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [row(*one) for one in examine(folder)]
    before, rest = args.page.read_text().split(START)
    table = "\n".join(["", "| file | result |", "|---|---|", *rows, ""])
    args.page.write_text(before + START + table + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
