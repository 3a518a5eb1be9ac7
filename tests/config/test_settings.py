"""Settings: one name in the config, the dataclass and the command line."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
import pytest
import yaml
from click.testing import CliRunner

from ccl.cluster import ClusterSettings
from ccl.cohort import CohortSettings
from ccl.config.settings import setting, settings_options, to_flags
from ccl.evaluate import EvaluateSettings
from ccl.genomics import GenomicsSettings
from ccl.predict import BundleSettings, PredictSettings
from ccl.report import ReportSettings
from ccl.train import TrainSettings
from ccl.wsi.embed import EmbedSettings
from ccl.wsi.tile import TileSettings
from ccl.wsi.tissue import TissueSettings

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"


@dataclass(frozen=True)
class Settings:
    size_px: int = setting("size")
    ratio: float = setting("ratio")
    mode: Literal["a", "b"] = setting("mode")
    strict: bool = setting("strict")
    names: tuple[str, ...] = setting("names")
    limit: str | None = setting("limit")


@pytest.mark.parametrize("limit", [None, "x y"])
@pytest.mark.parametrize("names", [(), ("one", "it's two")])
def test_flags_come_back_as_the_same_settings(names: tuple[str, ...], limit: str | None) -> None:
    wanted = Settings(256, 1e-05, "b", False, names, limit)
    seen: list[Settings] = []

    @click.command()
    @settings_options(Settings)
    def command(settings: Settings) -> None:
        seen.append(settings)

    result = CliRunner().invoke(command, shlex.split(to_flags(Settings, dataclasses.asdict(wanted))))
    assert result.exit_code == 0, result.output
    assert seen == [wanted]


@pytest.mark.parametrize("missing", ["size_px", "ratio", "mode", "strict"])
def test_an_option_without_a_default_has_to_be_given(missing: str) -> None:
    @click.command()
    @settings_options(Settings)
    def command(settings: Settings) -> None:
        raise AssertionError(settings)

    flags = {"size_px": "--size-px 256", "ratio": "--ratio 1", "mode": "--mode a", "strict": "--no-strict"}
    given = " ".join(flag for name, flag in flags.items() if name != missing)
    result = CliRunner().invoke(command, shlex.split(given))
    assert result.exit_code == 2
    assert "Missing option" in result.output


def test_every_setting_is_in_the_schema_with_a_default_and_a_description() -> None:
    schema = yaml.safe_load(SCHEMA.read_text())["properties"]
    cohort = schema["cohorts"]["additionalProperties"]["properties"]
    known = {
        "cohort": (CohortSettings, schema["cohort"]["properties"] | cohort),
        "tissue": (TissueSettings, schema["tissue"]["properties"]),
        "tile": (TileSettings, schema["tile"]["properties"]),
        "genomics": (GenomicsSettings, schema["genomics"]["properties"] | cohort),
        "cluster": (ClusterSettings, schema["cluster"]["properties"]),
        "train": (TrainSettings, schema["train"]["properties"]),
        "evaluate": (EvaluateSettings, schema["evaluate"]["properties"]),
        "bundle": (BundleSettings, schema["bundle"]["properties"]),
        "predict": (PredictSettings, schema["predict"]["properties"]),
        "report": (ReportSettings, schema["report"]["properties"]),
    }
    for stage, (settings, properties) in known.items():
        for field in dataclasses.fields(settings):
            assert "default" in properties[field.name], (stage, field.name)
            assert properties[field.name]["description"], (stage, field.name)
    assert {f.name for f in dataclasses.fields(EmbedSettings)} == {"encoder", "weights", "sha256", "dtype"}
