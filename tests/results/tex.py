"""What the tests of LaTeX tables share."""

from __future__ import annotations

import re


def tables_of(latex: str) -> list[list[list[str]]]:
    """The cells of each table, headings first; text that LaTeX cannot read is an error."""
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", latex):
        depth += 1 if brace == "{" else -1
        assert depth >= 0, "a brace closes that was never opened"
    assert depth == 0, "a brace is left open"
    opened, closed = (re.findall(rf"\\{word}{{(.*?)}}", latex) for word in ("begin", "end"))
    assert sorted(opened) == sorted(closed)
    text = re.sub(r"(?<!\\)\$.*?(?<!\\)\$|\\label{.*?}", "", latex).replace("{!}{%\n", "")
    assert not re.findall(r"(?<!\\)[#%$_^~]", text), "a special character is not escaped"
    tables = []
    for body in re.findall(r"\\toprule\n(.*?)\\bottomrule", latex, flags=re.DOTALL):
        rows = [re.split(r" (?<!\\)& ", line) for line in body.splitlines() if line != r"\midrule"]
        assert all(row[-1].endswith(r" \\") for row in rows)
        assert len({len(row) for row in rows}) == 1, "rows of different lengths"
        tables.append([[*row[:-1], row[-1].removesuffix(r" \\")] for row in rows])
    return tables
