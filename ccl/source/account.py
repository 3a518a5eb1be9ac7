"""What a download was found to hold, and what was chosen, dropped or doubtful: for the log and ``summary.json``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 3
"""Names that are shown of what was dropped."""


@dataclass
class Account:
    """A record of how a download was read; each line also goes to the log."""

    read: dict[str, Any] = field(default_factory=dict)
    """Facts about the tables, by their kind."""
    dropped: list[dict[str, Any]] = field(default_factory=list)
    """What was left out or resolved: ``table``, ``reason``, ``count`` and ``examples``."""
    warnings: list[str] = field(default_factory=list)

    def tell(self, table: str, **facts: Any) -> None:
        """Record facts about a table."""
        self.read.setdefault(table, {}).update(facts)
        _log(f"{table}: " + ", ".join(f"{name} {_words(value)}" for name, value in facts.items()))

    def drop(self, table: str, reason: str, names: Iterable[str]) -> None:
        """Record names that were left out or resolved; nothing if there are none."""
        every = list(names)
        if every:
            self.dropped.append({"table": table, "reason": reason, "count": len(every), "examples": every[:EXAMPLES]})
            shown = ", ".join(every[:EXAMPLES]) + (", ..." if len(every) > EXAMPLES else "")
            _log(f"{table}: {len(every)} {reason}: {shown}")

    def warn(self, text: str) -> None:
        """Record a warning."""
        self.warnings.append(text)
        _log(f"warning: {text}")


def _words(value: Any) -> str:
    """Return a fact for the log: counts by name in brackets."""
    if isinstance(value, Mapping):
        return f"({', '.join(f'{name} {count}' for name, count in value.items())})"
    return str(value)


def _log(line: str) -> None:
    print(line, file=sys.stderr)
