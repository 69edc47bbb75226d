"""Measurements of what sufficient statistics and good coordinates gain: ``python course.py bench``."""
