"""Tables I to VIII and Figures 6 to 8 of the CCL paper, for the models, cohorts and encoders of a config.

``table1``, ``ablations`` and ``figures`` declare the three stages; Snakemake imports them to plan, so they are light.
The same code makes all tables.  They differ in their rows, in the quantity and in the columns of their files.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of the paper."""

    number: int
    """Arabic number, used in file names."""
    roman: str
    subject: str
    text: str
    """Explanation of its rows or numbers, shown on the page."""
    caption: str
    """LaTeX caption; ``{over}``, ``{mean_over}``, ``{encoder}`` and ``{cohort}`` are filled in."""
    columns: tuple[str, ...]
    """Columns of its file: keys of :data:`ccl.results.cells.Cell`."""
    quantity: str = "c_index"
    """Name of the column that holds a cell's value."""
    by_encoder: bool = False
    """Whether it is printed once for each encoder; otherwise each row names its encoder."""

    @property
    def title(self) -> str:
        """Heading of the table."""
        return f"{self.name}: {self.subject}"

    @property
    def name(self) -> str:
        """Table and its Roman numeral."""
        return f"Table {self.roman}"
