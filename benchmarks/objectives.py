"""Every training method beside plain cross-entropy, on every data set, with several seeds.

    OMP_NUM_THREADS=1 python benchmarks/objectives.py --data reddit2013 emotion      # hours; stop and start at will
    python benchmarks/objectives.py --table                                          # writes results/objectives.md

A cell is one system, data set and seed: trained, its epoch chosen on validation, its threshold calibrated, and read on
test once; an encoder once more with the word model's logits beside its own. Each finished cell is a line of the results
file, of an encoder two, with its predictions as class numbers (no text), so that the table and its paired intervals
come from that file alone; lines of other settings than the present ones stay in the file and out of the table. Killed
in the middle of a cell, the next call goes on from its last checkpoint; a second process takes other cells.
"""

import argparse
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from objectives_cells import ABLATIONS, DATA, SYSTEMS, WORK, Cell, list_names
from objectives_table import render_page
from objectives_training import run_cell
from rich.console import Console

from pipelines.folder_lock import lock_folder
from screening.exceptions import ConfigError

RESULTS = Path(__file__).parent / "results" / "objectives.jsonl"


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read what finished cells wrote; a line cut off by a kill is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(json.JSONDecodeError):
            lines.append(json.loads(text))
    return lines


def append_results(path: Path, lines: list[dict[str, Any]]) -> None:
    """Append what a cell wrote; what a kill cut off before stays a line of its own."""
    is_cut = path.exists() and path.read_bytes()[-1:] not in {b"", b"\n"}
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if is_cut else "") + "".join(json.dumps(line) + "\n" for line in lines))


def select_current(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Select the lines of the present settings."""
    digests = {system: {Cell(data, system, 0).digest for data in DATA} for system in SYSTEMS}
    current = {(digest, name) for system in SYSTEMS for digest in digests[system] for name in list_names(system)}
    return [line for line in lines if (line["digest"], line["system"]) in current]


def list_open(options: argparse.Namespace) -> Iterator[Cell]:
    """List cells that miss a line, one seed of everything before the next seed."""
    for seed in options.seeds:
        for data in options.data:
            for system in options.systems:
                cell = Cell(data, system, seed)
                wanted = (cell.digest, seed)
                lines = read_results(options.results)
                done = {line["system"] for line in lines if (line["digest"], line["seed"]) == wanted}
                if not done.issuperset(list_names(system)):
                    yield cell


def run_cells(options: argparse.Namespace) -> None:
    """Run the open cells that no other process works on."""
    console = Console()
    for cell in list_open(options):
        torch.manual_seed(cell.seed)
        random.seed(cell.seed)
        try:
            with lock_folder(WORK / "locks" / cell.folder.name, "busy"):
                console.rule(f"{cell.data}, {cell.system}, seed {cell.seed}")
                cell.folder.mkdir(parents=True, exist_ok=True)
                append_results(options.results, run_cell(cell, console))
                shutil.rmtree(cell.folder)
        except ConfigError as error:
            if str(error) != "busy":
                raise


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA), metavar="NAME", help=", ".join(DATA))
    parser.add_argument(
        "--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="NAME", help="; ".join(SYSTEMS)
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON lines of finished cells")
    parser.add_argument("--table", action="store_true", help="write the page of finished cells and run nothing")
    return parser.parse_args(arguments)


def main() -> None:
    """Run what is open, then write the page of what is finished beside the results."""
    options = parse_options()
    if not options.table:
        options.results.parent.mkdir(parents=True, exist_ok=True)
        run_cells(options)
    order = [name for system in SYSTEMS for name in list_names(system)]
    page = options.results.with_suffix(".md")
    page.write_text(
        render_page(select_current(read_results(options.results)), order, list(ABLATIONS)), encoding="utf-8"
    )
    print(page)


if __name__ == "__main__":
    main()
