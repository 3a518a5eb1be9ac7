"""Slides of 0.5 um/px with a level half its size, as the scanners of several vendors write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
import tifffile
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, VLWholeSlideMicroscopyImageStorage, generate_uid

Levels = Sequence[NDArray[np.uint8]]
"""Level 0 (H, W, 3), and that of half its size."""

TILE = 256

JPEG = {"compression": "jpeg", "compressionargs": {"level": 90}, "subsampling": (2, 2)}


def write_tiff(path: Path, levels: Levels, *, bigtiff: bool = False) -> None:
    """Write a tiled TIFF whose resolution tags tell the scale."""
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as file:
        for number, level in enumerate(levels):
            scale = {"resolution": (20_000 / 2**number,) * 2, "resolutionunit": "CENTIMETER"}
            _write(file, level, subfiletype=int(number > 0), **scale, **JPEG)


def write_aperio(path: Path, levels: Levels, *, jpeg_2000: bool) -> None:
    """Write an SVS: the thumbnail, in strips, comes between the levels, and label and macro after them."""
    codec = {"compression": "aperio_jp2000_rgb"} if jpeg_2000 else JPEG
    height, width = levels[0].shape[:2]
    small = np.ascontiguousarray(levels[1][::4, ::4])
    about = f"Aperio Image Library v12.0.15\r\n{width}x{height} [0,0 {width}x{height}] (256x256)"
    with tifffile.TiffWriter(path) as file:
        _write(file, levels[0], description=f"{about}|AppMag = 20|MPP = 0.5000", **codec)
        strips = {"photometric": "rgb", "metadata": None, "software": False}
        file.write(small, description=f"{about} -> {small.shape[1]}x{small.shape[0]} - ", compression="jpeg", **strips)
        _write(file, levels[1], description=f"{about} -> {width // 2}x{height // 2}", **codec)
        for name, kind in (("label", 1), ("macro", 9)):
            file.write(small, description=f"Aperio Image Library\r\n{name} 1x1", subfiletype=kind, **strips)


def write_philips(path: Path, levels: Levels) -> None:
    """Write a Philips TIFF, whose XML tells the scale of each level in mm."""
    spacings = [
        _philips("DICOM_PIXEL_SPACING", "0x0028", "0x0030", "IDoubleArray", f"&quot;{mm}&quot; &quot;{mm}&quot;")
        for mm in (0.0005, 0.001)
    ]
    each = "".join(f'<DataObject ObjectType="PixelDataRepresentation">{spacing}</DataObject>' for spacing in spacings)
    scan = (
        _philips("PIM_DP_IMAGE_TYPE", "0x301D", "0x1004", "IString", "WSI")
        + spacings[0]
        + _philips("PIIM_PIXEL_DATA_REPRESENTATION_SEQUENCE", "0x1001", "0x8B01", "IDataObjectArray", _array(each))
    )
    scans = _array(f'<DataObject ObjectType="DPScannedImage">{scan}</DataObject>')
    about = (
        '<?xml version="1.0" encoding="UTF-8" ?><DataObject ObjectType="DPUfsImport">'
        + _philips("PIM_DP_SCANNED_IMAGES", "0x301D", "0x1003", "IDataObjectArray", scans)
        + "</DataObject>"
    )
    with tifffile.TiffWriter(path) as file:
        for number, level in enumerate(levels):
            text = {} if number else {"description": about}
            _write(file, level, software="Philips DP v1.0", subfiletype=int(number > 0), **text, **JPEG)


def _philips(name: str, group: str, element: str, kind: str, value: str) -> str:
    return f'<Attribute Name="{name}" Group="{group}" Element="{element}" PMSVR="{kind}">{value}</Attribute>'


def _array(items: str) -> str:
    return f"<Array>{items}</Array>"


def write_leica(path: Path, levels: Levels, *, margin: int) -> None:
    """Write an SCN: the scanned area lies in a slide that is larger by `margin` px of level 0 on each side."""
    height, width = levels[0].shape[:2]
    nm = 500
    dimensions = "".join(
        f'<dimension sizeX="{level.shape[1]}" sizeY="{level.shape[0]}" r="{number}" ifd="{number}"/>'
        for number, level in enumerate(levels)
    )
    about = f"""<?xml version="1.0"?>
