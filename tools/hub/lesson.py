"""A class at work on a hub while its parts are killed, with measurements."""

import asyncio
import json
import os
import statistics
import time

import psutil

from mlm_tutorial import libraries
from tools import machine
from tools.hub.faults import lose_hub, lose_kernel, lose_proxy, lose_server
from tools.hub.meter import Meter
from tools.hub.server import PROXY
from tools.hub.student import NOTEBOOK, Student
from tools.hub.work import arrive, finish, say

SPARE = 2e9  # bytes that must be free before another student starts


async def check_work(hub, student):
    """Log in again, from another browser, and compare what the server and the disk hold with what the student saw."""
    async with Student(hub.url, student.name, hub.password) as again:
        await again.log_in()
        await again.enter()
        await again.open()
        assert again.notebook == student.notebook, f"the stored notebook of {student.name} is not what was saved"
        counts = [cell.execution_count for cell in again.code_cells()]
        assert counts == sorted(counts), f"cells of {student.name} ran in this order: {counts}"
    path = hub.homes / student.name / NOTEBOOK
    on_disk = json.loads(path.read_text(encoding="utf-8"))
    ours = [cell.source for cell in student.notebook.cells]
    assert ["".join(cell["source"]) for cell in on_disk["cells"]] == ours


async def hold_class(hub, number, stagger):
    """Let students work through notebook 01 while a kernel, a server, the hub and the proxy are killed.

    Parameters
    ----------
    hub : Hub
        A hub that is running.
    number : int
        Students, at least 3.
    stagger : float
        Seconds from one student's start to the next one's.

    Returns
    -------
    dict
        What was measured.
    """
    load, began = os.getloadavg()[0], time.monotonic()
    students, work = [], []
    with Meter(hub, every=max(1.0, number / 10)) as meter:
        try:
            for place in range(number):
                if psutil.virtual_memory().available < SPARE:
                    say(f"memory is short: no more than {place} students")
                    break
                students.append(Student(hub.url, f"student-{place + 1:02}", hub.password))
                work.append(asyncio.create_task(arrive(students[-1])))
                await asyncio.sleep(stagger if place < number - 1 else 0)
            await asyncio.gather(*work)
            first, second, *others = students
            say("killing a kernel, a server and the hub")
            work = [asyncio.create_task(finish(student)) for student in others]
            faults = {"hub": await lose_hub(hub, others, others[:3])}
            results = await asyncio.gather(lose_kernel(hub, first), lose_server(hub, second), *work)
            faults.update(kernel=results[0], server=results[1])
            faults["proxy"] = await lose_proxy(hub, students)
            await asyncio.gather(*(check_work(hub, student) for student in students))
        finally:
            for task in work:
                task.cancel()
            for student in students:
                await student.__aexit__()
        meter.look()
    undisturbed = [student.name for student in others]
    return {
        "date": machine.today(),
        "machine": {
            **machine.record(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "load_before": round(load, 1),
        },
        "versions": {
            **libraries.versions(["jupyterhub", "jupyterlab"]),
            "configurable-http-proxy": json.loads((PROXY / "package.json").read_text(encoding="utf-8"))["version"],
        },
        "students": number,
        "finished": len(students),
        "stagger_seconds": stagger,
        "seconds": round(time.monotonic() - began, 1),
        "seat": summary(meter.seats(undisturbed), others),
        "hub_mb": round(meter.base / 1e6),
        "shared_mb": round(meter.shared / 1e6),
        "class_gb": round(meter.together / 1e9, 2),
        "faults": {name: {key: round(value, 1) for key, value in result.items()} for name, result in faults.items()},
    }


def summary(seats, students):
    """Return median and maximum over students of memory, processor time and the seconds of each step."""
    both = zip(seats["server"]["bytes"], seats["kernel"]["bytes"], strict=True)
    columns = {"mb": [sum(pair) / 1e6 for pair in both]}
    for kind, measured in seats.items():
        columns[kind + "_mb"] = [one / 1e6 for one in measured["bytes"]]
        columns[kind + "_cpu_seconds"] = measured["seconds"]
    for step in ("log_in", "server", "open", "kernel", "run", "save"):
        columns[step + "_seconds"] = [student.seconds[step] for student in students]
    return {
        name: {"median": round(statistics.median(values), 2), "max": round(max(values), 2)}
        for name, values in columns.items()
    }
