"""Opening slides: scale, regions, and the ways in which a file can be no slide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from ccl.io.errors import SlideError
from ccl.io.sheets import Slide
from ccl.wsi.reader.opening import open_slide, slide_fingerprint
from ccl.wsi.reader.scale import level0_mpp, scale_notes

GREY = np.full((512, 768, 3), 200, np.uint8)
SLIDE = Slide("s1", "p1", Path("s1.svs"), None)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_slide_tells_its_size_scale_and_levels(write_slide):
    with open_slide(write_slide(np.full((1024, 2048, 3), 200, np.uint8), file_mpp=0.25, downsamples=(4,))) as reader:
        assert reader.slide_id == "slide"
        assert reader.dimensions == (2048, 1024)
        assert reader.mpp == pytest.approx(0.25)
        assert [(level.width, level.height, level.downsample) for level in reader.levels] == [
            (2048, 1024, 1.0),
            (512, 256, 4.0),
        ]


def test_a_region_has_the_stored_pixels_and_is_white_outside(write_slide):
    image = noise(512, 768)
    with open_slide(write_slide(image, file_mpp=0.5, compression="deflate")) as reader:
        inside = reader.read_region(100, 200, width=300, height=150, level=0)
        np.testing.assert_array_equal(inside, image[200:350, 100:400])
        beyond = reader.read_region(700, 0, width=100, height=10, level=0)
        np.testing.assert_array_equal(beyond[:, :68], image[:10, 700:])
        assert (beyond[:, 68:] == 255).all()


def test_the_sheet_wins_and_a_disagreement_is_noted(write_slide, capsys):
    with open_slide(write_slide(GREY, file_mpp=0.25, sheet_mpp=0.5)) as reader:
        assert reader.mpp == 0.5
    noted = capsys.readouterr().err
    assert "slide slide" in noted
    assert "0.5" in noted
    assert "0.25" in noted


def test_a_small_disagreement_is_not_noted(write_slide, capsys):
    with open_slide(write_slide(GREY, file_mpp=0.25, sheet_mpp=0.252)) as reader:
        assert reader.mpp == 0.252
    assert capsys.readouterr().err == ""


def test_only_the_files_best_source_can_disagree():
    """A file that says 0.5 um/px is a file of 0.5, whatever its tags say."""
    properties = {"openslide.mpp-x": "0.5", "openslide.mpp-y": "0.5", "tiff.ResolutionUnit": "inch"}
    properties |= {"tiff.XResolution": "72", "tiff.YResolution": "72"}
    assert level0_mpp(replace(SLIDE, mpp=0.49), properties) == 0.49
    assert scale_notes(replace(SLIDE, mpp=0.49), 0.49, properties) == []
    (note,) = scale_notes(replace(SLIDE, mpp=0.25), 0.25, properties)
    assert "the sample sheet says 0.25 um/px" in note


@pytest.mark.parametrize(
    ("power", "sheet", "doubtful"),
    [("40", None, True), ("20", None, False), ("10", 0.5, True), ("20", 0.4, False), ("20", 0.25, True)],
)
def test_an_objective_that_does_not_fit_the_scale_is_noted(power, sheet, doubtful):
    """A slide of 10x with 0.5 um/px in the sheet would be read at twice its scale."""
    slide = replace(SLIDE, mpp=sheet)
    own = {} if sheet else {"openslide.mpp-x": "0.5", "openslide.mpp-y": "0.5"}
    properties = {"openslide.objective-power": power, **own}
    notes = scale_notes(slide, level0_mpp(slide, properties), properties)
    assert any(f"objective is {power}x" in note for note in notes) == doubtful


@pytest.mark.parametrize("file_mpp", [None, 352.8, 0.001])
def test_a_missing_or_implausible_scale_names_slide_and_column(write_slide, file_mpp):
    with pytest.raises(SlideError) as caught:
        open_slide(write_slide(GREY, file_mpp=file_mpp))
    assert "slide slide" in caught.value.where
    assert "`mpp`" in caught.value.todo
    assert file_mpp is None or f"{file_mpp:g}" in caught.value.found


@pytest.mark.parametrize("sheet_mpp", [0.0, -0.5, 250.0, float("nan")])
def test_an_implausible_scale_of_the_sheet_is_refused(write_slide, sheet_mpp):
    with pytest.raises(SlideError, match="implausible"):
        open_slide(write_slide(GREY, file_mpp=0.25, sheet_mpp=sheet_mpp))


def test_pixels_that_are_not_square_are_refused_unless_the_sheet_decides(write_slide):
    with pytest.raises(SlideError, match="not square"):
        open_slide(write_slide(GREY, file_mpp=(0.25, 0.5)))
    with open_slide(write_slide(GREY, file_mpp=(0.25, 0.5), sheet_mpp=0.25)) as reader:
        assert reader.mpp == 0.25


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"openslide.mpp-x": "0.2528", "openslide.mpp-y": "0.2528", "openslide.objective-power": "20"}, 0.2528),
        ({"openslide.mpp-x": "0.50", "openslide.mpp-y": "0.502"}, 0.501),
        ({"tiff.ResolutionUnit": "centimeter", "tiff.XResolution": "40000", "tiff.YResolution": "40000"}, 0.25),
        ({"tiff.ResolutionUnit": "inch", "tiff.XResolution": "50800", "tiff.YResolution": "50800"}, 0.5),
        ({"tiff.ResolutionUnit": "inch", "openslide.objective-power": "40"}, 0.25),
        ({"tiff.ResolutionUnit": "none", "tiff.XResolution": "1", "openslide.objective-power": "20"}, 0.5),
    ],
)
def test_the_best_source_of_the_scale_decides(properties, expected):
    assert level0_mpp(SLIDE, properties) == pytest.approx(expected)


@given(mpp=st.floats(0.05, 20))
def test_every_plausible_scale_is_taken_as_it_is(mpp):
    assert level0_mpp(SLIDE, {"openslide.mpp-x": repr(mpp), "openslide.mpp-y": repr(mpp)}) == mpp


@pytest.mark.parametrize("content", [b"", b"not a slide, a text\n" * 400, bytes(5000)], ids=["empty", "text", "zeros"])
def test_what_is_no_slide_is_an_error_with_its_name(tmp_path, content):
    path = tmp_path / "s1.svs"
    path.write_bytes(content)
    with pytest.raises(SlideError) as caught:
        open_slide(Slide("s1", "p1", path, 0.5))
    assert "slide s1" in caught.value.where
    assert caught.value.found
    assert caught.value.todo


def test_a_missing_file_is_an_error_with_its_name(tmp_path):
    slide = Slide("s1", "p1", tmp_path / "s1.svs", 0.5)
    for use in (open_slide, slide_fingerprint):
        with pytest.raises(SlideError, match="does not exist") as caught:
            use(slide)
        assert "slide s1" in caught.value.where


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_truncated_slide_is_an_error_and_never_white(write_slide, share):
    slide = write_slide(noise(1024, 1024), file_mpp=0.5, downsamples=(4,))
    content = slide.path.read_bytes()
    slide.path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(SlideError) as caught, open_slide(slide) as reader:
        reader.read_region(0, 0, width=1024, height=1024, level=0)
    assert "slide slide" in caught.value.where


def test_a_damaged_region_is_an_error_and_never_white(write_slide):
    slide = write_slide(noise(1024, 1024), file_mpp=0.5, compression="deflate")
    with tifffile.TiffFile(slide.path) as tiff:
        offset, count = tiff.pages[0].dataoffsets[5], tiff.pages[0].databytecounts[5]
    content = bytearray(slide.path.read_bytes())
    content[offset : offset + count] = bytes(count)
    slide.path.write_bytes(content)
    with open_slide(slide) as reader, pytest.raises(SlideError, match="cannot be read"):
        reader.read_region(256, 256, width=256, height=256, level=0)


def test_a_mirax_slide_is_its_file_and_its_folder(tmp_path):
    path, folder = tmp_path / "m.mrxs", tmp_path / "m"
    path.write_bytes(b"index")
    folder.mkdir()
    (folder / "Data0000.dat").write_bytes(b"pixels")
    slide = Slide("m", "p", path, None)
    before = slide_fingerprint(slide)
    (folder / "Data0000.dat").write_bytes(b"others")
    assert slide_fingerprint(slide) != before


def test_a_dicom_slide_is_its_folder(tmp_path):
    folder = tmp_path / "series"
    folder.mkdir()
    slide = Slide("d", "p", folder, None)
    for use in (open_slide, slide_fingerprint):
        with pytest.raises(SlideError, match="does not exist") as caught:
            use(slide)
        assert caught.value.found == "a folder without .dcm files"
    for level in range(2):
        (folder / f"{level}.dcm").write_bytes(b"pixels")
    before = slide_fingerprint(slide)
    (folder / "1.dcm").write_bytes(b"others")
    assert slide_fingerprint(slide) != before
    with pytest.raises(SlideError, match="not the DICOM file of a slide"):
        open_slide(slide)


def test_real_slides(real_data):
    with open_slide(Slide("cmu", "p", real_data / "slides/cmu_small_region.svs", None)) as reader:
        assert reader.dimensions == (2220, 2967)
        assert reader.mpp == pytest.approx(0.499)
        region = reader.read_region(1000, 1000, width=256, height=256, level=0)
        assert 50 < region.mean() < 220


def test_a_real_slide_without_scale_needs_the_sheet(real_data):
    path = real_data / "slides/tcga-cr-7395-01a-01-ts1.svs"
    with pytest.raises(SlideError, match="does not say its scale") as caught:
        open_slide(Slide("tcga", "p", path, None))
    assert "`mpp`" in caught.value.todo
    with open_slide(Slide("tcga", "p", path, 0.25)) as reader:
        assert reader.mpp == 0.25
        assert [round(level.downsample) for level in reader.levels] == [1, 2]


def test_a_plain_tiff_is_refused_with_its_reason(real_data):
    with pytest.raises(SlideError, match="not a slide that OpenSlide can read") as caught:
        open_slide(Slide("kidney", "p", real_data / "slides/kidney-48-5.tif", 0.5))
    assert "slide kidney" in caught.value.where
    assert "tiled TIFF" in caught.value.todo


OME = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="I"><Pixels {}/></Image></OME>'


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ('PhysicalSizeX="0.25" PhysicalSizeY="0.25"', 0.25),
        ('PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="250" PhysicalSizeYUnit="nm"', 0.25),
        ('PhysicalSizeX="0.0005" PhysicalSizeXUnit="mm" PhysicalSizeY="0.5" PhysicalSizeYUnit="µm"', 0.5),
    ],
)
def test_an_ome_tiff_tells_its_own_scale_with_its_unit(write_slide, about, expected):
    """The resolution tags of such a file are often those of a screen."""
    with open_slide(write_slide(GREY, file_mpp=352.8, description=OME.format(about).encode())) as reader:
        assert reader.mpp == pytest.approx(expected)


@pytest.mark.parametrize("about", ["", 'PhysicalSizeX="3" PhysicalSizeXUnit="pixel"', 'PhysicalSizeX="x"'])
def test_an_ome_tiff_without_a_size_is_read_by_its_tags(write_slide, about):
    with open_slide(write_slide(GREY, file_mpp=0.5, description=OME.format(about))) as reader:
        assert reader.mpp == pytest.approx(0.5)


@pytest.mark.parametrize("compression", ["jpeg2000", "webp", "jpegxl"])
def test_a_compression_that_is_not_read_is_named_and_not_called_damage(write_slide, compression):
    with pytest.raises(SlideError, match="cannot read the slide's compression") as caught:
        open_slide(write_slide(GREY, file_mpp=0.5, compression=compression))
    assert caught.value.found == compression.upper()
    assert "not damaged" in caught.value.todo


def test_a_dicom_file_that_is_no_slide_is_not_called_damaged(tmp_path):
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID, image.Modality = CTImageStorage, generate_uid(), "CT"
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    with pytest.raises(SlideError, match="not the DICOM file of a slide"):
        open_slide(Slide("ct", "p", tmp_path / "ct.dcm", None))


def test_a_thumbnail_is_not_asked_for_the_scale_of_a_slide(write_slide):
    with pytest.raises(SlideError, match="implausible") as caught:
        open_slide(write_slide(GREY, file_mpp=352.8))
    assert "768 x 512 px, as small as a thumbnail" in caught.value.found
    assert "the file of the whole slide" in caught.value.todo
    assert "0.25 is common" not in caught.value.todo
    with pytest.raises(SlideError, match="implausible") as caught:
        open_slide(write_slide(np.full((512, 4096, 3), 200, np.uint8), file_mpp=352.8))
    assert "0.25 is common" in caught.value.todo


def test_a_planar_slide_is_read_by_openslide(write_slide, tmp_path):
    image = noise(512, 768)
    path = tmp_path / "planar.tif"
    options = {"tile": (256, 256), "resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER", "metadata": None}
    tifffile.imwrite(
        path, np.moveaxis(image, -1, 0), photometric="rgb", planarconfig="separate", compression="deflate", **options
    )
    with open_slide(Slide("planar", "p", path, None)) as reader:
        np.testing.assert_array_equal(reader.read_region(10, 20, width=300, height=400, level=0), image[20:420, 10:310])
