"""A task's labels: which carry risk, where they lie on the circumplex, which exclude each other.

Labels are weak (a subreddit of origin, a hashtag); none is a diagnosis.
"""

import math
from collections.abc import Iterable
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from screening.config import describe_problems
from screening.exceptions import ConfigError
from screening.types import Record

Phrase = Annotated[str, Field(pattern=r"\w", max_length=100)]


class Label(Record):
    """One class of the task.

    ``valence`` and ``arousal`` are in [-1, 1] (Russell's circumplex); ``coordinate_weight`` in [0, 1] lowers the
    valence and intensity losses of classes whose coordinates are uncertain; ``source`` says where they come from. A
    label without coordinates has weight 0: nothing is learnt from them.
    """

    name: str
    aliases: tuple[str, ...] = ()
    risk: bool
    valence: float = Field(ge=-1, le=1)
    arousal: float = Field(ge=-1, le=1)
    coordinate_weight: float = Field(1.0, ge=0, le=1)
    source: str = "no coordinates given"

    @model_validator(mode="before")
    @classmethod
    def _place_nowhere(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or {"valence", "arousal"} & set(fields):
            return fields
        return fields | {"valence": 0.0, "arousal": 0.0, "coordinate_weight": 0.0}

    @property
    def intensity(self) -> float:
        """Distance from the circumplex's origin, clipped to [0, 1] (our choice, no paper states one)."""
        return min(1.0, math.hypot(self.valence, self.arousal))


class RiskTarget(Record):
    """A set of labels one recall promise is made for, and the triage level a flag leads to.

    The risk score of a target is the sum of its labels' probabilities. ``keywords`` are phrases a keyword list for this
    target would search for; they only make a comparator and decide no flag.
    """

    name: str
    labels: tuple[str, ...] = Field(min_length=1)
    triage: Literal["refer", "review"]
    description: str = ""
    keywords: tuple[Phrase, ...] = ()


class Taxonomy(Record):
    """Labels in model order, risk targets (most urgent first), and label pairs that exclude each other."""

    name: str
    description: str
    label_meaning: str
    labels: tuple[Label, ...] = Field(min_length=2)
    targets: tuple[RiskTarget, ...] = Field(min_length=1)
    incompatible_pairs: tuple[tuple[str, str], ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Label names in the order of the model's logits."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def index_by_text(self) -> dict[str, int]:
        """Label index by any accepted spelling (name or alias)."""
        return {text: i for i, label in enumerate(self.labels) for text in (label.name, *label.aliases)}

    @cached_property
    def name_by_text(self) -> dict[str, str]:
        """Label name by any accepted spelling."""
        return {text: self.names[i] for text, i in self.index_by_text.items()}

    @cached_property
    def risk_names(self) -> tuple[str, ...]:
        """Names of the labels that carry risk."""
        return tuple(label.name for label in self.labels if label.risk)

    @cached_property
    def has_coordinates(self) -> bool:
        """Whether any label's coordinates have weight; without, valence and intensity are never learnt."""
        return any(label.coordinate_weight > 0 for label in self.labels)

    @cached_property
    def incompatible_indices(self) -> tuple[tuple[int, int], ...]:
        """Incompatible pairs as label indices."""
        return tuple((self.names.index(a), self.names.index(b)) for a, b in self.incompatible_pairs)

    def encode(self, labels: Iterable[str]) -> list[int]:
        """Turn labels, in any accepted spelling, into indices of the model's logits."""
        return [self.index_by_text[label] for label in labels]

    def target_indices(self, target: RiskTarget) -> list[int]:
        """Return indices of a target's labels in the model's logits."""
        return [self.names.index(name) for name in target.labels]

    @model_validator(mode="after")
    def _validate_references(self) -> Self:
        known = {label.name for label in self.labels}
        spellings = [text for label in self.labels for text in (label.name, *label.aliases)]
        if len(set(spellings)) != len(spellings):
            message = f"label names and aliases must be unique, found {sorted(spellings)}"
            raise ValueError(message)
        named = [name for target in self.targets for name in target.labels]
        named += [name for pair in self.incompatible_pairs for name in pair]
        unknown = sorted(set(named) - known)
        if unknown:
            message = f"targets and incompatible_pairs name unknown labels {unknown}; labels are {sorted(known)}"
            raise ValueError(message)
        return self


def load_taxonomy(name_or_path: str | Path) -> Taxonomy:
    """Load a shipped taxonomy by name, or any YAML file by path.

    A file may say ``extends: NAME`` of a shipped taxonomy: what it says stands in place of what that one says, and its
    labels and incompatible pairs behind those of that one.

    Raises
    ------
    ConfigError
        If neither exists, or the file does not describe a taxonomy.

    Examples
    --------
    >>> load_taxonomy("mh5").names
    ('depression', 'suicidewatch', 'anxiety', 'offmychest', 'bipolar')
    >>> load_taxonomy("mh5_elsewhere").names[-1]
    'elsewhere'
    """
    folder = resources.files("screening") / "taxonomies"
    shipped = {Path(entry.name).stem: entry for entry in folder.iterdir() if entry.name.endswith(".yaml")}
    entry = shipped.get(str(name_or_path), Path(name_or_path))
    try:
        tree = yaml.safe_load(entry.read_text(encoding="utf-8"))
        extended = tree.pop("extends", None) if isinstance(tree, dict) else None
        return Taxonomy.model_validate(tree if extended is None else _extend(load_taxonomy(extended), tree))
    except OSError as error:
        message = (
            f"taxonomy {str(name_or_path)!r} is neither shipped ({', '.join(sorted(shipped))}) nor a readable file"
        )
        raise ConfigError(message) from error
    except ValidationError as error:
        message = (
            f"taxonomy {str(name_or_path)!r} is not valid:{describe_problems(error, Taxonomy)}\n"
            "docs/train.md has a whole one to start from"
        )
        raise ConfigError(message) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"taxonomy {str(name_or_path)!r} is not valid UTF-8 YAML: {error}"
        raise ConfigError(message) from error


def _extend(taxonomy: Taxonomy, tree: dict[str, Any]) -> dict[str, Any]:
    """Put what a file says over a taxonomy; its labels and pairs behind those there are."""
    extended = taxonomy.model_dump() | tree
    for name in ("labels", "incompatible_pairs"):
        own = tree.get(name, [])
        extended[name] = [*getattr(taxonomy, name), *own] if isinstance(own, list) else own  # refused as no list
    return extended
