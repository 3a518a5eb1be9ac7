"""The survival methods: a registry by name, and their hyper-parameters.

A method is one module that holds two names: ``Hyper``, a frozen dataclass of hyper-parameters made with
:func:`parameter`, and ``Model``, a :class:`ccl.methods.interface.SurvivalModel` built from the shape of the data, a
``Hyper`` and the replicas wanted.  It may hold two more: ``PRESETS``, named values of some hyper-parameters, and
``NATIVE``, the :class:`ccl.methods.recipes.Recipe` by which its authors train it.
"""

from __future__ import annotations

import importlib
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import ModuleType
from typing import Any, Literal

from ccl.io.errors import ConfigError


@dataclass(frozen=True)
class Method:
    """What has to be known of a method before it is loaded."""

    name: str
    module: str
    reads: tuple[Literal["clusters", "bags", "genomics"], ...]
    """What it learns from: ``bags`` are all patches of a patient, ``clusters`` the centres that stand for them."""
    citation: str


METHODS = {
    method.name: method
    for method in (
        Method(
            name="snn",
            module="ccl.methods.snn",
            reads=("genomics",),
            citation="Klambauer et al., NeurIPS 2017; for survival Chen et al., ICCV 2021",
        ),
        Method(
            name="snntrans",
            module="ccl.methods.snntrans",
            reads=("genomics",),
            citation="baseline of Zhou, Zhou, Chen, IEEE Trans. Med. Imaging 2024",
        ),
        Method(
            name="maxmil",
            module="ccl.methods.maxmil",
            reads=("bags",),
            citation="baseline of Zhou, Zhou, Chen, IEEE Trans. Med. Imaging 2024",
        ),
        Method(
            name="meanmil",
            module="ccl.methods.meanmil",
            reads=("bags",),
            citation="baseline of Zhou, Zhou, Chen, IEEE Trans. Med. Imaging 2024",
        ),
        Method(
            name="attmil",
            module="ccl.methods.attmil",
            reads=("bags",),
            citation="Ilse, Tomczak, Welling, ICML 2018",
        ),
        Method(
            name="clam-sb",
            module="ccl.methods.clam_sb",
            reads=("bags",),
            citation="Lu et al., Nat. Biomed. Eng. 2021",
        ),
        Method(
            name="clam-mb",
            module="ccl.methods.clam_mb",
            reads=("bags",),
            citation="Lu et al., Nat. Biomed. Eng. 2021",
        ),
        Method(
            name="transmil",
            module="ccl.methods.transmil",
            reads=("bags",),
            citation="Shao et al., NeurIPS 2021",
        ),
        Method(
            name="dtfd-mil",
            module="ccl.methods.dtfd_mil",
            reads=("bags",),
            citation="Zhang et al., CVPR 2022",
        ),
        Method(
            name="dualtrans",
            module="ccl.methods.dualtrans",
            reads=("bags", "genomics"),
            citation="baseline of Zhou, Zhou, Chen, IEEE Trans. Med. Imaging 2024",
        ),
        Method(
            name="mcat",
            module="ccl.methods.mcat",
            reads=("bags", "genomics"),
            citation="Chen et al., ICCV 2021",
        ),
        Method(
            name="m3if",
            module="ccl.methods.m3if",
            reads=("bags", "genomics"),
            citation="Li, Yang et al., MICCAI 2021",
        ),
        Method(
            name="gpdbn",
            module="ccl.methods.gpdbn",
            reads=("bags", "genomics"),
            citation="Wang et al., Bioinformatics 2021",
        ),
        Method(
            name="porpoise",
            module="ccl.methods.porpoise",
            reads=("bags", "genomics"),
            citation="Chen et al., Cancer Cell 2022",
        ),
        Method(
            name="hfbsurv",
            module="ccl.methods.hfbsurv",
            reads=("bags", "genomics"),
            citation="Li et al., Bioinformatics 2022",
        ),
        Method(
            name="survpath",
            module="ccl.methods.survpath",
            reads=("bags", "genomics"),
            citation="Jaume et al., CVPR 2024",
        ),
        Method(
            name="motcat",
            module="ccl.methods.motcat",
            reads=("bags", "genomics"),
            citation="Xu, Chen, ICCV 2023",
        ),
        Method(
            name="cmta",
            module="ccl.methods.cmta",
            reads=("bags", "genomics"),
            citation="Zhou, Chen, ICCV 2023",
        ),
        Method(
            name="ccl",
            module="ccl.methods.ccl.network",
            reads=("clusters", "genomics"),
            citation="Zhou, Zhou, Chen, IEEE Trans. Med. Imaging 2024",
        ),
        Method(
            name="cox-genomics",
            module="ccl.methods.cox",
            reads=("genomics",),
            citation="Cox, J. R. Stat. Soc. B 1972; ridge: Verweij and van Houwelingen, Stat. Med. 1994",
        ),
        Method(
            name="cox-pathology",
            module="ccl.methods.cox",
            reads=("bags",),
            citation="Cox, J. R. Stat. Soc. B 1972; ridge: Verweij and van Houwelingen, Stat. Med. 1994",
        ),
        Method(
            name="cox-multimodal",
            module="ccl.methods.cox",
            reads=("bags", "genomics"),
            citation="Cox, J. R. Stat. Soc. B 1972; ridge: Verweij and van Houwelingen, Stat. Med. 1994",
        ),
    )
}


