"""A config with mistakes is refused in one message that names each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ccl.config.check import check_config, filled, read_config
from ccl.config.sections import Config
from ccl.io.errors import ConfigError, InputError

COHORT = {"patients": "patients.csv"}


def clinical(covariate: dict[str, Any], name: str = "stage") -> dict[str, Any]:
    """Return a cohort with one covariate."""
    return {"cohorts": {"a": {**COHORT, "clinical": {"covariates": {name: covariate}}}}}


def message(**sections: Any) -> str:
    """Return the error message for a valid config with these sections."""
    with pytest.raises(ConfigError) as caught:
        check_config({"cohorts": {"blca": COHORT}, **sections}, ["config/mine.yaml"])
    return str(caught.value)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"modles": {}}, "modles: there is no such key; do you mean `models`?"),
        ({"train": {"lrr": 0.1}}, "train: lrr: there is no such key; do you mean `lr`?"),
        ({"train": {"epochs": "many"}}, 'train: epochs: found "many"; expected a whole number, at least 1'),
        ({"train": {"epochs": True}}, "train: epochs: found true; expected a whole number, at least 1"),
        ({"train": {"lr": "1e-3"}}, "expected a number, above 0; write 0.001, as YAML takes 1e-3 for text"),
        ({"train": {"seeds": [1, 1]}}, "train: seeds: found [1, 1]; expected each value once"),
        (
            {"train": {"seeds": []}},
            "train: seeds: found []; expected a list, each a whole number, at least 0, 1 or more",
        ),
        ({"train": {"device": "gpu"}}, 'train: device: found "gpu"; expected one of auto, cpu, cuda'),
        ({"tile": {"min_tissue": 0}}, "tile: min_tissue: found 0; expected a number, above 0, at most 1"),
        ({"evaluate": {"months": [0]}}, "evaluate: months: found 0; expected a list, each a number, above 0"),
        ({"tissue": None}, "tissue: found null; expected a section of keys"),
        ({"results": ""}, 'results: found ""; expected text, not empty'),
        ({"embed": {"encoders": {"uni": {"sha256": "ab"}}}}, "embed: encoders: uni: sha256: "),
        ({"models": {"ccl": {"k": 1}}}, "models: ccl: k: found 1; expected a whole number, at least 2"),
        ({"models": {"a/b": {}}}, "models: a/b: not a usable name"),
        ({"cohorts": {}}, "cohorts: found {}"),
        (
            {"cohorts": {"a": {}}},
            "cohorts: a: name the table of `patients`, a download `from`, or bundles to `predict_with`",
        ),
        ({"cohorts": {"a": {**COHORT, "gmt": "g.gmt"}}}, "cohorts: a: `gmt` needs `omics` beside it"),
        ({"cohorts": {"a": {**COHORT, "features": {"uni": "f"}}}}, "cohorts: a: `features` needs `slides` beside it"),
        ({"cohorts": {"a": {**COHORT, "time_column": "t"}}}, "cohorts: a: `time_column` needs `endpoint` beside it"),
        ({"cohort": {"by": "site", "stratify": "time"}}, "cohort: `by: site` balances events and size; take"),
        ({"cohort": {"by": "hospital"}}, 'cohort: by: found "hospital"; expected one of patient, site'),
        (
            {"cohorts": {"a": {**COHORT, "omics": {}, "gmt": "g.gmt"}}},
            "cohorts: a: omics: name one or more of wide, rna",
        ),
        (
            {"cohorts": {"a": {**COHORT, "clinical": {"table": "c.csv"}}}},
            "cohorts: a: clinical: covariates: is missing",
        ),
        (clinical({"kind": "nominal"}), 'stage: kind: found "nominal"; expected one of numeric, ordinal, categorical'),
        (clinical({"kind": "ordinal"}), "covariates: stage: an ordinal or categorical covariate needs `levels`"),
        (clinical({"kind": "numeric", "levels": [1, 2]}), "a numeric one has none"),
        (clinical({"kind": "ordinal", "levels": ["I"]}), "`levels` needs two levels or more"),
        (clinical({"kind": "ordinal", "levels": ["I", ["II", "I"]]}), "each value once"),
        (clinical({"kind": "ordinal", "levels": ["I", []]}), "`levels` needs two levels or more"),
        (clinical({"kind": "ordinal", "levels": ["I", True]}), "levels: true is neither text nor a whole number"),
        (clinical({"kind": "numeric", "missing": [9.5]}), "missing: 9.5 is neither text nor a whole number; write it"),
        (clinical({"kind": "numeric"}, "patient_id"), "a covariate may not be named `patient_id`"),
        (clinical({"kind": "numeric"}, "T stage"), "T stage: not a usable name"),
        (
            {"cohorts": {"a": {"predict_with": {"b": "b"}, "clinical": {"covariates": {"x": {"kind": "numeric"}}}}}},
            "cohorts: a: `clinical` needs `table`, as there is no table of `patients`",
        ),
    ],
)
def test_a_mistake_is_one_short_message(sections: dict[str, Any], expected: str) -> None:
    said = message(**sections)
    assert said.startswith("config/mine.yaml has a mistake")
    assert expected in said
    assert len(said.splitlines()) == 2


def test_all_mistakes_are_told_at_once_and_in_at_most_ten_lines() -> None:
    said = message(train={"epochs": 0, "lr": -1, "inner": 2}, tiel={})
    assert said.startswith("config/mine.yaml has 4 mistakes")
    assert len(said.splitlines()) == 5
    many = message(**{f"key{number}": 0 for number in range(30)})
    assert "has 30 mistakes" in many
    assert "and 22 more" in many
    assert len(many.splitlines()) <= 10


def test_a_config_without_cohorts_is_told_what_is_missing() -> None:
    with pytest.raises(ConfigError, match="cohorts: is missing; one entry per cohort"):
        check_config({})


def test_whole_numbers_are_levels_as_text() -> None:
    config = check_config(clinical({"kind": "ordinal", "levels": [0, [1, "1a"], 2], "missing": [-9]}))
    found = config.cohorts["a"].clinical
    assert found
    assert found.covariates["stage"].levels == (("0",), ("1", "1a"), ("2",))
    assert found.covariates["stage"].missing == ("-9",)


def test_a_sound_config_has_types_and_defaults() -> None:
    config = check_config({"cohorts": {"blca": COHORT}, "models": {"ccl": {"cohort_weight": 0.5}}, "tile": {"mpp": 1}})
    assert config.cohorts["blca"].patients == "patients.csv"
    assert config.train.seeds == (0,)
    assert config.tile.mpp == 1.0
    assert list(config.embed.encoders) == ["resnet50"]
    assert config.models["ccl"].hyper == {"cohort_weight": 0.5}


def test_values_stay_as_the_user_wrote_them() -> None:
    written = {"cohorts": {"blca": COHORT}, "models": {"ccl": {"cohort_weight": 1}}, "tissue": {"mpp": 8}}
    values = filled(check_config(written), written)
    assert repr(values["tissue"]["mpp"]) == "8"
    assert values["models"] == {"ccl": {"track": "unified", "cohort_weight": 1}}
    assert values["train"]["seeds"] == [0]
    assert "slides" not in values["cohorts"]["blca"]
    assert values["cohorts"]["blca"]["months_column"] == "months"


def test_broken_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("results: results\ncohorts: [a\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml, line 3, column 1"):
        read_config(path)
    path.write_bytes(b"results: \xc4\n")
    with pytest.raises(ConfigError, match=r"not YAML(.|\n)*mine\.yaml"):
        read_config(path)
    path.write_text("just words")
    with pytest.raises(ConfigError, match="no keys"):
        read_config(path)
    with pytest.raises(InputError, match="no such file"):
        read_config(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("name", ["config", "planted", "tcga"])
def test_the_project_s_own_configs_are_sound(name: str) -> None:
    path = Path(__file__).parents[2] / "config" / f"{name}.yaml"
    assert isinstance(check_config(yaml.safe_load(path.read_text())), Config)
