"""One process at a time in a folder."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from screening.exceptions import ConfigError

LOCK = ".lock"


@contextmanager
def lock_folder(folder: Path, refusal: str) -> Iterator[None]:
    """Make a folder and work in it alone; a folder in which nothing was made is removed again.

    The lock goes with its process, however that ends.

    Parameters
    ----------
    folder : Path
    refusal : str
        What to say if another process works there.

    Raises
    ------
    ConfigError
        If another process works there, or the folder cannot be made.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{folder.parent} cannot be written to: {error.strerror}; name another output"
        raise ConfigError(message) from error
    try:
        with FileLock(folder / LOCK, timeout=0):
            try:
                yield
            finally:
                if folder.is_dir() and [path.name for path in folder.iterdir()] == [LOCK]:
                    shutil.rmtree(folder)  # nothing was made: leave nothing behind
    except Timeout as error:
        raise ConfigError(refusal) from error
