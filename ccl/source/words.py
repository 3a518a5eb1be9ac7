"""What ``summary.json`` of a download says, in sentences for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccl.pages.numbers import plural

TITLES = {"cbioportal": "a study of cBioPortal", "gdc": "a download from the GDC", "xena": "a hub of UCSC Xena"}


def notes(summary: Mapping[str, Any]) -> list[str]:
    """Return where a cohort is from, and what was doubtful of it."""
    kinds = ", ".join(summary["kinds"])
    whole = f", of whom {summary['complete']} have all of {kinds}" if kinds else ""
    return [
        f"Read from {TITLES[summary['layout']]}: {plural(summary['patients'], 'patient')}{whole}.",
        *summary["warnings"],
    ]
