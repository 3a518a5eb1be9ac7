"""Files of others: each line of the table in SECURITY.md names tests, most of them here."""

from __future__ import annotations

import gzip
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

from ccl.config.check import read_config
from ccl.config.sections import TissueSettings
from ccl.data.batch import Shape
from ccl.io.bounds import FREE_BYTES
from ccl.io.errors import CclError, InputError, SlideError
from ccl.io.files import existing, fingerprint, read_rows, read_table
from ccl.io.formats import Features, FeaturesHead, Genomics, ManifestRow, write_manifest
from ccl.io.interop.importing import measure
from ccl.io.sheets import Slide
from ccl.methods import METHODS, hyper
from ccl.methods.build import build
from ccl.nn.replicas import Replicas
from ccl.pages.svg import faults
from ccl.predict.card import _too_large
from ccl.report.patients import _read_svg
from ccl.results.verify import read_h5, verify_results
from ccl.train.store import DRAWN, build_model
from ccl.wsi.reader.patches import thumbnail
from ccl.wsi.reader.protocol import Level
from ccl.wsi.reader.scale import _from_ome
from ccl.wsi.tissue.annotation import read_annotation
from tests.conftest import ROOT

SECRET = np.arange(12, dtype=np.float32).reshape(3, 4)


def features(path: Path, make: object) -> Path:
    """Write a file of features whose array `make` makes."""
    with h5py.File(path, "w") as file:
        make(file)  # type: ignore[operator]
    return path


def test_every_line_of_the_table_has_a_test_that_exists() -> None:
    rows = [row for row in (ROOT / "SECURITY.md").read_text().splitlines() if row.startswith("| ") and "`" in row]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row.split("|")[-2])
        assert named, row
        for path, test in named:
            assert f"def {test}" in (ROOT / path).read_text(), row


# ---- HDF5 --------------------------------------------------------------------------------------------------------


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the user's that nobody else's file may show."""
    (tmp_path / "secret.bin").write_bytes(SECRET.tobytes())
    return features(tmp_path / "secret.h5", lambda file: file.create_dataset("features", data=SECRET))


def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((3, 4), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "features", (3, 4))
    file.create_virtual_dataset("features", layout)


POINTERS = {
    "a link": lambda file, secret: file.__setitem__("features", h5py.ExternalLink(str(secret), "features")),
    "a soft link to a link": lambda file, secret: (
        file.__setitem__("elsewhere", h5py.ExternalLink(str(secret), "features")),
        file.__setitem__("features", h5py.SoftLink("/elsewhere")),
    ),
    "raw bytes": lambda file, secret: file.create_dataset(
        "features", (3, 4), "f4", external=[(str(secret.with_suffix(".bin")), 0, 48)]
    ),
    "a virtual array": virtual,
}


@pytest.mark.parametrize("pointer", POINTERS)
def test_an_hdf5_file_that_points_to_another_file_is_refused(tmp_path: Path, secret: Path, pointer: str) -> None:
    path = features(tmp_path / "hostile.h5", lambda file: POINTERS[pointer](file, secret))
    for read in (Features.read, FeaturesHead.read, Genomics.read, read_h5, measure):
        with pytest.raises(InputError, match="points to other files"):
            read(path)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_an_hdf5_array_that_is_larger_than_the_file_is_refused_unread(tmp_path: Path, compression: str | None) -> None:
    shape = (FREE_BYTES // 1024, 1024)
    path = features(
        tmp_path / "bomb.h5",
        lambda file: file.create_dataset("features", shape, "f4", chunks=(64, 1024), compression=compression),
    )
    assert path.stat().st_size < 10_000
    for read in (Features.read, FeaturesHead.read, read_h5):
        with pytest.raises(InputError, match="becomes too large"):
            read(path)


def test_ordinary_files_are_within_the_bounds(tmp_path: Path) -> None:
    path = features(
        tmp_path / "zeros.h5",
        lambda file: file.create_dataset("features", data=np.zeros((1000, 64), "f4"), compression="gzip"),
    )
    assert Features.read(path).features.shape == (1000, 64)


# ---- tensors -----------------------------------------------------------------------------------------------------


def test_a_tensor_that_repeats_one_number_a_billion_times_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    torch.save(torch.ones(1).expand(10**9, 1000), path)
    assert path.stat().st_size < 10_000
    with pytest.raises(InputError, match="becomes too large"):
        Features.read(path)


def test_a_zipped_tensor_that_becomes_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("archive/data.pkl", b"")
        with archive.open("archive/data/0", "w", force_zip64=True) as member:
            for _ in range(5):
                member.write(bytes(FREE_BYTES // 4))
    with pytest.raises(InputError, match="becomes too large"):
        Features.read(path)


@pytest.mark.parametrize("tensor", [torch.eye(3).to_sparse(), torch.empty(3, 3, device="meta")])
def test_a_tensor_without_plain_numbers_is_refused(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save(tensor, tmp_path / "odd.pt")
    with pytest.raises(InputError, match="not a file of one tensor"):
        Features.read(tmp_path / "odd.pt")


class Trap:
    """An object that runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("ending", [".pt", ".npy"])
