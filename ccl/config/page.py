"""The keys as tables of Markdown, for config/README.md, and as a JSON schema, for editors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from ccl.config import cohort_sections, sections
from ccl.config.keys import default_of, keys_of

START, END = "<!-- keys: {} -->", "<!-- end of keys -->"
"""Between these lines of a page stands the table of a section."""

TABLES: Mapping[str, Any] = {
    "top": sections.Config,
    "demo": sections.Demo,
    "cohorts": cohort_sections.Cohort,
    "download": cohort_sections.Download,
    "from": cohort_sections.Source,
    "from: rna": cohort_sections.ExpressionSource,
    "from: cnv": cohort_sections.CopyNumberSource,
    "from: snv": cohort_sections.MutationSource,
    "omics": cohort_sections.Omics,
    "clinical": cohort_sections.Clinical,
    "covariate": cohort_sections.Covariate,
    "vector source": cohort_sections.VectorSource,
    "encoders": sections.Encoder,
    "models": sections.Model,
    **{
        name: info.default_factory
        for name, info in keys_of(sections.Config).items()
        if hasattr(info.default_factory, "__pydantic_fields__")
    },
}
"""The sections by the name of their table."""


def fill_tables(page: str) -> str:
    """Return a page with the table of keys between each pair of marks."""
    for name, cls in TABLES.items():
        start, table = START.format(name), _table(cls)
        before, mark, rest = page.partition(f"{start}\n")
        if mark:
            page = f"{before}{mark}\n{table}\n\n{END}" + rest.partition(END)[2]
    return page


def _table(cls: type) -> str:
    rows = [
        f"| `{name}` | {_default(info)} | {info.description} |"
        for name, info in keys_of(cls).items()
        if name != "hyper" and not hasattr(info.default_factory, "__pydantic_fields__")
    ]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])


def _default(info: Any) -> str:
    value = default_of(info)
    if value is None:
        return ""
    return f"`{json.dumps(value, default=lambda section: {})}`"


def json_schema() -> str:
    """Return the JSON schema of the config, by which editors complete and check it."""
    return json.dumps(TypeAdapter(sections.Config).json_schema(), indent=2)
