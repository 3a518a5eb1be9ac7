"""The sub-commands that train networks and use them; no logic."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ccl.cli.options import DEVICE, PATH, THREADS
from ccl.config.options import key_option, settings_options
from ccl.config.sections import (
    BundleSettings,
    EvaluateSettings,
    Model,
    PredictSettings,
    Train,
    TrainSettings,
    ValidateSettings,
)


def stage_files(command: Any) -> Any:
    """Add the options for the files that a method reads to a command."""
    for option in (
        click.option("--manifests", type=PATH, multiple=True, help="manifest of features (repeat)"),
        click.option("--slides", type=PATH, help="sample sheet of slides"),
        click.option("--clusters", type=PATH, help="file of the cluster stage"),
        click.option("--genomics", type=PATH, help="file of the genomics stage"),
        click.option("--clinical", type=PATH, help="file of the clinical stage"),
        click.option("--vectors", type=PATH, help="file of the vectors stage"),
    ):
        command = option(command)
    return command


def _inputs(options: dict[str, Any]) -> Any:
    """Return the inputs of training from a command's options."""
    from ccl.data.fold import Inputs

    return Inputs(**{field.name: options.pop(field.name) for field in fields(Inputs)})


@click.command("train")
@click.option("--cohort", required=True, help="name of the cohort")
@click.option("--encoder", required=True, help="name of the encoder, none for a method that reads no slides")
@click.option("--model", required=True, help="name of the run's folder and of its row in the tables")
@click.option("--method", required=True, help="the method, one of `ccl models`")
@click.option("--fold", type=int, required=True, help="fold to train")
@click.option("--patients", type=PATH, required=True, help="patients.csv of the cohort stage")
@click.option("--folds", type=PATH, required=True, help="folds.csv of the cohort stage")
@stage_files
@click.option("--out", type=PATH, required=True, help="folder of the run")
@key_option(Model, "track")
@key_option(Train, "bags")
@click.option("--overrides", default="{}", help="hyper-parameters that differ from the method's defaults, as JSON")
@click.option("--synthetic/--real", default=False, help="whether the cohort is synthetic")
@DEVICE
@THREADS
@settings_options(TrainSettings)
def train(overrides: str, **options: Any) -> None:
    """Train a method on one fold."""
    from ccl.train.stage import train_fold

    train_fold(overrides=json.loads(overrides), inputs=_inputs(options), **options)


@click.command("bundle")
@click.argument("runs", type=PATH, nargs=-1, required=True)
@click.option("--patients", type=PATH, required=True, help="patients.csv of the cohort stage")
@click.option("--folds", type=PATH, required=True, help="folds.csv of the cohort stage")
@stage_files
@click.option("--preprocessing", default="{}", help="sections of the config that made these files, as JSON")
@click.option("--tissue", type=PATH, multiple=True, help="manifest of outlined slides, for their colour (repeat)")
@click.option("--about", default="", help="whose patients these are, for readers")
@click.option("--out", type=PATH, required=True, help="folder of the bundle")
@settings_options(BundleSettings)
def bundle(runs: tuple[Path, ...], preprocessing: str, **options: Any) -> None:
    """Pack the folds (RUNS) of a model for new patients.

    The other options name the files that the folds were trained on.
    """
    from ccl.predict.bundle import make_bundle

    make_bundle(runs=runs, inputs=_inputs(options), preprocessing=json.loads(preprocessing), **options)


@click.command("predict")
@click.option("--bundle", type=PATH, required=True, help="folder that `ccl bundle` wrote")
@stage_files
@click.option("--out", type=PATH, required=True, help="folder of the predictions")
@DEVICE
@THREADS
@settings_options(PredictSettings)
def predict(**options: Any) -> None:
    """Predict the risk of patients without follow-up."""
    from ccl.predict.stage import predict_patients

    predict_patients(**options)


@click.command("validate")
@click.argument("prediction", type=PATH)
@click.option("--bundle", type=PATH, required=True, help="folder of the bundle that made the predictions")
@click.option("--patients", type=PATH, required=True, help="patients.csv of the new cohort's cohort stage")
@stage_files
@click.option("--tissue", type=PATH, multiple=True, help="manifest of outlined slides, for their colour (repeat)")
@click.option("--about", default="", help="whose patients these are, for readers")
@click.option("--cohort", required=True, help="name of the new cohort")
@click.option("--name", required=True, help="name of the bundle")
@click.option("--synthetic/--real", default=False, help="whether the cohort is synthetic")
@key_option(EvaluateSettings, "months")
@settings_options(ValidateSettings)
def validate(**options: Any) -> None:
    """Score the predictions of a bundle in the folder PREDICTION by the patients' follow-up."""
    from ccl.validate.stage import validate_bundle

    validate_bundle(**options)


COMMANDS = (train, bundle, predict, validate)
