"""One seed a notebook, which an environment variable can replace."""

import os

__all__ = ["notebook_seed"]


def notebook_seed(default: int) -> int:
    """Return the seed of a notebook: `default`, or the environment variable ``MLM_SEED`` where it is set.

    A statement that holds for one lucky seed alone is not worth teaching. Run all notebooks with another seed by
    setting the variable.

    Parameters
    ----------
    default : int
        The notebook's own seed.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the variable is set to something that is no non-negative integer.
    """
    given = os.environ.get("MLM_SEED", "")
    if not given:
        return default
    if not given.isdecimal():
        raise ValueError(f"the environment variable MLM_SEED must be a non-negative integer, got {given!r}")
    return int(given)
