"""A task's labels: which carry risk, where they lie on the circumplex, which exclude each other.

Labels are weak (a subreddit of origin, a hashtag); none is a diagnosis.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from screening.config import describe_problems
from screening.exceptions import ConfigError
from screening.types import Record

_TARGET_NAME = re.compile(r"[\w .-]{1,60}")  # a column of tables and a metric of MLflow hold it

Phrase = Annotated[str, Field(pattern=r"\w", max_length=100)]


class Label(Record):
    """One class of the task.

    ``valence`` and ``arousal`` are in [-1, 1] (Russell's circumplex); ``coordinate_weight`` in [0, 1] lowers the
    valence and intensity losses of classes whose coordinates are uncertain; ``source`` says where they come from. A
    label without coordinates has weight 0: nothing is learnt from them. ``risk`` says whether a risk target has the
    label; it may be left out of a file, for the targets decide.
    """

    name: str
    aliases: tuple[str, ...] = ()
    risk: bool | None = None
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
        If neither exists, the file does not describe a taxonomy, or it extends what is not shipped.

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
        base = _load_base(tree, str(name_or_path), shipped)
        taxonomy = Taxonomy.model_validate(tree if base is None else _extend(base, tree))
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
    own_labels = taxonomy.labels[len(base.labels) if base else 0 :]
    if problems := [*_find_ambiguous_targets(taxonomy), *_find_wrong_risks(taxonomy, own_labels)]:
        message = f"taxonomy {str(name_or_path)!r} is not valid:\n  " + "\n  ".join(problems)
        raise ConfigError(message)
    return _fill_in_risks(taxonomy)


def _load_base(tree: Any, where: str, shipped: Collection[str]) -> Taxonomy | None:
    """Load the shipped taxonomy that a file extends, taking ``extends`` out of its tree; ``None`` without one."""
    name = tree.pop("extends", None) if isinstance(tree, dict) else None
    if name is None:
        return None
    if not isinstance(name, str) or name not in shipped:
        message = (
            f"taxonomy {where!r} extends {name!r}, which is not shipped; extend one of {', '.join(sorted(shipped))}, "
            "or write every label in the file"
        )
        raise ConfigError(message)
    return load_taxonomy(name)


def _find_ambiguous_targets(taxonomy: Taxonomy) -> list[str]:
    """Find target names that repeat or cannot be shown everywhere, and labels that a target would count twice."""
    named = Counter(target.name for target in taxonomy.targets)
    problems = [f"targets: {n} are named {name!r}; give each a name of its own" for name, n in named.items() if n > 1]
    problems += [
        f"targets: expected a name of at most 60 letters, digits, spaces and _ . -, found {name!r}; rename the target"
        for name in named
        if not _TARGET_NAME.fullmatch(name)
    ]
    for target in taxonomy.targets:
        repeated = [name for name, n in Counter(target.labels).items() if n > 1]
        problems += [f"target {target.name!r} has label {name!r} more than once; name it once" for name in repeated]
    return problems


def _find_risky(taxonomy: Taxonomy) -> set[str]:
    return {name for target in taxonomy.targets for name in target.labels}


def _find_wrong_risks(taxonomy: Taxonomy, labels: Iterable[Label]) -> list[str]:
    """Find labels of a file whose ``risk`` says otherwise than its targets."""
    risky = _find_risky(taxonomy)
    return [
        f"label {label.name!r} has risk: {str(label.risk).lower()}, but {'a' if label.name in risky else 'no'} target "
        "has it; leave risk out, or change the targets"
        for label in labels
        if label.risk is not None and label.risk != (label.name in risky)
    ]


def _fill_in_risks(taxonomy: Taxonomy) -> Taxonomy:
    risky = _find_risky(taxonomy)
    labels = tuple(label.model_copy(update={"risk": label.name in risky}) for label in taxonomy.labels)
    return taxonomy.model_copy(update={"labels": labels})


def _extend(taxonomy: Taxonomy, tree: dict[str, Any]) -> dict[str, Any]:
    """Put what a file says over a taxonomy; its labels and pairs behind those there are."""
    extended = taxonomy.model_dump() | tree
    for name in ("labels", "incompatible_pairs"):
        own = tree.get(name, [])
        extended[name] = [*getattr(taxonomy, name), *own] if isinstance(own, list) else own  # refused as no list
    return extended
