"""The two hospitals of the synthetic cohorts, and what differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Name = Literal["first", "second"]

WEIGHTS = {"shared": 1.7, "pathology": 0.9, "genomics": 1.6, "synergy": 0.9}
"""Weight of each part in the log-risk; the parts have unit variance."""

GLASS = (244.0, 242.0, 245.0)
"""Red, green and blue of empty glass."""


@dataclass(frozen=True)
class Hospital:
    """What a hospital's patients, slides and tables are like; the defaults are those of the first."""

    prefix: str = "DEMO"
    """Start of the patients' names."""
    streams: tuple[int, ...] = ()
    """Further words of the seeds of what is drawn for its patients; what both hospitals share is drawn without them."""
    weights: Mapping[str, float] = field(default_factory=lambda: WEIGHTS)
    """Weight of each part in the log-risk."""
    unseen: float = 0.0
    """Weight of a part of the log-risk that shows neither in slides nor in genes nor in covariates."""
    hazard: float = 1.0
    """Factor of everybody's hazard."""
    observed: float = 0.5
    """Share of the deaths that are observed; the others are censored."""
    mpp: float = 0.5
    """um/px of the scanner at level 0."""
    stains: tuple[float, float] = (1.0, 1.0)
    """Factors of haematoxylin and eosin."""
    glass: tuple[float, float, float] = GLASS
    """Colour of empty glass."""
    expression: tuple[float, float] = (1.0, 0.0)
    """Factor and shift of the table of expression."""

    @property
    def differences(self) -> list[str]:
        """What was planted, a phrase for each difference from the first hospital."""
        first = Hospital()
        weights = [f"{part} {self.weights[part]:g} (first hospital: {old:g})" for part, old in first.weights.items()]
        told = {
            f"weights of the risk: {', '.join(weights)}": self.weights != first.weights,
            f"a part of the risk that nothing shows, with weight {self.unseen:g}": self.unseen,
            f"everybody's hazard is {self.hazard:g} times as high": self.hazard != first.hazard,
            f"{self.observed:.0%} of the deaths are observed ({first.observed:.0%})": self.observed != first.observed,
            f"a scanner of {self.mpp:g} um/px ({first.mpp:g})": self.mpp != first.mpp,
            f"haematoxylin times {self.stains[0]:g}, eosin times {self.stains[1]:g}": self.stains != first.stains,
            "tinted glass": self.glass != first.glass,
            f"expression times {self.expression[0]:g}, plus {self.expression[1]:g}": self.expression
            != first.expression,
        }
        return [phrase for phrase, there in told.items() if there]


HOSPITALS: Mapping[Name, Hospital] = {
    "first": Hospital(),
    "second": Hospital(
        prefix="SOUTH",
        streams=(1,),
        weights={"shared": 1.7, "pathology": 0.9, "genomics": 0.4, "synergy": 0.9},
        unseen=1.2,
        hazard=3.0,
        observed=0.4,
        mpp=0.375,
        stains=(1.25, 0.8),
        glass=(240.0, 236.0, 226.0),
        expression=(2.0, 3.0),
    ),
}
"""The hospitals by the name that the command takes."""
