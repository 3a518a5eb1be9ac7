"""config/README.md lists every key, as it is declared."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import yaml

from ccl.clinical.table import covariates_of
from ccl.config.check import check_config
from ccl.config.keys import keys_of
from ccl.config.page import START, TABLES, fill_tables, json_schema
from ccl.config.sections import Config

PAGE = (Path(__file__).parents[2] / "config" / "README.md").read_text()


def test_the_tables_are_those_of_the_declarations() -> None:
    assert fill_tables(PAGE) == PAGE, "run `ccl config --tables config/README.md`"


def test_every_section_has_its_table() -> None:
    assert not [name for name in TABLES if START.format(name) not in PAGE]
    assert {field.name for field in fields(Config) if is_dataclass(keys_of(Config)[field.name].default_factory)} <= set(
        TABLES
    )


@pytest.mark.parametrize("page", ["config/README.md", "docs/clinical.md"])
def test_an_example_of_covariates_is_a_config(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text()
    (example,) = (block for block in re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL) if "covariates:" in block)
    clinical = check_config(yaml.safe_load(example)).cohorts["mine"].clinical
    assert clinical
    assert covariates_of(clinical)[2].levels == ("Stage I", "Stage II", "Stage III", "Stage IV")


def test_every_key_has_a_meaning() -> None:
    assert not [
        (name, key) for name, cls in TABLES.items() for key, info in keys_of(cls).items() if not info.description
    ]


def test_the_schema_is_one_that_editors_read() -> None:
    schema = json.loads(json_schema())
    assert schema["required"] == ["cohorts"]
    assert "min_tissue" in json.dumps(schema)
