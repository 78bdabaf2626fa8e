"""What a tracked run says about itself: flat parameters and tags as text."""

import json
from collections.abc import Mapping

MAX_PARAM_CHARACTERS = 1_000


def flatten_params(params: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Flatten a nested configuration to ``section.key`` with text values.

    Examples
    --------
    >>> flatten_params({"training": {"epochs": 4, "ema_decay": None}, "name": "demo"})
    {'training.epochs': '4', 'training.ema_decay': 'null', 'name': 'demo'}
    """
    flat: dict[str, str] = {}
    for key, value in params.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten_params(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = write_as_text({"value": value})["value"][:MAX_PARAM_CHARACTERS]
    return flat


def write_as_text(values: Mapping[str, object]) -> dict[str, str]:
    """Write values as text: strings as they are, anything else as JSON.

    Examples
    --------
    >>> write_as_text({"target_recall": 0.95, "commit": "1a2b3c"})
    {'target_recall': '0.95', 'commit': '1a2b3c'}
    """
    return {key: value if isinstance(value, str) else json.dumps(value, default=str) for key, value in values.items()}
