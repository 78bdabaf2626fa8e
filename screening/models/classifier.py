"""The multi-head classifier: one encoder, a class head, a valence head and an intensity head.

The heads follow CMHL (arXiv 2603.14078, abstract); their exact form is ours, the paper's is not public.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from screening.exceptions import ConfigError
from screening.models.detection import DETECTION
from screening.models.encoder import build_pooler_argument, load_encoder, load_tokenizer
from screening.models.pooling import POOLINGS, LayerAttention
from screening.models.recurrent import RecurrentConfig

_PADDING_POSITION_TYPES = {
    "roberta", "xlm-roberta", "camembert", "data2vec-text", "ibert", "longformer", "luke", "roberta-prelayernorm",
    "xlm-roberta-xl", "xmod",
}  # fmt: skip


@dataclass
class RiskClassifierOutput(ModelOutput):
    """What the classifier says about a batch of posts.

    Attributes
    ----------
    logits : Tensor of shape (n_posts, n_classes)
        Before softmax.
    valence : Tensor of shape (n_posts,)
        In [-1, 1], negative is unpleasant.
    intensity : Tensor of shape (n_posts,)
        In [0, 1].
    pooled : Tensor of shape (n_posts, n_hidden)
        The representation all heads read.
    projected : Tensor of shape (n_posts, n_projected) or None
        A projection of it, while training parts are attached that make one.
    weighting_logits : Tensor of shape (n_posts, n_classes) or None
        What the weighting network of LCL says, while one is attached.
    momentum_keys : Tensor of shape (n_posts, n_features) or None
        What the momentum network makes of the posts, without gradient, while one is attached.
    queued_keys, queued_labels : Tensor of shape (n_keys, n_features), (n_keys, ...) or None
        Keys of earlier batches; a training step puts them beside the outputs.
    detection_logits : Tensor of shape (n_posts, n_tokens) or None
        How sure the detection head is that a token was replaced, where posts were read with replaced tokens.
    detection_targets : Tensor of shape (n_posts, n_tokens) or None
        1 replaced, 0 not, ``NOT_COUNTED`` padding and special tokens; a training step puts them beside the outputs.
    teacher_probabilities : Tensor of shape (n_posts, n_classes) or None
        What other classifiers say about training posts; a training step puts them beside the outputs.
    """

    # ModelOutput asks for a default on every field; the classifier always fills the first four.
    logits: Tensor = None  # type: ignore[assignment]
    valence: Tensor = None  # type: ignore[assignment]
    intensity: Tensor = None  # type: ignore[assignment]
    pooled: Tensor = None  # type: ignore[assignment]
    projected: Tensor | None = None
    weighting_logits: Tensor = None  # type: ignore[assignment]  # read by LCL only, which comes with the network
    momentum_keys: Tensor = None  # type: ignore[assignment]  # as above: MCCL
    queued_keys: Tensor | None = None
    queued_labels: Tensor | None = None
    detection_logits: Tensor = None  # type: ignore[assignment]  # as above: PTD
    detection_targets: Tensor = None  # type: ignore[assignment]
    teacher_probabilities: Tensor | None = None

    @property
    def contrasted(self) -> Tensor:
        """What contrastive losses compare: the projection where there is one, the representation otherwise."""
        return self.pooled if self.projected is None else self.projected


class RiskConfig(PreTrainedConfig):
    """Configuration of :class:`RiskClassifier`.

    Parameters
    ----------
    encoder : dict
        The encoder's own configuration, with its ``model_type``.
    pooling : str
        ``cls`` or ``mean``.
    layers : str
        ``last``, or ``attentive``: see :class:`~screening.models.pooling.LayerAttention`.
    max_tokens : int
        Window length the classifier was trained with.
    dropout : float
        Dropout before the heads, in [0, 1).
    has_trained_scales : bool
        Whether the objective trained the valence and intensity heads; what others say is without meaning.
    """

    model_type = "risk_classifier"

    encoder: dict[str, Any] | None = None
    pooling: str = "mean"
    layers: str = "last"  # also of models saved before there was a choice
    max_tokens: int = 256
    dropout: float = 0.1
    has_trained_scales: bool = True  # also of models saved before it was said

    def build_encoder_config(self) -> PreTrainedConfig:
        """Build the encoder's configuration object."""
        settings = dict(self.encoder or {"model_type": "bert"})
        return AutoConfig.for_model(settings.pop("model_type"), **settings)


