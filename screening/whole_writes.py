"""Files and folders that appear whole or not at all: written aside, then renamed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_folder_whole(folder: Path, *, is_private: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill; it takes the place of ``folder`` only if the block ends without an error.

    After an error nothing of it is left. After a kill a hidden ``.NAME.part`` (the unfinished folder) and ``.NAME.old``
    (the one before) may be, with all that was in them; the next call, or :func:`remove_leftovers`, removes them. With
    ``is_private``, for texts, only its owner can read it: the folder is closed before it is filled, files at the end.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "out"
    >>> with write_folder_whole(target) as aside:
    ...     _ = (aside / "a.txt").write_text("done")
    >>> (target / "a.txt").read_text()
    'done'
    """
    remove_leftovers(folder)
    aside, old = _name_aside(folder)
    aside.mkdir(parents=True, mode=0o700 if is_private else 0o777)
    try:
        yield aside
        if is_private:
            for path in aside.rglob("*"):
                path.chmod(0o700 if path.is_dir() else 0o600)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    if folder.exists():
        folder.rename(old)
    aside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed :func:`write_folder_whole` left beside a folder; no other process may be writing it.

    A kill between the two renames leaves the folder of before as ``.NAME.old`` alone: it gets its name back.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "out"
    >>> target.with_name(".out.part").mkdir()
    >>> remove_leftovers(target)
    >>> list(target.parent.iterdir())
    []
    """
    aside, old = _name_aside(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)


def _name_aside(folder: Path) -> tuple[Path, Path]:
    """Name where a folder is filled, and where the one before waits until that has taken its place."""
    return folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")


def write_text_whole(path: Path, text: str) -> None:
    """Write a UTF-8 text file aside, then rename it; parent folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
