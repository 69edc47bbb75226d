"""Cost of students: memory and processor time of every server and kernel of a hub."""

import threading

import psutil


class Meter:
    """Memory and processor time of every seat, measured every few seconds in a thread.

    Memory of a server or kernel is what only that process holds (USS) and would free when it ends; pages
    that all students share, such as those of the libraries' files, are counted once, as `shared`.
    """

    def __init__(self, hub, every=1.0):
        self.hub = hub
        self.every = every
        self.memory = {}  # (student, kind) -> peak bytes
        self.processor = {}  # (student, kind) -> {process: seconds}
        self.together = self.base = self.shared = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._end.set()
        self._thread.join()

    def _watch(self):
        while not self._end.wait(self.every):
            self.look()

    def look(self):
        """Look once."""
        together = unique = base = 0
        for kind, student, process in self.hub.processes():
            try:
                memory, times = process.memory_full_info(), process.cpu_times()
            except psutil.Error:  # it ended while we looked
                continue
            key = student, kind
            self.memory[key] = max(self.memory.get(key, 0), memory.uss)
            self.processor.setdefault(key, {})[process.pid] = times.user + times.system
            together += memory.pss
            unique += memory.uss
        for process in (self.hub.process, self.hub.proxy):
            try:
                base += psutil.Process(process.pid).memory_full_info().pss
            except psutil.Error:
                continue
        self.base = max(self.base, base)
        self.shared = max(self.shared, together - unique)
        self.together = max(self.together, together + base)

    def seats(self, students):
        """Return bytes and processor seconds of each student's server and kernel."""
        return {
            kind: {
                "bytes": [self.memory[student, kind] for student in students],
                "seconds": [sum(self.processor[student, kind].values()) for student in students],
            }
            for kind in ("server", "kernel")
        }
