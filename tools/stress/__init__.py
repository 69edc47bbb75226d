"""Long tests: random structures, and many fits in one process."""
