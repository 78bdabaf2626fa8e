"""Tiny random classifiers and their tokenizers, built without any download."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

CLASSES = ("depression", "suicidewatch", "anxiety", "offmychest", "bipolar")
LETTERS = "abcdefghijklmnopqrstuvwxyzåéñ0123456789"
WORDS = ["i", "feel", "so", "tired", "today", "tonight", "my", "dog", "is", "happy", "no", "sleep", "😀"]


@pytest.fixture(scope="session")
def unigram_tokenizer() -> Any:
    """Pieces that begin with the space before them, as DeBERTa's do."""
    from tokenizers import SentencePieceUnigramTokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    specials = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    backend = SentencePieceUnigramTokenizer()
    backend.train_from_iterator(
        [" ".join(WORDS), " ".join(reversed(WORDS))] * 5,
        vocab_size=120,
        special_tokens=specials,
        unk_token="[UNK]",
        show_progress=False,
    )
    backend._tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = dict(zip(("pad_token", "cls_token", "sep_token", "unk_token", "mask_token"), specials, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend._tokenizer, model_max_length=64, **names)


@pytest.fixture(scope="session")
def bert_tokenizer() -> Any:
    """WordPiece over a few words, every letter, and every letter as a continuation."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import PreTrainedTokenizerFast

    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = dict.fromkeys([*specials, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS), *".,!?'-"])
    backend = BertWordPieceTokenizer({piece: i for i, piece in enumerate(pieces)}, lowercase=True)
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), specials, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend._tokenizer, model_max_length=64, **names)


@pytest.fixture(scope="session")
def roberta_tokenizer() -> Any:
    """Byte-level pieces: every string can be written in them, one letter may take several."""
    from tokenizers import ByteLevelBPETokenizer
    from tokenizers.processors import RobertaProcessing
    from transformers import PreTrainedTokenizerFast

    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    backend = ByteLevelBPETokenizer(add_prefix_space=False)
    backend.train_from_iterator([" ".join(WORDS)] * 5, vocab_size=330, special_tokens=specials, show_progress=False)
    backend._tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0), True, False)
    names = dict(zip(("cls_token", "pad_token", "sep_token", "unk_token", "mask_token"), specials, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend._tokenizer, model_max_length=64, **names)


@pytest.fixture(scope="session")
def build_classifier() -> Callable[..., Any]:
    """A function that builds a random two-layer classifier of the asked architecture, in evaluation mode."""

    def build(model_type: str, n_tokens_known: int, *, seed: int = 0, labels: tuple[str, ...] = CLASSES) -> Any:
        import torch
        from transformers import AutoConfig

        from screening.models.classifier import RiskClassifier, RiskConfig

        encoder = AutoConfig.for_model(
            model_type,
            vocab_size=n_tokens_known,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=80,
            pad_token_id=1 if model_type == "roberta" else 0,
            type_vocab_size=2,
            initializer_range=0.4,  # wide, so that random scores differ clearly between posts
        )
        id2label = dict(enumerate(labels))
        config = RiskConfig(
            encoder=encoder.to_dict(),
            max_tokens=64,
            id2label=id2label,
            label2id={label: i for i, label in id2label.items()},
            initializer_range=0.4,
        )
        torch.manual_seed(seed)
        return RiskClassifier(config).eval()

    return build


@pytest.fixture(scope="session")
def bert_classifier(build_classifier: Callable[..., Any], bert_tokenizer: Any) -> Any:
    return build_classifier("bert", len(bert_tokenizer))


@pytest.fixture(scope="session")
def roberta_classifier(build_classifier: Callable[..., Any], roberta_tokenizer: Any) -> Any:
    return build_classifier("roberta", len(roberta_tokenizer))


@pytest.fixture(scope="session")
def small_quantised(bert_classifier: Any, bert_tokenizer: Any) -> Any:
    """The random BERT classifier in int8; skips where that cannot be made or run."""
    from screening.inference import quantisation
    from screening.inference.windows import split_into_windows

    for package in ("openvino", "nncf"):
        if quantisation.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    if not quantisation.detect_int8():
        pytest.skip("needs a CPU with exact int8")
    texts = [" ".join(WORDS[i % 12 :] + WORDS[: i % 7]) for i in range(24)]
    return quantisation.quantise(bert_classifier, split_into_windows(bert_tokenizer, texts, 40).token_ids)


@pytest.fixture(scope="session")
def save_small_bundle(bert_classifier: Any, bert_tokenizer: Any) -> Callable[..., Path]:
    """A function that saves a bundle of the random BERT classifier; manifest fields can be replaced.

    ``quantised`` is the classifier in int8 and ``words`` the word model, if the bundle is to hold them.
    """
    from screening.bundle import BundleManifest, save_bundle
    from screening.calibration.temperature import TemperatureScaling
    from screening.taxonomy import load_taxonomy
    from screening.thresholds.operating_point import OperatingPoint

    taxonomy = load_taxonomy("mh5")
    points = tuple(
        OperatingPoint(
            name=target.name,
            labels=target.labels,
            triage=target.triage,
            target_recall=0.95,
            confidence_level=0.95,
            threshold=threshold,
            n_samples=200,
            n_positive=59,
            n_allowed_misses=0,
            recall_lower_bound=0.9505,
            confidence_achieved=0.9515,
        )
        for target, threshold in zip(taxonomy.targets, (0.45, 0.93), strict=True)
    )

    def save(folder: Path, *, quantised: Any = None, words: Any = None, **fields: Any) -> Path:
        manifest = BundleManifest(
            name="small",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            run_id="0" * 12,
            encoder="random",
            max_tokens=40,
            precision="fp32",
            is_synthetic=True,
            taxonomy=taxonomy,
            temperature=TemperatureScaling(temperature=1.7, n_samples=100),
            operating_points=points,
        )
        manifest = manifest.model_copy(update=fields)
        save_bundle(folder, bert_classifier, bert_tokenizer, manifest, quantised=quantised, words=words)
        return folder

    return save
