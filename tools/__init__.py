"""What the commands of ``course.py`` do: one module for each job."""
