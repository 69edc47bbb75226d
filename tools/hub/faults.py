"""Processes that are killed while a class is at work, and checks of the state afterwards."""

import asyncio
import contextlib
import time

import aiohttp
import psutil

from tools.hub.student import KernelDied
from tools.hub.work import finish, half, until


async def lose_kernel(hub, student):
    """Kill the kernel while a student works; the student runs everything again."""
    before = student.copy()
    running = asyncio.create_task(student.execute("import time; time.sleep(600)"))
    await asyncio.sleep(1)
    hub.kill("kernel", student.name)
    began = time.monotonic()
    try:
        await running
        raise AssertionError("the kernel was killed, and nobody noticed")
    except KernelDied:
        noticed = time.monotonic() - began
    assert await student.read() == before, "what was saved before the kernel died has changed"
    student.write(f"{student.name} wrote this without a kernel")
    await student.save()
    await student.start_kernel()
    await student.run(0, half(student))
    await finish(student)
    return {"noticed_seconds": noticed}


async def lose_server(hub, student):
    """Kill a student's server while it saves one version after the other; the student starts it again."""
    acknowledged = attempted = 0

    async def save_on_and_on():
        nonlocal acknowledged, attempted
        while True:
            student.write(f"version {attempted + 1} of {student.name}")
            attempted += 1
            await student.save()
            acknowledged = attempted

    saving = asyncio.create_task(save_on_and_on())
    while acknowledged < 5 and not saving.done():
        await asyncio.sleep(0.05)
    hub.kill("server", student.name)
    began = time.monotonic()
    with contextlib.suppress(aiohttp.ClientError, OSError):
        await asyncio.wait_for(saving, 60)
    seen = student.copy()  # the page in the browser is still open
    await until(student.start_server, 300)
    back = time.monotonic() - began
    left = [process for kind, _, process in hub.processes(student.name) if kind == "kernel"]
    assert not psutil.wait_procs(left, timeout=30)[1], "the kernel of the killed server still takes memory"
    stored = (await student.read()).cells[-1].source
    allowed = [f"version {number} of {student.name}" for number in range(acknowledged, attempted + 1)]
    assert stored in allowed, f"saved up to version {acknowledged}, found {stored!r}"
    student.notebook = seen
    student.write(f"{student.name} wrote this without a server")
    await student.save()
    await student.start_kernel()
    await student.run(0, half(student))
    await finish(student)
    return {"saves_before": acknowledged, "back_seconds": back}


async def lose_hub(hub, at_work, students):
    """Kill the hub while students run cells, let some of them save without it, and start it again."""
    servers = {process.pid for kind, _, process in hub.processes() if kind == "server"}
    async with asyncio.timeout(60):
        while not any(student.running for student in at_work):
            await asyncio.sleep(0.01)
    hub.kill("hub")
    assert not hub.answers()
    for student in students:
        student.write(f"{student.name} wrote this without a hub")
        await student.save()
        assert (await student.read()).cells[-1].source == student.remark()
    began = time.monotonic()
    await asyncio.to_thread(hub.start)
    back = time.monotonic() - began
    assert servers == {process.pid for kind, _, process in hub.processes() if kind == "server"}
    return {"saves_without_hub": len(students), "back_seconds": back}


async def lose_proxy(hub, students):
    """Kill the proxy, start it again and wait until it leads to every student's server."""
    hub.kill("proxy")
    hub.start_proxy()
    return {"back_seconds": max(await asyncio.gather(*(until(student.read) for student in students)))}
