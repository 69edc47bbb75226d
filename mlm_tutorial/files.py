"""Posteriors on disk, saved atomically: a file is the old one or the new one, never a partial one."""

from pathlib import Path
from typing import TYPE_CHECKING

from mlm_tutorial.atomic import write_atomically

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["save_posterior"]


def save_posterior(idata: "xr.DataTree", path: str | Path) -> None:
    """Save a tree as NetCDF; load it with ``xarray.load_datatree(path, engine="h5netcdf")``.

    The file is made in memory first, and replaces an earlier one when it is complete on the disk. If a tree were
    written straight to the disk, a killed process would leave a file that does not open in place of the earlier one;
    and when the disk is full, the library that writes the file can end the whole process.

    Parameters
    ----------
    idata : xarray.DataTree
        Made by :func:`sample`.
    path : str or Path
        Usually ends in ``.nc``.

    Raises
    ------
    OSError
        If the file cannot be written; an earlier file of that name is still there.
    """
    write_atomically(Path(path), idata.to_netcdf(engine="h5netcdf"))