<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">
  <collection name="c" sizeX="{(width + 2 * margin) * nm}" sizeY="{(height + 2 * margin) * nm}"><image name="i">
    <creationDate>2020-01-01T00:00:00Z</creationDate><device model="Leica SCN400" version="1.5"/>
    <pixels sizeX="{width}" sizeY="{height}">{dimensions}</pixels>
    <view sizeX="{width * nm}" sizeY="{height * nm}" offsetX="{margin * nm}" offsetY="{margin * nm}"/>
    <scanSettings>
      <objectiveSettings><objective>20</objective></objectiveSettings>
      <illuminationSettings>
        <numericalAperture>0.4</numericalAperture><illuminationSource>brightfield</illuminationSource>
      </illuminationSettings>
    </scanSettings>
  </image></collection>
</scn>"""
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for number, level in enumerate(levels):
            scale = {"resolution": (20_000 / 2**number,) * 2, "resolutionunit": "CENTIMETER"}
            text = {} if number else {"description": about}
            _write(file, level, subfiletype=int(number > 0), **scale, **text, **JPEG)


def _write(file: tifffile.TiffWriter, level: NDArray[np.uint8], **options: Any) -> None:
    file.write(level, **{"tile": (TILE, TILE), "photometric": "rgb", "metadata": None, "software": False, **options})


def write_dicom(folder: Path, levels: Levels) -> None:
    """Write a DICOM series into `folder`: a level a file, fully tiled, JPEG."""
    folder.mkdir()
    same = {name: generate_uid() for name in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")}
    for number, level in enumerate(levels):
        frames = [simplejpeg.encode_jpeg(tile, quality=90, colorsubsampling="422") for tile in _tiles(level)]
        measures, shared, image = Dataset(), Dataset(), Dataset()
        measures.PixelSpacing = [0.0005 * 2**number] * 2  # mm
        shared.PixelMeasuresSequence = [measures]
        values = {
            **same,
            "SOPClassUID": VLWholeSlideMicroscopyImageStorage,
            "SOPInstanceUID": generate_uid(),
            "Modality": "SM",
            "ImageType": ["DERIVED" if number else "ORIGINAL", "PRIMARY", "VOLUME", "RESAMPLED" if number else "NONE"],
            "DimensionOrganizationType": "TILED_FULL",
            "TotalPixelMatrixColumns": level.shape[1],
            "TotalPixelMatrixRows": level.shape[0],
            "Columns": TILE,
            "Rows": TILE,
            "NumberOfFrames": len(frames),
            "SamplesPerPixel": 3,
            "PlanarConfiguration": 0,
            "PhotometricInterpretation": "YBR_FULL_422",
            "BitsAllocated": 8,
            "BitsStored": 8,
            "HighBit": 7,
            "PixelRepresentation": 0,
            "SharedFunctionalGroupsSequence": [shared],
        }
        for name, value in values.items():
            setattr(image, name, value)
        image.PixelData = encapsulate(frames)
        image["PixelData"].VR = "OB"
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        image.save_as(folder / f"{number}.dcm", enforce_file_format=True)


def _tiles(level: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return a level's tiles row by row, those at the edge filled up."""
    height, width = level.shape[:2]
    full = np.pad(level, ((0, -height % TILE), (0, -width % TILE), (0, 0)), mode="edge")
    return [
        np.ascontiguousarray(full[y : y + TILE, x : x + TILE])
        for y in range(0, height, TILE)
        for x in range(0, width, TILE)
    ]
