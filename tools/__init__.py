"""The work of the commands of ``course.py``: one module for each job."""
