"""The steps of a simulated student in class."""

import asyncio
import time

import aiohttp


def say(text):
    """Print a line with the time of day."""
    print(time.strftime("[%H:%M:%S] ") + text, flush=True)


async def until(action, seconds=60, every=0.5):
    """Repeat an action until it raises no error of a connection or of the server; return the seconds it took."""
    began = time.monotonic()
    while True:
        try:
            await action()
            return time.monotonic() - began
        except (aiohttp.ClientError, OSError):
            if time.monotonic() - began > seconds:
                raise
        await asyncio.sleep(every)


async def arrive(student):
    """Log in, open the notebook, run the first half, write a remark and save."""
    await student.log_in()
    await student.start_server()
    await student.open()
    student.clear()
    await student.start_kernel()
    await student.run(0, half(student))
    student.write(f"{student.name} was here")
    await student.save()
    say(f"{student.name} has run and saved the first half")


def half(student):
    """Return the number of code cells in the first half of the notebook."""
    return len(student.code_cells()) // 2


async def finish(student):
    """Run the second half, and save every few cells, as JupyterLab does periodically."""
    cells = len(student.code_cells())
    for first in range(half(student), cells, 3):
        await student.run(first, min(first + 3, cells))
        await student.save()
    say(f"{student.name} has finished")
