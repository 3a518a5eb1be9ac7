"""What `ccl models` and docs/methods.md tell of each method."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields

from ccl.data.batch import Shape
from ccl.methods import METHODS, Method, hyper, load
from ccl.methods.recipes import WHOLE_EPOCH, Recipe
from ccl.nn.replicas import Replicas

BLCA_FAMILIES = (94, 334, 521, 468, 1496, 479)
"""Columns of the six gene families on TCGA-BLCA."""

SCHEDULES = {
    "cosine": "cosine schedule with one epoch of warm-up",
    "linear": "linear decay of the learning rate, epoch by epoch",
    "fifth": "a fifth of the learning rate after half the epochs",
}
"""Words for a :class:`ccl.methods.recipes.Recipe`'s schedule; none for a constant rate."""

RESNET50_DIM, PAPER_K, PAPER_INTERVALS = 1024, 6, 4


def blca_shape(method: Method) -> Shape:
    """Return the sizes of TCGA-BLCA with ResNet-50 features, as a method is told of them."""
    reads = set(method.reads)
    return Shape(
        BLCA_FAMILIES if "genomics" in reads else (),
        PAPER_INTERVALS,
        PAPER_K if "clusters" in reads else 0,
        RESNET50_DIM if reads & {"clusters", "bags"} else 0,
    )


def parameters_of(name: str) -> int:
    """Return the count of a method's trained numbers at the sizes of TCGA-BLCA."""
    model = load(name).Model(blca_shape(METHODS[name]), hyper(name, {}), Replicas((0,)))
    return sum(weight.numel() for weight in model.parameters())


def tracks_of(name: str) -> str:
    """Return the tracks on which a method can be trained."""
    return "unified, native" if hasattr(load(name), "NATIVE") else "unified"


def lines() -> list[str]:
    """Return a header and a line per method: what it reads, its parameters, its tracks, where it is from."""
    rows = [("method", "reads", "parameters", "tracks", "from")]
    for name, method in METHODS.items():
        rows.append((name, " + ".join(method.reads), f"{parameters_of(name):,}", tracks_of(name), method.citation))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            text.rjust(width) if column == 2 else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


INTRODUCTION = """# The methods

<!-- Made by `ccl models --markdown > docs/methods.md`; a test holds it to the code. -->

Every method is trained on the same patients, folds and features, and judged by the same statistics:
`snakemake table1` puts all models of a config side by side. **Reads**: `genomics`, the gene families; `clusters`, the
K-means centres of a patient's patches; `bags`, all patches. **Parameters** are those of the network on TCGA-BLCA with
ResNet-50 features. **Tracks**: `unified` trains as the config's `train` section says, the same for every method;
`track: native` as the method's authors do, or where they released nothing, as MCAT's code trains its comparison.
[Adding a method](adding-a-model.md) takes one file.
"""


def page() -> str:
    """Return docs/methods.md: every method with what its module says of it and its hyper-parameters."""
    overview = ["| method | reads | parameters | tracks | from |", "|---|---|---|---|---|"]
    parts = []
    for name, method in METHODS.items():
        reads = ", ".join(method.reads)
        overview.append(
            f"| [`{name}`](#{name}) | {reads} | {parameters_of(name):,} | {tracks_of(name)} | {method.citation} |"
        )
        parts.append(_section(name))
    return "\n".join([INTRODUCTION, *overview, "", *parts]).rstrip() + "\n"


def _section(name: str) -> str:
    module = load(name)
    native = getattr(module, "NATIVE", None)
    told = [] if native is None else [f"Native track: {_recipe(native)}.", ""]
    presets = getattr(module, "PRESETS", {})
    heads = [f"`{preset}`" for preset in presets] or ["default"]
    table = [f"| key | {' | '.join(heads)} | meaning |", "|---|" + "---|" * (len(heads) + 1)]
    for item in fields(module.Hyper):
        values = [preset.get(item.name, item.default) for preset in presets.values()] or [item.default]
        shown = " | ".join(f"`{json.dumps(value)}`" for value in values)
        table.append(f"| `{item.name}` | {shown} | {item.metadata['meaning']} |")
    return "\n".join([f"## `{name}`", "", inspect.cleandoc(module.__doc__ or ""), "", *told, *table, ""])


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
