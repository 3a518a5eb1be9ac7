"""Whole-slide images: reading, tissue, patches, quality control and patch features."""
