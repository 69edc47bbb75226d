"""Posteriors on the disk: a file is the one before or the new one, and never a part."""

from pathlib import Path
from typing import TYPE_CHECKING

from mlm_tutorial.atomic import write_atomically

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["save_posterior"]


def save_posterior(idata: "xr.DataTree", path: str | Path) -> None:
    """Save a tree as NetCDF; load it with ``xarray.load_datatree(path, engine="h5netcdf")``.

    The file is made in memory first, and takes the place of an earlier one when it is on the disk as a whole. Written
    straight to the disk, a tree whose writer is killed leaves a file that does not open and has replaced the one
    before; where the disk fills up, the library that writes the file can end the whole process.

    Parameters
    ----------
    idata : xarray.DataTree
        What :func:`sample` returns.
    path : str or Path
        Usually ends in ``.nc``.

    Raises
    ------
    OSError
        If the file cannot be written; an earlier file of that name is still there.
    """
    write_atomically(Path(path), idata.to_netcdf(engine="h5netcdf"))
