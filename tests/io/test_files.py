"""Whole files or none, and hashes that say when something changed."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccl.io.errors import InputError
from ccl.io.files import (
    BLOCK_BYTES,
    BLOCKS,
    atomic_path,
    digest,
    fingerprint,
    read_json,
    read_rows,
    read_table,
    write_json,
    write_table,
)
from ccl.io.formats import Clusters, Features, ManifestRow, Tiles, read_manifest, stored_key, write_manifest


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "sub" / "table.csv"
    with atomic_path(target) as temporary:
        temporary.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text(f"half {1 / 0}")
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_nan_never_reaches_a_json_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"c_index": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_a_damaged_json_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00a", b'"a,b\n1,2\n'])
def test_what_is_not_a_table_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError):
        read_table(tmp_path / "t.csv", required=("a",))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00a", b"b,c\n1,2\n", b"a,a\n1,2\n"])
def test_both_readers_refuse_the_same_tables(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    for read in (read_table, read_rows):
        with pytest.raises(InputError):
            read(tmp_path / "t.csv", required=("a",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id;months\nP1;1\n", ["another delimiter", "has semicolons: id;months", "columns separated by commas"]),
        ("id\tmonths\nP1\t1\n", ["another delimiter", "has tabs"]),
        ("\nother\nP1\n", ["a column is missing", "found:    other", "expected: id"]),
    ],
)
def test_a_wrong_delimiter_is_named_by_both_readers(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "t.csv").write_text(text)
    for read in (read_table, read_rows):
        with pytest.raises(InputError) as error:
            read(tmp_path / "t.csv", required=("id",))
        for part in expected:
            assert part in str(error.value)


def test_a_header_that_r_shifted_is_refused(tmp_path: Path) -> None:
    """Pandas would take the first column for the index, and each name for the column after its own."""
    (tmp_path / "t.csv").write_text("id,months\n1,P1,5\n2,P2,6\n")
    with pytest.raises(InputError, match="2 names, but 3 cells in the first row"):
        read_table(tmp_path / "t.csv", required=("id",))


def test_a_truncated_gzip_is_refused_by_both_readers(tmp_path: Path) -> None:
    whole = gzip.compress(("id,months\n" + "P1,1\n" * 5000).encode())
    (tmp_path / "t.csv.gz").write_bytes(whole[:-20])
    for read in (read_table, read_rows):
        with pytest.raises(InputError, match="ended before the end-of-stream"):
            read(tmp_path / "t.csv.gz", required=("id",))


def test_a_row_with_more_cells_than_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(InputError, match="3 cells in row 3, but 2 columns"):
        read_rows(tmp_path / "t.csv")


@pytest.mark.parametrize(
    "content",
    [b"a,b\n1,2,\n3,4,\n", b"a,b\nx\x00y,2\n", "a,b\n1,2\n".encode("utf-16"), b'a,b\n"1,2\n3,4\n', b"PK\x03\x04"],
    ids=["a trailing comma in each row", "a NUL byte", "UTF-16", "a quote without end", "half a zip"],
)
def test_both_readers_refuse_what_would_lose_cells(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ("t.csv.zip" if content.startswith(b"PK") else "t.csv")
    path.write_bytes(content)
    for read in (read_table, read_rows):
        with pytest.raises(InputError, match=r"cannot be read as a table|the header is shorter than the rows"):
            read(path, required=("a",))


FORMULAS = ['=HYPERLINK("http://x")', "@x", "-2+3+cmd|' /C calc'!A0", "+SUM(1)", "'=x", "\tx"]
NUMBERS = ["-1.5", "+2", "-1.5 (-3 to 2)", "-3e-05", "+", "-", "-5 (10%)"]


def test_no_text_of_a_table_is_a_formula_in_a_spreadsheet_and_readers_find_what_was_meant(tmp_path: Path) -> None:
    cells = [*FORMULAS, *NUMBERS, "TP53", "'quoted'"]
    table = pd.DataFrame({"=gene": cells, "value": [-1.5, *range(len(cells) - 1)]})
    path = tmp_path / "t.csv"
    write_table(path, table, checksum=True)
    header, *rows = list(csv.reader(path.read_text().splitlines()))
    written = [row[0] for row in rows]
    assert header == ["'=gene", "value"]
    assert written[: len(FORMULAS)] == [f"'{cell}" for cell in FORMULAS]
    assert written[len(FORMULAS) :] == cells[len(FORMULAS) :]
    assert rows[0][1] == "-1.5"
    assert list(read_table(path).columns) == ["=gene", "value"]
    assert read_table(path, text=("value",))["=gene"].tolist() == cells
    assert [row.cells[0] for row in read_rows(path)[1]] == cells


def test_cells_that_a_row_lacks_are_empty(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1\n2,3\n")
    assert [row.cells for row in read_rows(tmp_path / "t.csv")[1]] == [["1", ""], ["2", "3"]]
    assert read_table(tmp_path / "t.csv").isna().to_numpy().tolist() == [[False, True], [False, False]]


def test_a_users_own_table_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n'=x\n")
    assert read_table(tmp_path / "t.csv")["a"].tolist() == ["'=x"]
    assert read_rows(tmp_path / "t.csv")[1][0].cells == ["'=x"]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.csv.zip", "bom.csv"])
def test_both_readers_find_the_same_cells(tmp_path: Path, name: str) -> None:
    cells = ["x", " 007 ", "", "NA", "#N/A", "nan", "None", "NULL", "1.#IND", "none"]
    table = pd.DataFrame({"id": [f"S{number}" for number in range(len(cells))], "cell": cells})
    path, encoding = tmp_path / name, "utf-8-sig" if name == "bom.csv" else "utf-8"
    table.to_csv(path, index=False, sep="\t" if name.endswith(".tsv") else ",", encoding=encoding)
    expected = read_table(path, text=("id", "cell"))["cell"]
    header, rows = read_rows(path)
    found = [row.named(header).get("cell") for row in rows]
    assert found == [None if pd.isna(cell) else cell for cell in expected]
    assert [row.number for row in rows] == list(range(2, len(cells) + 2))


def test_identifiers_stay_text(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("id\tvalue\n 007 \t1\n")
    assert read_table(tmp_path / "t.tsv", text=("id",))["id"].tolist() == ["007"]


def test_fingerprints_follow_content_not_time(tmp_path: Path) -> None:
    path = tmp_path / "slide.svs"
    data = bytearray(np.random.default_rng(0).bytes(BLOCKS * BLOCK_BYTES + 12345))
    path.write_bytes(data)
    before = fingerprint(path)
    path.touch()
    assert fingerprint(path) == before
    data[-1] ^= 1
    path.write_bytes(data)
    assert fingerprint(path) != before
    path.write_bytes(data[:-1])
    assert fingerprint(path) not in (before, "")


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text() | st.lists(st.integers()), max_size=5))
def test_digests_do_not_depend_on_order(values: dict[str, object]) -> None:
    assert digest(values) == digest(dict(reversed(values.items())))
    assert digest(values) != digest(values, 1)


def test_tiles_and_features_survive_a_round_trip(tmp_path: Path) -> None:
    coords = np.array([[0, 0], [512, 0]])
    attributes = {"patch_size": 256, "patch_size_level0": 512.5, "level0_mpp": 0.25, "name": "A"}
    Tiles(coords, attributes).write(tmp_path / "A.h5", "key")
    tiles = Tiles.read(tmp_path / "A.h5")
    np.testing.assert_array_equal(tiles.coords, coords)
    assert tiles.attributes["patch_size_level0"] == 512.5
    assert stored_key(tmp_path / "A.h5") == "key"
    features = Features(np.ones((2, 8), np.float16), coords, "resnet50", "random", tiles.attributes)
    features.write(tmp_path / "F.h5", "other")
    back = Features.read(tmp_path / "F.h5")
    assert (back.encoder, back.weights, back.features.dtype) == ("resnet50", "random", np.float16)
    assert back.attributes["name"] == "A"


def test_clusters_survive_a_round_trip(tmp_path: Path) -> None:
    centres, sizes, labels = np.ones((1, 2, 3), np.float32), np.array([[4, 5]]), {"A": np.zeros(9, int)}
    clusters = Clusters(("P1",), centres, sizes, labels, "e", "random", {"P2": "why"})
    clusters.write(tmp_path / "k2.h5")
    back = Clusters.read(tmp_path / "k2.h5")
    assert (back.patients, back.weights, back.left_out) == (("P1",), "random", {"P2": "why"})
    np.testing.assert_array_equal(back.labels["A"], np.zeros(9))


def test_a_damaged_h5_says_how_to_mend_it(tmp_path: Path) -> None:
    path = tmp_path / "A.h5"
    Tiles(np.zeros((1, 2), int), {}).write(path, "key")
    path.write_bytes(path.read_bytes()[:100])
    assert stored_key(path) is None
    with pytest.raises(InputError, match="--mend"):
        Tiles.read(path)


def test_features_that_do_not_fit_their_coordinates_are_refused(tmp_path: Path) -> None:
    Features(np.ones((2, 8)), np.zeros((3, 2), int), "e", "hub", {}).write(tmp_path / "F.h5", "k")
    with pytest.raises(InputError, match="do not fit"):
        Features.read(tmp_path / "F.h5")


def test_manifests_move_with_their_folder(tmp_path: Path) -> None:
    row = ManifestRow("A", "ok", tmp_path / "tile" / "A.h5", "k", 3, "")
    write_manifest(tmp_path / "tile" / "manifests" / "0.tsv", [row])
    (tmp_path / "tile").rename(tmp_path / "moved")
    (back,) = read_manifest(tmp_path / "moved" / "manifests" / "0.tsv")
    assert back.path.resolve() == (tmp_path / "moved" / "A.h5").resolve()
    assert (back.slide_id, back.key, back.count, back.message) == ("A", "k", 3, "")


def test_decimal_commas_shift_no_column(tmp_path: Path) -> None:
    """Two columns and three cells: pandas would take the first cell for the name of the row."""
    path = tmp_path / "t.csv"
    path.write_text("patient_id,months\nP1,12,5\nP2,3,0\n")
    with pytest.raises(InputError, match="the header is shorter than the rows") as caught:
        read_table(path, required=("patient_id",))
    assert "decimal points" in caught.value.todo
    path.write_text("patient_id,months\nP2,3\nP1,12,5\n")
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_table(path, required=("patient_id",))


@pytest.mark.parametrize("read", [read_table, read_rows])
@pytest.mark.parametrize(
    ("name", "mark", "word"), [("t.csv", ";", "semicolons"), ("t.csv", "\t", "tabs"), ("t.tsv", ",", "commas")]
)
def test_another_separator_is_named(
    tmp_path: Path, read: Callable[..., object], name: str, mark: str, word: str
) -> None:
    path = tmp_path / name
    path.write_text(f"slide_id{mark}patient_id\nS{mark}P\n")
    with pytest.raises(InputError, match="another delimiter") as caught:
        read(path, required=("slide_id", "patient_id"))
    assert f"has {word}" in caught.value.found
