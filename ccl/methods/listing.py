"""The lists of methods of `ccl models` and docs/methods.md; torch is not needed."""

from __future__ import annotations

import inspect
import json
import sys

from ccl.config.keys import keys_of
from ccl.methods import METHODS
from ccl.methods.declaration import WHOLE_EPOCH, Method, Recipe

SCHEDULES = {
    "cosine": "cosine schedule with one epoch of warm-up",
    "linear": "linear decay of the learning rate, epoch by epoch",
    "fifth": "a fifth of the learning rate after half the epochs",
}
"""Words for a :class:`ccl.methods.declaration.Recipe`'s schedule; none for a constant rate."""


def rows() -> list[tuple[str, str, str, str, str]]:
    """Return name, inputs, parameters, tracks and source of each method."""
    return [
        (
            method.name,
            ", ".join(method.reads),
            f"{method.parameters:,}",
            "unified, native" if method.native else "unified",
            method.citation,
        )
        for method in METHODS.values()
    ]


HEADER = ("method", "reads", "parameters", "tracks", "from")


def lines() -> list[str]:
    """Return a header and a line per method."""
    table = [HEADER, *rows()]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if column == HEADER.index("parameters") else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


INTRODUCTION = """# The methods

<!-- Made by `ccl models --markdown > docs/methods.md`; a test compares it with the code. -->

Every method is trained on the same patients, folds and features, and evaluated by the same statistics:
`snakemake table1` puts all models of a config side by side. **Reads**: `genomics`, the gene families; `clusters`, the
K-means centres of a patient's patches; `bags`, all patches. **Parameters** are those of the network on TCGA-BLCA with
ResNet-50 features. **Tracks**: `unified` trains as the config's `train` section says, the same for every method;
`track: native` trains as the method's authors do or, if they released no code, as MCAT's code trains its comparison.
[Adding a method](adding-a-model.md) takes one folder.
"""


def page() -> str:
    """Return docs/methods.md: every method with its documentation and its hyper-parameters."""
    overview = [f"| {' | '.join(HEADER)} |", "|" + "---|" * len(HEADER)]
    overview += [f"| [`{name}`](#{name}) | {' | '.join(others)} |" for name, *others in rows()]
    return "\n".join([INTRODUCTION, *overview, "", *map(_section, METHODS.values())]).rstrip() + "\n"


def _section(method: Method) -> str:
    documentation = inspect.cleandoc(sys.modules[method.package].__doc__ or "")
    native = [] if method.native is None else [f"Native track: {_recipe(method.native)}.", ""]
    heads = [f"`{preset}`" for preset in method.presets] or ["default"]
    table = [f"| key | {' | '.join(heads)} | meaning |", "|---|" + "---|" * (len(heads) + 1)]
    for name, info in keys_of(method.hyper).items():
        values = [preset.get(name, info.default) for preset in method.presets.values()] or [info.default]
        shown = " | ".join(f"`{json.dumps(value)}`" for value in values)
        table.append(f"| `{name}` | {shown} | {info.description} |")
    return "\n".join([f"## `{method.name}`", "", documentation, "", *native, *table, ""])


def _recipe(recipe: Recipe) -> str:
    words = [recipe.optimiser, f"learning rate {recipe.lr:g}", f"weight decay {recipe.weight_decay:g}"]
    words += [f"{recipe.epochs} epochs", f"{recipe.sampling} sampling"]
    patients = "all" if recipe.accumulate == WHOLE_EPOCH else str(recipe.accumulate)
    words += [f"a step for {patients} patients"] if recipe.accumulate > 1 else []
    words += [f"gradients clipped at {recipe.clip:g}"] if recipe.clip is not None else []
    words += [SCHEDULES[recipe.schedule]] if recipe.schedule in SCHEDULES else []
    words += [f"alpha {recipe.nll_alpha:g} in the likelihood"] if recipe.nll_alpha else []
    words += [f"`{key}: {value:g}`" for key, value in recipe.hyper.items()]
    return ", ".join(words)