def get_method(name: str) -> Method:
    """Return the method called `name`, or raise :class:`ConfigError` listing those there are."""
    if name not in METHODS:
        raise ConfigError(
            "unknown method",
            where="config, models",
            found=name,
            expected=", ".join(sorted(METHODS)),
            todo="correct the name",
        )
    return METHODS[name]


def load(name: str) -> ModuleType:
    """Import the module of a method: its ``Hyper`` and its ``Model``."""
    return importlib.import_module(get_method(name).module)


def parameter(
    default: bool | float | str,
    meaning: str,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    multiple_of: int | None = None,
) -> Any:
    """Declare one field of a ``Hyper``, annotated bool, int, float or Literal: its default, meaning and limits."""
    limits = {"minimum": minimum, "maximum": maximum, "multiple_of": multiple_of}
    return field(default=default, metadata={"meaning": meaning, **limits})


def hyper(name: str, overrides: Mapping[str, Any]) -> Any:
    """Return the hyper-parameters of a method, its defaults replaced by `overrides`.

    The key ``preset`` names a set of values to start from, of those in the method's ``PRESETS``.

    Raises
    ------
    ConfigError
        The method or a key is unknown, or a value has the wrong type or lies outside its range.
    """
    module = load(name)
    known = {item.name: item for item in fields(module.Hyper)}
    hints = typing.get_type_hints(module.Hyper)
    presets: Mapping[str, Mapping[str, Any]] = getattr(module, "PRESETS", {})
    if "preset" in overrides and overrides["preset"] not in presets:
        raise ConfigError(
            f"the method {name} has no such preset",
            where=f"config, models: {name}: preset",
            found=str(overrides["preset"]),
            expected=", ".join(presets) or "no preset",
            todo="correct the name, or remove the key",
        )
    own = {key: value for key, value in overrides.items() if key != "preset"}
    for key, value in own.items():
        if key not in known:
            raise ConfigError(
                f"the method {name} has no such hyper-parameter",
                where=f"config, models: {name}",
                found=key,
                expected=", ".join([*known, *(["preset"] if presets else [])]),
                todo="correct the name, or remove the key",
            )
        if not _fits(value, hints[key], known[key].metadata):
            raise ConfigError(
                "a hyper-parameter has a value that it cannot have",
                where=f"config, models: {name}: {key}",
                found=repr(value),
                expected=_wording(hints[key], known[key].metadata),
                todo=f"correct the value, or remove the key to have {known[key].default}",
            )
        if hints[key] is float:
            own[key] = float(value)
    return module.Hyper(**{**presets.get(overrides.get("preset", ""), {}), **own})


def _fits(value: Any, kind: Any, limits: Mapping[str, Any]) -> bool:
    if typing.get_origin(kind) is Literal:
        return value in typing.get_args(kind)
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if not isinstance(value, int if kind is int else (int, float)):
        return False
    if not math.isfinite(value) or not limits["minimum"] <= value <= limits["maximum"]:
        return False
    return limits["multiple_of"] is None or value % limits["multiple_of"] == 0


def _wording(kind: Any, limits: Mapping[str, Any]) -> str:
    if typing.get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    if kind is bool:
        return "true or false"
    words = "a whole number" if kind is int else "a number"
    if limits["multiple_of"] is not None:
        words += f", a multiple of {limits['multiple_of']}"
    if math.isfinite(limits["minimum"]):
        words += f", at least {limits['minimum']}"
    if math.isfinite(limits["maximum"]):
        words += f", at most {limits['maximum']}"
    return words
