from pathlib import Path

import pytest
from pydantic import ValidationError

from screening.config import RunConfig, dump_config, load_config
from screening.exceptions import ConfigError

CONFIGS = Path(__file__).parents[3] / "pipelines" / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configs_are_valid_and_named_after_their_file(path: Path) -> None:
    assert load_config(path).name == path.stem


def test_written_config_reads_back_unchanged(tmp_path: Path) -> None:
    config = load_config(CONFIGS / "reddit2013.yaml", ["training.ema_decay=0.99"])
    (tmp_path / "c.yaml").write_text(dump_config(config), encoding="utf-8")
    assert load_config(tmp_path / "c.yaml") == config


def test_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("", encoding="utf-8")
    assert load_config(tmp_path / "c.yaml") == RunConfig()


def test_unknown_key_names_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match=r"training\.epoch: unknown key; did you mean 'epochs'"):
        load_config(overrides=["training.epoch=2"])


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epochs", "expects section.key=value"),
        ("=3", "expects section.key=value"),
        ("name.x=3", "name"),
        ("training.epochs=0", r"training\.epochs: .*greater than or equal to 1"),
        ("calibration.target_recall=1", "less than 1"),
        ("calibration.other_recalls=[1.0]", r"calibration\.other_recalls\.0: .*less than 1"),
        ("calibration.other_recalls=[0.95]", "to differ from each other"),
        ("calibration.max_alerts_per_1000=50", "max_alerts_per_1000 and budget_prevalence together"),
        ("pretraining.low=5", "expected low below high"),
        ("calibration.unit=person", "'post' or 'author'"),
        ("name=../elsewhere", "name: "),
        ("data.source=[", "not valid YAML"),
    ],
)
def test_overrides_that_make_no_sense_are_refused(override: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        load_config(overrides=[override])


@pytest.mark.parametrize(
    ("content", "expected"), [(b"- a\n", "mapping of sections"), (b"a: [", "not valid"), (b"\xff\xfe", "not valid")]
)
def test_files_that_are_no_config_are_refused(content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        load_config(tmp_path / "c.yaml")


def test_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read"):
        load_config("nowhere.yaml")


def test_config_is_frozen() -> None:
    with pytest.raises(ValidationError):
        RunConfig().name = "other"  # type: ignore[misc]  # what the test is about


def test_choices_that_were_not_made_leave_no_trace_in_a_written_config() -> None:
    written = dump_config(RunConfig())
    assert "pretraining" not in written
    assert "queue_size" not in written
    chosen = load_config(overrides=["pretraining.path=ratings.csv", "objective.queue_size=9"])
    assert "ratings.csv" in dump_config(chosen)
    assert "queue_size: 9" in dump_config(chosen)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://ann:s3cret@db.example/mlflow",
        "https://ann:s3cret@mlflow.example",
        "postgresql://db.example/mlflow?user=ann&password=s3cret",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_quoted(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"without a password.*PGPASSWORD") as caught:
        load_config(overrides=[f"tracking.uri={uri}"])
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(
    "uri", ["sqlite:////srv/a:b@c/mlflow.db", "https://mlflow.example:5000/a@b", "postgresql://ann@db.example:5432/ml"]
)
def test_an_address_without_a_password_is_taken(uri: str) -> None:
    assert load_config(overrides=[f"tracking.uri={uri}"]).tracking.uri == uri


@pytest.mark.parametrize("prevalences", ["[]", "[0]", "[1, 5]", "[.nan]"])
def test_prevalences_that_are_no_shares_are_refused_before_anything_is_trained(prevalences: str) -> None:
    with pytest.raises(ConfigError, match=r"report\.prevalences"):
        load_config(overrides=[f"report.prevalences={prevalences}"])
