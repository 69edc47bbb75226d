"""A check that runs before the cell it needs says so, in one sentence instead of a traceback."""

import ast
import linecache
from types import TracebackType
from typing import Any

__all__ = ["explain_in_ipython", "load_ipython_extension"]


def explain_in_ipython() -> None:
    """Let IPython, where it runs, explain a name that a check needs and that is not defined."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None and not shell.custom_exceptions:  # somebody's own handler stays
        shell.set_custom_exc((NameError,), _show)


def load_ipython_extension(shell: Any) -> None:
    """Explain from the start of a kernel; then a check is explained even before the course's package is imported."""
    explain_in_ipython()


def _show(shell: Any, kind: type, error: NameError, trace: TracebackType, tb_offset: int | None = None) -> None:
    """Show an error as IPython does, or as one sentence if it is one of a check."""
    if sentence := _explained(error, trace):
        error._render_traceback_ = lambda: [sentence]  # type: ignore[attr-defined]  # IPython asks for it
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _explained(error: NameError, trace: TracebackType) -> str:
    """Return a sentence if a cell handed a name to a check that is not defined, else an empty text."""
    while trace.tb_next:
        trace = trace.tb_next
    try:
        tree = ast.parse("".join(linecache.getlines(trace.tb_frame.f_code.co_filename)))
    except SyntaxError:  # a cell with commands of IPython, for instance
        return ""
    for call in ast.walk(tree):
        match call:
            case ast.Call(func=ast.Attribute(attr="check"), args=[ast.Constant(value=str(task)), *_]):
                names = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
                if error.name in names and call.lineno <= trace.tb_lineno <= (call.end_lineno or call.lineno):
                    cell = "first code cell of the notebook" if error.name == "mlm" else "cell above"
                    return (
                        f"{task} needs {error.name}, which is not defined yet: "
                        f"run the {cell}, which defines it, and then this check again."
                    )
    return ""
