"""The run folder: where every artifact of a run lies, written whole or not at all, and a record of what made it."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from screening.exceptions import MissingArtifactError
from screening.types import Record
from screening.whole_writes import write_text_whole


class StageRecord(Record):
    """What a finished stage was made from, and when."""

    fingerprint: str
    finished_at: datetime
    seconds: float


class RunRecord(Record):
    """The facts of a run that are not in its config: who made it, from which code, on which machine."""

    run_id: str
    name: str
    created_at: datetime
    seed: int
    commit: str
    versions: dict[str, str]
    hardware: dict[str, str | int | float | bool]
    stages: dict[str, StageRecord] = Field(default_factory=dict)


@dataclass(frozen=True)
class RunFolder:
    """Names of everything inside one run folder."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.root / "config.yaml"

    @property
    def record(self) -> Path:
        """Seed, versions, commit, hardware and finished stages."""
        return self.root / "run.json"

    @property
    def data(self) -> Path:
        """Prepared splits, with post text; a review database is the only other place with it."""
        return self.root / "data"

    @property
    def data_card(self) -> Path:
        """Counts and digests of the prepared splits."""
        return self.data / "data_card.json"

    @property
    def checkpoints(self) -> Path:
        """What an interrupted training goes on from; gone once it is done."""
        return self.root / "checkpoints"

    @property
    def model(self) -> Path:
        """The classifier, its tokenizer, the baseline and the training history."""
        return self.root / "model"

    @property
    def baseline(self) -> Path:
        """TF-IDF with logistic regression."""
        return self.model / "baseline"

    @property
    def history(self) -> Path:
        """One row per epoch."""
        return self.model / "history.json"

    @property
    def calibration(self) -> Path:
        """Scores of the calibration split, temperatures and operating points."""
        return self.root / "calibration"

    @property
    def bundle(self) -> Path:
        """The screener: what scoring, serving and the app load."""
        return self.root / "bundle"

    @property
    def evaluation(self) -> Path:
        """Scores of test posts and controls, and the metrics."""
        return self.root / "evaluation"

    @property
    def explanations(self) -> Path:
        """Word spans flagged posts' scores depended on."""
        return self.root / "explanations" / "flagged.parquet"

    @property
    def faithfulness(self) -> Path:
        """How far scores of explained posts fall when words are masked; ids and numbers."""
        return self.root / "explanations" / "faithfulness.parquet"

    @property
    def single_words(self) -> Path:
        """How well weights order words by the change of score when each alone is masked."""
        return self.root / "explanations" / "single_words.parquet"

    @property
    def random_models(self) -> Path:
        """How alike the order of words is with random weights in the model."""
        return self.root / "explanations" / "random_models.parquet"

    @property
    def plausibility(self) -> Path:
        """How well explanations agree with what people marked, where they did."""
        return self.root / "explanations" / "plausibility.parquet"

    @property
    def report(self) -> Path:
        """The HTML report and its tables."""
        return self.root / "report"

    @property
    def model_card(self) -> Path:
        """The run's model card."""
        return self.root / "MODEL_CARD.md"

    def split(self, name: str) -> Path:
        """Return the file of one prepared split, or of the controls."""
        return self.data / f"{name}.parquet"

    def read_record(self) -> RunRecord | None:
        """Read the run's record, or ``None`` before the first stage."""
        try:
            return RunRecord.model_validate_json(self.record.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            message = f"{self.record} is damaged or of another version; move the run folder away and run again"
            raise MissingArtifactError(message) from error

    def has_finished(self, stage: str) -> bool:
        """Tell whether a stage has finished since the stages before it last ran."""
        record = self.read_record()
        return record is not None and stage in record.stages

    def write_record(self, record: RunRecord) -> None:
        """Write the run's record whole."""
        write_text_whole(self.record, record.model_dump_json(indent=2))


def create_record(name: str, seed: int) -> RunRecord:
    """Describe this machine and this code for a new run."""
    from pipelines.provenance import find_commit, find_versions
    from screening.inference.precision import describe_hardware

    return RunRecord(
        run_id=uuid.uuid4().hex[:12],
        name=name,
        created_at=datetime.now(UTC),
        seed=seed,
        commit=find_commit(),
        versions=find_versions(),
        hardware=describe_hardware(),
    )


def write_json(path: Path, content: object) -> None:
    """Write JSON whole."""
    write_text_whole(path, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")
