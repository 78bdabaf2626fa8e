"""One configuration tree: each field is the only home of its default, its bounds and its help sentence."""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from screening.exceptions import ConfigError
from screening.types import Record, Split

Fraction = float
UNQUOTED = "unquoted"  # kind of a problem whose value no message quotes
LongPosts = Literal["windows", "cut"]
Backend = Literal["torch", "openvino"]
Quantisation = Literal["none", "int8"]
Ensemble = Literal["none", "tfidf"]


def _is_none(value: Any) -> bool:
    """Leave a choice that was not made out of what a run depends on: runs from before the field stay valid."""
    return value in (None, ())


class BackgroundConfig(Record):
    """Posts from elsewhere as a class of their own; a classifier of a few communities otherwise never meets one."""

    label: str = Field(description="label of the taxonomy they get; of no risk target (taxonomy mh5_elsewhere has one)")
    fraction: Fraction = Field(
        0.2, gt=0, lt=1, description="share of data.controls that becomes the class; alerts count on the rest"
    )
    group_column: str | None = Field(
        None, description="controls of one group (community) stay on one side; default: single posts are drawn"
    )


class DataConfig(Record):
    """Where posts come from and how they are divided."""

    source: Literal[
        "synthetic", "reddit2013", "swmh", "emotion", "goemotions", "empathetic_dialogues", "sst5", "file"
    ] = Field("synthetic", description="reader: synthetic corpus, a known data set, or any CSV/JSONL/Parquet file")
    path: Path | None = Field(None, description="folder of train/validation/test files, or one file (source: file)")
    hub_id: str | None = Field(None, description="Hugging Face data set id, read with the user's own token")
    taxonomy: str = Field(
        "mh5",
        description="shipped: mh5, mh5_elsewhere, emotion6, goemotions27, empathetic32, sst5; or path of a YAML file",
    )
    text_column: str = "text"
    label_column: str = "label"
    id_column: str | None = Field(None, description="column with a unique id; post_id, or made from file and row")
    author_column: str | None = Field(None, description="column with the author: no author stands in two splits")
    date_column: str | None = None
    group_columns: tuple[str, ...] = Field((), description="columns to report subgroups by")
    controls: Path | None = Field(None, description="file of posts from outside the task, to count false alarms on")
    background: BackgroundConfig | None = Field(
        None, exclude_if=_is_none, description="make a share of the controls a class that is learnt; default: none"
    )
    external: Path | None = Field(
        None, description="labelled file from another place or time, with the same columns: scored, never trained on"
    )
    keep_splits: tuple[Split, ...] = Field(
        ("train", "validation", "test"), description="splits of the source kept as they are; the rest is carved anew"
    )
    validation_fraction: Fraction = Field(0.1, gt=0, lt=1, description="share of the posts outside the kept splits")
    calibration_fraction: Fraction = Field(
        0.15, gt=0, lt=1, description="share of the same; for thresholds, nothing else"
    )
    test_fraction: Fraction = Field(0.2, gt=0, lt=1)
    near_duplicate_similarity: Fraction = Field(0.8, gt=0, le=1, description="Jaccard similarity of word 5-grams")
    max_characters: int = Field(40_000, ge=1, description="longer posts are refused (40,000 is Reddit's own limit)")
    n_synthetic: int = Field(3_000, ge=200, description="posts of the synthetic corpus")


class ModelConfig(Record):
    """The classifier: one encoder, three heads."""

    encoder: str = Field("all-MiniLM-L6-v2", description="embedded encoder, a folder, a hub id, or a fresh gru or rnn")
    pooling: Literal["cls", "mean"] = "mean"
    max_tokens: int = Field(256, ge=8, le=8192, description="window length; training reads a post's first window")
    layers: Literal["last", "attentive"] | None = Field(
        None, description="last layer, or a learned mean of all added to it; default: what the objective's preset says"
    )
    dropout: Fraction = Field(0.1, ge=0, lt=1, description="dropout of hidden states and heads")
    attention_dropout: Fraction = Field(0.0, ge=0, lt=1, description="half of all training time on a CPU when > 0")


