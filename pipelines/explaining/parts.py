"""Long work in parts: what is finished waits beside the output, and an interrupted call goes on from there."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipelines.folder_lock import lock_folder
from pipelines.table_files import write_table_whole


@dataclass(frozen=True)
class Parts:
    """A folder of finished parts."""

    folder: Path

    def take(self, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """Read a part, after making it if it is not there; a part is there whole or not at all."""
        path = self.folder / f"{name}.parquet"
        if not path.is_file():
            write_table_whole(make(), path)
        return pd.read_parquet(path)


@contextmanager
def keep_parts(out_path: Path, fingerprint: str) -> Iterator[Parts]:
    """Work in parts in a hidden folder beside an output; they go once the work is done, and stay if it is not.

    Parts of other work for the same output stay: it may be gone on with.

    Parameters
    ----------
    out_path : Path
    fingerprint : str
        Names the work, so that parts of other work are never taken for its own.

    Raises
    ------
    ConfigError
        If another process writes the same output.
    """
    root = out_path.with_name(f".{out_path.name}.parts")
    with lock_folder(root, f"another process writes {out_path}; wait for it, or name another output"):
        folder = root / fingerprint
        folder.mkdir(exist_ok=True)
        yield Parts(folder)
        shutil.rmtree(folder)
