"""Lists of rows that were not scored: one file a part, and one of the whole job made from them."""

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.scoring.checking import Reject
from pipelines.table_files import put_in_place


def write_part_rejects(path: Path, rejects: Iterable[Reject]) -> None:
    """Write the rejects of one part as CSV without a header, whole; where there is none, there is no file."""
    aside = path.with_name(f".{path.name}.part")
    with aside.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(reject.model_dump().values() for reject in rejects)
    if aside.stat().st_size:
        put_in_place(aside, path)
    else:
        aside.unlink()
        path.unlink(missing_ok=True)


def join_rejects(parts: Sequence[Path], out_path: Path) -> None:
    """Join the lists of parts, in order, under one header; it appears whole. Without any there is no file.

    Parameters
    ----------
    parts : sequence of Path
        As :func:`write_part_rejects` writes them.
    out_path : Path
    """
    if not parts:
        out_path.unlink(missing_ok=True)
        return
    aside = out_path.with_name(f".{out_path.name}.part")
    with aside.open("wb") as stream:
        stream.write((",".join(Reject.model_fields) + "\n").encode())
        for path in parts:
            with path.open("rb") as rows:
                shutil.copyfileobj(rows, stream)
    put_in_place(aside, out_path)
