"""config/README.md documents every key of the schema, with its default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
PROPERTIES = SCHEMA["properties"]


def rows(properties: dict[str, Any]) -> list[str]:
    """One line of a Markdown table per key."""
    defaults = {key: f"`{json.dumps(value['default'])}`" for key, value in properties.items() if "default" in value}
    return [
        f"| `{key}` | {defaults.get(key, '')} | {value['description']} |"
        for key, value in properties.items()
        if not value.get("properties")
    ]


SECTIONS = {
    "top": {key: value for key, value in PROPERTIES.items() if not value.get("properties")},
    "cohorts": PROPERTIES["cohorts"]["additionalProperties"]["properties"],
    "models": PROPERTIES["models"]["additionalProperties"]["properties"],
    "encoders": PROPERTIES["embed"]["properties"]["encoders"]["additionalProperties"]["properties"],
} | {key: value["properties"] for key, value in PROPERTIES.items() if value.get("properties")}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_documented(section: str) -> None:
    text = (ROOT / "config" / "README.md").read_text()
    missing = [row for row in rows(SECTIONS[section]) if row not in text]
    assert not missing, "\n".join(missing)
