"""For instructors: notebooks of exercises from their sources, and the grading of a class."""
