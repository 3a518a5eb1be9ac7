"""ccl: whole-slide images, genomic tables and follow-up in, survival risk and a report out."""

__version__ = "0.1.0"
