"""What a tracked run says about itself: flat parameters and tags as text, without credentials."""

import json
import re
from collections.abc import Mapping

MAX_PARAM_CHARACTERS = 1_000


def flatten_params(params: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Flatten a nested configuration to ``section.key`` with text values; credentials in addresses are masked.

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


def mask_credentials(text: str) -> str:
    """Replace the user and password of every address in a text, and parameters that name a secret.

    Examples
    --------
    >>> mask_credentials("postgresql://ann:secret@db.example/mlflow")
    'postgresql://***@db.example/mlflow'
    """
    text = re.sub(r"://[^/\s]+@", "://***@", text)
    return re.sub(r"(?i)\b(\w*(?:password|passwd|token|secret|key))=[^&\s]+", r"\1=***", text)


def write_as_text(values: Mapping[str, object]) -> dict[str, str]:
    """Write values as text: strings as they are, anything else as JSON; credentials in addresses are masked.

    Examples
    --------
    >>> write_as_text({"target_recall": 0.95, "commit": "1a2b3c"})
    {'target_recall': '0.95', 'commit': '1a2b3c'}
    """
    return {
        key: mask_credentials(value if isinstance(value, str) else json.dumps(value, default=str))
        for key, value in values.items()
    }