def test_nothing_is_unpickled(tmp_path: Path, ending: str) -> None:
    path, sprung = tmp_path / f"trap{ending}", tmp_path / "sprung"
    if ending == ".pt":
        torch.save({"features": Trap(sprung)}, path)
    else:
        np.save(path, np.array([Trap(sprung)], dtype=object), allow_pickle=True)
    with pytest.raises(InputError):
        Features.read(path)
    assert not sprung.exists()


# ---- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".gz", ".zip"])
def test_a_zipped_table_that_becomes_too_large_is_refused(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccl.io.files.FREE_TABLE_BYTES", 1 << 22)
    path, content = tmp_path / f"bomb.csv{ending}", b"a\n" + b"0\n" * (1 << 22)
    if ending == ".gz":
        path.write_bytes(gzip.compress(content))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("bomb.csv", content)
    for read in (read_table, read_rows):
        with pytest.raises(InputError, match="becomes too large"):
            read(path)


def test_an_archive_is_read_where_it_is_and_nothing_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a" / "table.csv.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside.csv", "a\n1\n")
    assert read_rows(path)[1][0].cells == ["1"]
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["a", "table.csv.zip"]


def test_an_archive_that_cannot_be_opened_is_an_error_of_ours(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.csv.zip", "w"):
        pass
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_rows(tmp_path / "empty.csv.zip")


@pytest.mark.parametrize("read", [existing, fingerprint, read_table])
def test_a_device_or_pipe_in_place_of_a_file_is_never_read(tmp_path: Path, read: object) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="no such file"):
            read(path)  # type: ignore[operator]


def test_a_manifest_of_others_makes_verify_read_no_device(tmp_path: Path) -> None:
    manifest = tmp_path / "results" / "blca" / "import" / "uni" / "manifest.tsv"
    write_manifest(manifest, [ManifestRow("A", "ok", Path("/dev/zero"), "k", 1, "")])
    assert [(problem.path, problem.found) for problem in verify_results(tmp_path / "results").problems] == [
        (Path("/dev/zero"), "missing")
    ]


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"results: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]")
    with pytest.raises(CclError):
        read_config(path)
    assert not (tmp_path / "made").exists()


# ---- pages -------------------------------------------------------------------------------------------------------

PLAIN = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">{}</svg>'


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<foreignObject/>",
        '<a href="https://example.org"><text>look</text></a>',
        '<path onclick="alert(1)"/>',
        '<image href="https://example.org/pixel.png"/>',
        '<image href="data:image/svg+xml;base64,AAAA"/>',
        '<rect style="fill: url(https://example.org)"/>',
        "<defs><style>@import url(https://example.org)</style></defs>",
        "<!--><script>alert(1)</script>-->",
        "<?x ><script>alert(1)</script>?>",
        "<text><![CDATA[</svg><script>alert(1)</script>]]></text>",
        "</svg><svg>",
        "<meta http-equiv='refresh' content='0'/>",
    ],
)
def test_a_figure_of_others_with_more_than_lines_and_text_is_refused(inside: str) -> None:
    assert faults(PLAIN.format(inside))