class ObjectiveConfig(Record):
    """What training minimises: a preset, with single weights changed where wanted."""

    preset: str = Field("cmhl", description="name of a preset, see screening.objectives.PRESETS")
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default_factory=dict, description="weight per objective, over the preset's; 0 leaves it out"
    )
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: Fraction = Field(0.0, ge=0, lt=1)
    contradiction_form: Literal["A", "B", "C"] = Field("A", description="A products, B margin, C cross-head agreement")
    temperature: float | None = Field(
        None, gt=0, description="of contrastive terms; default here and below: the preset's"
    )
    is_normalised: bool | None = Field(None, description="contrast representations of length 1")
    n_views: Literal[1, 2] | None = Field(None, description="read each post so often per step, with other dropout")
    projection_size: int | None = Field(None, ge=0, description="contrast a projection of so many numbers; 0: none")
    ramp_fraction: Fraction | None = Field(
        None, ge=0, le=1, description="share of training over which the weight of contrastive terms grows from 0"
    )
    weighting_network: Literal["encoder", "head"] | None = Field(
        None, description="lcl's class weights come from a second encoder, or from a head on the shared one"
    )
    schedule: Literal["joint", "two_phase"] | None = Field(
        None, description="all terms together, or contrastive ones first and the rest on a frozen encoder"
    )
    classifier_epochs: int = Field(10, ge=1, description="two_phase: epochs of the second phase")
    classifier_learning_rate: float = Field(3e-3, gt=0, description="two_phase: learning rate of the second phase")
    coordinate_scale: float | None = Field(
        None,
        ge=0.01,
        exclude_if=_is_none,
        description="mccl: distance on the circumplex (each axis from -1 to 1) at which two posts are neighbours",
    )
    queue_size: int | None = Field(None, ge=0, exclude_if=_is_none, description="mccl: keys of earlier batches kept")
    key_momentum: Fraction | None = Field(
        None,
        ge=0,
        lt=1,
        exclude_if=_is_none,
        description="mccl: what the momentum network keeps of its weights per step",
    )
    perturbed_fraction: Fraction | None = Field(
        None, gt=0, lt=1, exclude_if=_is_none, description="ptd: share of a post's own tokens that are replaced"
    )
    teachers: tuple[Path, ...] = Field(
        (), exclude_if=_is_none, description="distillation: folders RUN/model of trained classifiers to learn from"
    )


