"""What sufficient statistics and good coordinates buy, measured: ``python course.py bench``."""