def test_a_figure_of_matplotlib_is_as_it_should_be(tmp_path: Path) -> None:
    from ccl.pages.style import house_style, panel, save

    with house_style():
        figure = panel()
        axes = figure.subplots()
        axes.imshow(np.eye(3))
        axes.fill_between([0, 1], [0, 1], hatch="/")
        axes.set_title("</svg><script>alert(1)</script>")
        drawn = save(figure, tmp_path, "figure")
    assert faults(drawn) == ""
    assert "<script>" not in drawn


def test_the_report_refuses_such_a_figure(tmp_path: Path) -> None:
    (tmp_path / "genes.svg").write_text(PLAIN.format("<script>alert(1)</script>"))
    with pytest.raises(InputError, match="an element script"):
        _read_svg(tmp_path / "genes.svg")


def test_an_svg_of_entities_is_refused() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]>' + PLAIN.format("<text>&b;</text>")[21:]
    assert faults(bomb)


# ---- slides ------------------------------------------------------------------------------------------------------


def test_xml_of_a_slide_with_entities_is_not_read() -> None:
    pixels = '<OME><Pixels PhysicalSizeX="{}" PhysicalSizeY="0.5"/></OME>'
    assert _from_ome({"tiff.ImageDescription": pixels.format("0.5")}) == (0.5, 0.5)
    bomb = '<!DOCTYPE OME [<!ENTITY a "0.5">]>' + pixels.format("&a;")
    assert _from_ome({"tiff.ImageDescription": bomb}) is None


def annotated(tmp_path: Path, name: str, content: bytes) -> Slide:
    (tmp_path / name).write_bytes(content)
    return Slide("A", "a", tmp_path / "slide.svs", None, tmp_path / name)


def test_a_deeply_nested_annotation_is_refused(tmp_path: Path) -> None:
    for content in ("[" * 100_000, '{"type": "FeatureCollection", "features": [' + NESTED * 5_000):
        slide = annotated(tmp_path, "outline.geojson", content.encode())
        with pytest.raises(SlideError, match="not GeoJSON"):
            read_annotation(slide, (100, 100), (10, 10), TissueSettings())


NESTED = '{"type": "GeometryCollection", "geometries": ['


def test_a_mask_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1 << 16, 1 << 16, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    with pytest.raises(SlideError, match="the mask cannot be read"):
        read_annotation(annotated(tmp_path, "mask.png", png), (1 << 16, 1 << 16), (10, 10), TissueSettings())


def test_a_slide_of_too_many_pixels_is_refused() -> None:
    size = (1 << 30, 1 << 30)
    slide = SimpleNamespace(slide_id="A", dimensions=size, mpp=0.25, levels=(Level(*size, 1.0),))
    with pytest.raises(SlideError, match="too large"):
        thumbnail(slide, 8.0)  # type: ignore[arg-type]


# ---- networks ----------------------------------------------------------------------------------------------------


def test_a_network_is_never_larger_than_its_weights() -> None:
    shape = Shape((5, 4), 4, 0, 0)
    state = build("snn", shape, hyper("snn", {}), Replicas((0,))).state_dict()
    tensors = {f"seed0/{name}": value[0] for name, value in state.items()}
    small = {"method": "snn", "hyper": {}, "shape": shape.entries(), "families": []}
    build_model(small, tensors, 0, where="here")
    with pytest.raises(ValueError, match="larger than its weights"):
        build_model({**small, "shape": {**shape.entries(), "families": [1 << 20] * 9}}, tensors, 0, where="here")


@pytest.mark.parametrize("method", METHODS)
def test_every_network_draws_fewer_numbers_than_the_bound(method: str) -> None:
    reads = METHODS[method].reads
    shape = Shape(
        (5, 4),
        4,
        3 * ("clusters" in reads),
        16 * METHODS[method].reads_slides,
        2,
        vectors=16 * ("vectors" in reads),
        tables=((0, 0, 0, 1, 1), (0, 0, 1, 1)),
    )
    counted = Replicas((0,), most=1 << 40)
    network = build(method, shape, hyper(method, {}), counted)
    assert counted.most is not None
    assert (1 << 40) - counted.most <= DRAWN * sum(value.numel() for value in network.state_dict().values())


def test_a_bundle_with_sizes_that_no_network_has_is_refused() -> None:
    assert _too_large({"a": [1, {"layers": 1 << 30}]}) == 1 << 30
    assert _too_large({"a": [1, 2.0, "x"], "b": True}) == 0