class PretrainingConfig(Record):
    """CARL's stage before training, on sentences rated for valence and arousal; any preset can have it."""

    path: Path | None = Field(
        None, description="one CSV/JSONL/Parquet file, or a folder with train and validation; default: no such stage"
    )
    text_column: str = "text"
    valence_column: str = "valence"
    arousal_column: str = "arousal"
    low: float = Field(1.0, description="lowest rating there can be: -1 on the circumplex")
    high: float = Field(5.0, description="highest rating there can be: 1 on the circumplex")
    validation_fraction: Fraction = Field(0.1, gt=0, lt=1, description="share of one file that chooses the best epoch")
    epochs: int = Field(3, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    detection_weight: float = Field(1.0, ge=0, description="weight of ptd beside mccl, whose weight is 1")

    @model_validator(mode="after")
    def _validate_scale(self) -> Self:
        if not self.low < self.high:
            message = f"expected low below high, the ends of the rating scale, found {self.low} and {self.high}"
            raise ValueError(message)
        return self


class TrainingConfig(Record):
    """How the objective is minimised."""

    epochs: int = Field(4, ge=1)
    batch_size: int = Field(16, ge=1, description="posts per step, of all processes together")
    learning_rate: float = Field(1e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup_fraction: Fraction = Field(0.1, ge=0, lt=1)
    scheduler: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    gradient_clip: float = Field(1.0, gt=0)
    early_stopping_patience: int = Field(2, ge=1, description="evaluations without gain before training stops")
    best_by: Literal["macro_f1", "loss", "average_precision"] = Field("macro_f1", description="measured on validation")
    seed: int | None = Field(
        None, ge=0, lt=2**32, exclude_if=_is_none, description="of training alone, on the same splits; default: seed"
    )
    layer_decay: float | None = Field(
        None,
        gt=0,
        le=1,
        exclude_if=_is_none,
        description="learning rate of an encoder's layer, as a share of that of the layer above",
    )
    ema_decay: float | None = Field(None, gt=0, lt=1, description="keep an exponential moving average of weights")
    precision: Literal["auto", "bf16", "fp32"] = Field("auto", description="auto: bf16 where the CPU or GPU has it")
    save_every_steps: int = Field(50, ge=1, description="a killed run loses at most this many steps")
    n_threads: int | None = Field(None, ge=1, description="CPU threads; default: a physical core each")


class InferenceConfig(Record):
    """How posts are scored: the path that is calibrated is the path that serves."""

    long_posts: LongPosts = Field(
        "windows", description="read a post beyond the window in several and average them, or cut it to the first"
    )
    backend: Backend = Field("torch", description="openvino: faster on a CPU; needs the extra of that name")
    quantisation: Quantisation = Field(
        "none",
        exclude_if=lambda value: value == "none",  # runs from before the field stay valid
        description="int8: matrix products of 8-bit integers, on backend openvino; calibrating needs the extra int8",
    )

    ensemble: Ensemble = Field(
        "none",
        exclude_if=lambda value: value == "none",
        description="tfidf: the word model's logits are added to the encoder's, with a weight fitted on validation",
    )

    @model_validator(mode="after")
    def _validate_together(self) -> Self:
        if self.quantisation == "int8" and self.backend != "openvino":
            message = f"expected backend openvino with quantisation int8, found {self.backend}"
            raise ValueError(message)
        return self


class CalibrationConfig(Record):
    """The recall promise."""

    target_recall: Fraction = Field(0.95, gt=0, lt=1)
    confidence_level: Fraction = Field(0.95, gt=0, lt=1)
    other_recalls: tuple[Annotated[Fraction, Field(gt=0, lt=1)], ...] = Field(
        (), description="recalls offered beside target_recall; the confidence is shared, so one may be picked later"
    )
    is_family_wise: bool = Field(
        False, description="all risk targets share the confidence: their promises hold at once"
    )
    group_columns: tuple[str, ...] = Field(
        (), description="the recall is promised in each group of these columns too, by one threshold"
    )
    unit: Literal["post", "author"] = Field(
        "post", description="author: one positive post of each author is drawn; for posts that cluster by author"
    )
    max_alerts_per_1000: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="alert budget of each risk target alone; calibrate exits 3 if the promise needs more",
    )
    budget_prevalence: Fraction | None = Field(
        None, gt=0, lt=1, description="share of a target's posts in deployment, for the alert budget"
    )
    abstention_false_alarm_rate: Fraction | None = Field(
        None, gt=0, lt=1, description="also fit an upper threshold that few other posts reach; a person decides between"
    )

    @model_validator(mode="after")
    def _validate_together(self) -> Self:
        recalls = (self.target_recall, *self.other_recalls)
        if len(set(recalls)) != len(recalls):
            message = f"expected target_recall and other_recalls to differ from each other, found {recalls}"
            raise ValueError(message)
        if (self.max_alerts_per_1000 is None) != (self.budget_prevalence is None):
            message = (
                "expected max_alerts_per_1000 and budget_prevalence together (alerts depend on how common such posts "
                f"are), found {self.max_alerts_per_1000} and {self.budget_prevalence}"
            )
            raise ValueError(message)
        return self


class CascadeConfig(Record):
    """A cheap first stage that clears obvious posts, so that the encoder reads only the others."""

    is_on: bool = Field(False, description="fit a first stage; the recall promise is then made for both stages")
    training_controls_fraction: Fraction = Field(
        0.5, gt=0, lt=1, description="share of data.controls the first stage learns from; alerts count on the rest"
    )
    control_group_column: str | None = Field(
        None, description="controls of one group (community) stay on one side; default: single posts are drawn"
    )
    max_lost_fraction: Fraction = Field(
        0.005, ge=0, lt=1, description="share of each target's held-out posts that the first stage may clear"
    )


class ReportConfig(Record):
    """What the report assumes about deployment."""

    prevalences: tuple[Annotated[Fraction, Field(gt=0, lt=1)], ...] = Field(
        (0.001, 0.01, 0.05), min_length=1, description="share of risk posts in deployment"
    )
    minutes_per_post: float = Field(2.0, gt=0, allow_inf_nan=False, description="reviewer minutes per flagged post")
    champion: Path | None = Field(
        None, description="folder of an earlier run with the same test posts, to compare with"
    )
    crisis_resources: tuple[str, ...] = Field(
        (
            "United States: call or text 988 (Suicide & Crisis Lifeline)",
            "United Kingdom and Ireland: 116 123 (Samaritans)",
            "European Union: 112 in an emergency",
            "Elsewhere: findahelpline.com",
        ),
        description="shown in the report and the model card; the reviewer app has a list of its own (docs/review.md)",
    )


class TrackingConfig(Record):
    """Where MLflow keeps runs and models."""

    uri: str = Field("sqlite:///mlflow.db", description="MLflow tracking and registry URI, without a password")
    experiment: str = "screening"
    registered_model: str = "screener"
    register_alias: str = Field("champion", description="goes to a run while it is free; moved by --move-alias alone")

    @field_validator("uri")
    @classmethod
    def _refuse_secret(cls, uri: str) -> str:
        """Refuse an address with a password: a run folder, MLflow and reports name it."""
        if re.search(r"://[^/\s]*:[^/\s]*@|(?i:[?&]\w*(?:password|passwd|token|secret)=)", uri):
            raise PydanticCustomError(
                UNQUOTED,
                "expected an address without a password; leave it to the environment: PGPASSWORD or ~/.pgpass for "
                "PostgreSQL, MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_TOKEN for an MLflow server",
            )
        return uri


class RunConfig(Record):
    """Everything a run depends on."""

    name: str = Field("demo", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="folder name of the run")
    output_dir: Path = Path("runs")
    seed: int = Field(13, ge=0, lt=2**32)
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    pretraining: PretrainingConfig = Field(
        PretrainingConfig(), exclude_if=lambda section: section == PretrainingConfig()
    )
    training: TrainingConfig = TrainingConfig()
    inference: InferenceConfig = InferenceConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    cascade: CascadeConfig = CascadeConfig()
    report: ReportConfig = ReportConfig()
    tracking: TrackingConfig = TrackingConfig()

    @property
    def run_dir(self) -> Path:
        """Folder that holds every artifact of this run."""
        return self.output_dir / self.name

    @model_validator(mode="after")
    def _leave_misses_to_the_encoder(self) -> Self:
        may_miss = 1 - max(self.calibration.target_recall, *self.calibration.other_recalls, 0.0)
        lost = self.cascade.max_lost_fraction
        if self.cascade.is_on and lost > may_miss - 1e-9:
            message = (
                f"expected cascade.max_lost_fraction below {may_miss:.6g}, which is all that the promised recall may "
                f"miss, found {lost}: a first stage that loses as much leaves nothing for the encoder to miss"
            )
            raise ValueError(message)
        return self


def load_config(path: Path | str | None = None, overrides: tuple[str, ...] | list[str] = ()) -> RunConfig:
    """Read a YAML file, apply ``section.key=value`` overrides, and validate.

    Parameters
    ----------
    path : path or None
        YAML file; ``None`` gives the defaults.
    overrides : sequence of str
        ``"training.epochs=2"``; values are read as YAML.

    Raises
    ------
    ConfigError
        If the file is missing or not YAML, a key is unknown (the nearest known key is named), or a value is out of
        bounds.

    Examples
    --------
    >>> load_config(overrides=["training.epochs=2"]).training.epochs
    2
    """
    tree = _read_yaml(Path(path)) if path is not None else {}
    for override in overrides:
        _apply_override(tree, override)
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        where = f"{path}: " if path is not None else ""
        message = f"{where}configuration not valid:{describe_problems(error, RunConfig)}"
        raise ConfigError(message) from error


def dump_config(config: RunConfig) -> str:
    """Write a config as YAML that :func:`load_config` reads back unchanged."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"config file {path} cannot be read ({error.strerror}); shipped ones are in pipelines/configs/"
        raise ConfigError(message) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"config file {path} is not valid UTF-8 YAML: {error}"
        raise ConfigError(message) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        message = f"config file {path} must hold a mapping of sections, found {type(tree).__name__}"
        raise ConfigError(message)
    return tree


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        message = f"--set expects section.key=value, found {override!r}"
        raise ConfigError(message)
    node = tree
    for part in parts[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            message = f"--set {override!r}: {part!r} is a value, not a section"
            raise ConfigError(message)
        node = child
    try:
        node[parts[-1]] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        message = f"--set {override!r}: the value is not valid YAML"
        raise ConfigError(message) from error


def describe_problems(error: ValidationError, model: type[BaseModel]) -> str:
    """Describe what is wrong with a file's tree, one line per field; an unknown key with the nearest known one.

    A list that is too short only because some of its entries are wrong is no line of its own.
    """
    problems = error.errors()
    places = [problem["loc"] for problem in problems]
    lines = []
    for problem in problems:
        place, n_parts = problem["loc"], len(problem["loc"])
        is_follow_up = any(len(other) > n_parts and other[:n_parts] == place for other in places)
        if not (problem["type"] == "too_short" and is_follow_up):
            lines.append(f"\n  {_describe(problem, model)}")
    return "".join(lines)


def _describe(problem: Any, model: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{place}: expected a value, found none"
    if problem["type"] in {"model_type", "model_attributes_type"}:
        return f"{place}: expected fields with values, found {problem['input']!r}"
    if problem["type"] == UNQUOTED:
        return f"{place}: {problem['msg']}"
    if problem["type"] != "extra_forbidden":
        return f"{place}: {problem['msg']} (found {problem['input']!r})" if place else str(problem["msg"])
    *sections, key = problem["loc"]
    close = difflib.get_close_matches(str(key), _known_keys(model, sections), n=1, cutoff=0)
    return f"{place}: unknown key; did you mean {close[0]!r}?" if close else f"{place}: unknown key"


def _known_keys(model: type[BaseModel], sections: list[str | int]) -> list[str]:
    for section in sections:
        if isinstance(section, int):  # an entry of a list of sections, found at its name already
            continue
        child: Any = model.model_fields[section].annotation
        child = next(iter(get_args(child)), child)
        if not (isinstance(child, type) and issubclass(child, BaseModel)):
            return []
        model = child
    return list(model.model_fields)
