"""One score table from the parts of a finished job, a part at a time."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.table_files import put_in_place


def assemble(parts: Sequence[Path], out_path: Path) -> None:
    """Write the parts, in order, as one Parquet, CSV or JSONL file; it appears whole or not at all.

    Parameters
    ----------
    parts : sequence of Path
        At least one, all with the same columns.
    out_path : Path
    """
    aside = out_path.with_name(f".{out_path.name}.part")
    try:
        if out_path.suffix.lower() == ".parquet":
            _join_parquet(parts, aside)
        else:
            _join_text(parts, aside, is_csv=out_path.suffix.lower() == ".csv")
        put_in_place(aside, out_path)
    finally:
        aside.unlink(missing_ok=True)


def _join_parquet(parts: Sequence[Path], aside: Path) -> None:
    import pyarrow.parquet as pq

    own = {b"pandas"}  # the counts and rejects of a single part stay out
    first = pq.read_schema(parts[0])
    kept = {key: value for key, value in (first.metadata or {}).items() if key in own}
    schema = first.with_metadata(kept)
    with pq.ParquetWriter(aside, schema) as writer:
        for part in parts:
            writer.write_table(pq.read_table(part).replace_schema_metadata(kept))


def _join_text(parts: Sequence[Path], aside: Path, *, is_csv: bool) -> None:
    import pandas as pd

    with aside.open("w", encoding="utf-8", newline="") as stream:
        for number, part in enumerate(parts):
            table = pd.read_parquet(part)
            if is_csv:
                table.to_csv(stream, index=False, header=number == 0)
            elif len(table):
                table.to_json(stream, orient="records", lines=True, force_ascii=False, double_precision=15)
