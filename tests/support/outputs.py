"""Outputs of notebooks, made up."""

from tools.comparison import compare
from tools.outputs import read_outputs


def printed(*texts):
    """Return the outputs of a notebook whose cells print these texts."""
    return read_outputs({"cells": [{"outputs": [stream(text)]} for text in texts]})


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def shown(table):
    """Return the outputs of a notebook that shows a table."""
    data = {"text/html": table.to_html(), "text/plain": table.to_string()}
    return read_outputs({"cells": [{"outputs": [{"output_type": "execute_result", "data": data}]}]})


def statuses(stored, fresh, again=None, others=()):
    return [verdict.status for verdict in compare(stored, fresh, again, others)]


def numbers(outputs):
    return [token.value for output in outputs for token in output.tokens if token.value is not None]
