"""Where a job writes: a folder of parts, or one file made from the parts in a hidden folder beside it."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.scoring.assembling import assemble
from pipelines.scoring.inputs import Source
from pipelines.scoring.job_folder import REJECTS, JobFolder
from pipelines.table_files import OUTPUT_SUFFIXES, put_in_place, validate_output
from screening.exceptions import ConfigError
from screening.types import Record


class Place(Record):
    """The output of a job; ``is_file`` if it is one file."""

    out_path: Path
    is_file: bool

    @property
    def folder(self) -> Path:
        """Where the parts are written."""
        return self.out_path.with_name(f".{self.out_path.name}.parts") if self.is_file else self.out_path

    @property
    def rejects(self) -> Path:
        """Where rejected rows are listed."""
        return self.out_path.with_name(f"{self.out_path.name}.rejects.csv") if self.is_file else self.folder / REJECTS

    def complete(self, job: JobFolder) -> None:
        """Make the one file from the parts of a finished job, and delete them; a folder is complete as it is."""
        if not self.is_file:
            return
        if (job.root / REJECTS).is_file():
            put_in_place(job.root / REJECTS, self.rejects)
        else:
            self.rejects.unlink(missing_ok=True)  # of the table that this one replaces
        assemble(job.list_parts(), self.out_path)
        job.remove()


def choose_place(out_path: Path, patterns: Sequence[str], sources: Sequence[Source], *, overwrite: bool) -> Place:
    """Choose how to write to an output, by its name.

    Raises
    ------
    ConfigError
        If it or its list of rejects is one of the inputs or a file that may not be replaced, it lies in an input
        folder, or it has an ending no table can be written with.
    """
    inputs = [source.path for source in sources if source.path is not None]
    for folder in (Path(pattern) for pattern in patterns):
        if folder.is_dir() and out_path.resolve().is_relative_to(folder.resolve()):
            message = f"{out_path} lies in the input folder {folder}, and would be read as posts; name another output"
            raise ConfigError(message)
    if out_path.suffix.lower() in OUTPUT_SUFFIXES and not out_path.is_dir():
        place = Place(out_path=out_path, is_file=True)
        validate_output(out_path, overwrite=overwrite, inputs=tuple(inputs))
        is_ours = JobFolder(place.folder).is_finished  # stopped after its rejects were put there, before its scores
        validate_output(place.rejects, overwrite=overwrite or is_ours, inputs=tuple(inputs))
        return place
    if any(path.is_relative_to(out_path.resolve()) for path in inputs):
        message = f"{out_path} holds one of the inputs; name another output"
        raise ConfigError(message)
    if (out_path.suffix and not out_path.is_dir()) or out_path.is_file():
        found = "a file" if out_path.is_file() else repr(out_path.suffix)
        message = (
            f"{out_path}: expected a folder, or a file ending in {', '.join(OUTPUT_SUFFIXES)}, found {found}; "
            "name another output"
        )
        raise ConfigError(message)
    return Place(out_path=out_path, is_file=False)
