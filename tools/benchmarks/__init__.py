"""Measurements of speed, memory and accuracy: ``python course.py bench``."""
