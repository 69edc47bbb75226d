"""A JupyterHub on this machine with simulated students: ``python course.py class``."""