class RiskClassifier(PreTrainedModel):
    """Class, valence and intensity of a post from one encoder."""

    config_class = RiskConfig
    config: RiskConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(self, config: RiskConfig) -> None:
        super().__init__(config)
        encoder_config = config.build_encoder_config()
        self.encoder = AutoModel.from_config(
            encoder_config, trust_remote_code=False, **build_pooler_argument(encoder_config)
        )
        n_hidden = encoder_config.hidden_size
        is_attentive = config.layers == "attentive"
        self.layer_attention = LayerAttention(encoder_config.num_hidden_layers) if is_attentive else None
        self.dropout = nn.Dropout(config.dropout)
        self.class_head = nn.Linear(n_hidden, len(config.id2label or {}))
        self.valence_head = nn.Linear(n_hidden, 1)
        self.intensity_head = nn.Linear(n_hidden, 1)
        self.training_parts = nn.ModuleDict()  # filled while training only: never saved with the classifier
        self.post_init()

    @classmethod
    def from_encoder(
        cls,
        name: str,
        labels: tuple[str, ...],
        *,
        pooling: str = "mean",
        layers: str = "last",
        max_tokens: int = 256,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
    ) -> tuple["RiskClassifier", Any]:
        """Put fresh heads on a pre-trained encoder.

        Parameters
        ----------
        name : str
            See :func:`screening.models.encoder.load_encoder`.
        labels : tuple of str
            Class names in logit order.

        Returns
        -------
        classifier : RiskClassifier
        tokenizer : transformers.PreTrainedTokenizerBase

        Raises
        ------
        ConfigError
            If the encoder's position table is shorter than ``max_tokens``, or it has one layer and ``layers`` asks for
            all.
        """
        encoder, tokenizer = load_encoder(name, dropout=dropout, attention_dropout=attention_dropout)
        n_positions = count_positions(encoder.config)
        if max_tokens > n_positions:
            message = f"max_tokens is {max_tokens} but encoder {name!r} has {n_positions} positions; lower max_tokens"
            raise ConfigError(message)
        if layers == "attentive" and encoder.config.model_type == RecurrentConfig.model_type:
            message = f"model.layers: attentive weighs the layers of a transformer, encoder {name!r} has one; use last"
            raise ConfigError(message)
        config = RiskConfig(
            encoder=encoder.config.to_dict(),
            pooling=pooling,
            layers=layers,
            max_tokens=max_tokens,
            dropout=dropout,
            id2label=dict(enumerate(labels)),
            label2id={label: i for i, label in enumerate(labels)},
        )
        classifier = cls(config)
        classifier.encoder = encoder
        return classifier, tokenizer

    def train(self, mode: bool = True) -> "RiskClassifier":
        """Switch training mode; an encoder that learns nothing stays in evaluation mode, without dropout."""
        super().train(mode)
        if not any(weight.requires_grad for weight in self.encoder.parameters()):
            self.encoder.eval()
        return self

    def get_input_embeddings(self) -> nn.Module:
        """Return the word-embedding layer."""
        return cast(nn.Module, self.encoder.get_input_embeddings())

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the word-embedding layer."""
        self.encoder.set_input_embeddings(value)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        perturbed_ids: Tensor | None = None,
        pooled: Tensor | None = None,
        **encoder_arguments: Any,
    ) -> RiskClassifierOutput:
        """Run encoder, pooling and heads.

        Parameters
        ----------
        input_ids : Tensor of shape (n_posts, n_tokens), optional
        attention_mask : Tensor of shape (n_posts, n_tokens), optional
            All ones if absent.
        inputs_embeds : Tensor of shape (n_posts, n_tokens, n_embedding), optional
            Instead of ``input_ids``.
        perturbed_ids : Tensor of shape (n_posts, n_tokens), optional
            The posts with some tokens replaced, for the detection head to read in training.
        pooled : Tensor of shape (n_posts, n_hidden), optional
            Their representations, where they were computed before: the encoder is not asked again.
        **encoder_arguments
            ``position_ids``, ``token_type_ids`` and the like, passed on.

        Returns
        -------
        RiskClassifierOutput
        """
        if pooled is None:
            pooled = self._represent(
                attention_mask, input_ids=input_ids, inputs_embeds=inputs_embeds, **encoder_arguments
            )
        features = self.dropout(pooled)
        parts = {
            name: part(input_ids, attention_mask, pooled)
            for name, part in self.training_parts.items()
            if name != DETECTION
        }
        if perturbed_ids is not None:
            perturbed = self.encoder(input_ids=perturbed_ids, attention_mask=attention_mask)
            parts[DETECTION] = self.training_parts[DETECTION](perturbed.last_hidden_state)
        return RiskClassifierOutput(
            logits=self.class_head(features),
            valence=torch.tanh(self.valence_head(features)).squeeze(-1),
            intensity=torch.sigmoid(self.intensity_head(features)).squeeze(-1),
            pooled=pooled,
            **parts,
        )

    def _represent(self, attention_mask: Tensor | None, **encoder_arguments: Any) -> Tensor:
        """Run encoder and pooling; shape (n_posts, n_hidden)."""
        if self.layer_attention is not None:
            encoder_arguments |= {"output_hidden_states": True}
        encoded = self.encoder(attention_mask=attention_mask, **encoder_arguments)
        hidden = encoded.last_hidden_state  # (n_posts, n_tokens, n_hidden)
        mask = attention_mask if attention_mask is not None else torch.ones(hidden.shape[:2], device=hidden.device)
        pool = POOLINGS[self.config.pooling]
        pooled = pool(hidden, mask)
        if self.layer_attention is None:
            return pooled
        by_layer = [pool(layer, mask) for layer in encoded.hidden_states[1:]]  # the first are the word embeddings
        return self.layer_attention(pooled, torch.stack(by_layer))


def load_classifier(folder: Path) -> tuple[RiskClassifier, Any]:
    """Load a saved classifier, in evaluation mode, and its tokenizer: safetensors and JSON alone, never code."""
    classifier = RiskClassifier.from_pretrained(folder, use_safetensors=True, trust_remote_code=False)
    return classifier.eval(), load_tokenizer(folder)


def count_positions(encoder_config: Any) -> int:
    """Count the token positions an encoder can hold: RoBERTa's kind keeps those up to the padding token's back."""
    reserved = 0
    if encoder_config.model_type in _PADDING_POSITION_TYPES:
        reserved = encoder_config.pad_token_id + 1
    elif encoder_config.model_type == "mpnet":
        reserved = 2  # whatever its padding token
    return int(encoder_config.max_position_embeddings) - reserved


AutoConfig.register(RiskConfig.model_type, RiskConfig)
AutoModelForSequenceClassification.register(RiskConfig, RiskClassifier)
