"""Slides: opening them, their scale, patches and thumbnails at a scale in um, and pictures for quality control."""
