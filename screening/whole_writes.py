"""Files and folders that appear whole or not at all: written aside, then renamed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_folder_whole(folder: Path, *, is_private: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill; it takes the place of ``folder`` only if the block ends without an error.

    After an error nothing of it is left. After a kill a hidden ``.NAME.part`` may be; the next call removes it. With
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
    aside, old = (folder.with_name(f".{folder.name}.{suffix}") for suffix in ("part", "old"))
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)
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


def write_text_whole(path: Path, text: str) -> None:
    """Write a UTF-8 text file aside, then rename it; parent folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
