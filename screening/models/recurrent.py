"""Recurrent baselines behind the encoders' interface: word vectors from scratch, then a GRU or a plain RNN.

Modarres and Raeisi compare with a GRU and an RNN and do not state their sizes; one layer, one direction and the sizes
below are ours.
"""

from typing import cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

CELLS = {"gru": nn.GRU, "rnn": nn.RNN}


class RecurrentConfig(PreTrainedConfig):
    """Configuration of :class:`RecurrentEncoder`.

    Parameters
    ----------
    cell : {"gru", "rnn"}
    vocab_size, embedding_size, hidden_size : int
    hidden_dropout_prob : float in [0, 1)
        On word vectors and on the states.
    max_position_embeddings : int
        Tokens it was made for. It has no table of positions; a longer post costs time and nothing else.
    """

    model_type = "recurrent"

    cell: str = "gru"
    vocab_size: int = 30_522
    embedding_size: int = 128
    hidden_size: int = 256
    num_hidden_layers: int = 1
    hidden_dropout_prob: float = 0.1
    max_position_embeddings: int = 8_192
    pad_token_id: int | None = 0
    initializer_range: float = 0.1  # word vectors start from nothing; the usual .02 would let the cell see next to none


class RecurrentEncoder(PreTrainedModel):
    """Read a post from its first token to its last.

    Padding stands on the right, so it comes after every real token and changes none of their states.
    """

    config_class = RecurrentConfig
    config: RecurrentConfig
    base_model_prefix = "recurrent"

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.cell = CELLS[config.cell](config.embedding_size, config.hidden_size, batch_first=True)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the word vectors."""
        return self.embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the word vectors."""
        self.embeddings = cast(nn.Embedding, value)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> BaseModelOutput:
        """Run the recurrence.

        Parameters
        ----------
        input_ids : Tensor of shape (n_posts, n_tokens), optional
        attention_mask : Tensor of shape (n_posts, n_tokens), optional
            Unused: see the class.
        inputs_embeds : Tensor of shape (n_posts, n_tokens, n_embedding), optional
            Instead of ``input_ids``.
        """
        vectors = self.embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        # cuDNN has no backward pass in evaluation mode, and explanations need one
        with torch.backends.cudnn.flags(enabled=self.training or not torch.is_grad_enabled()):
            states, _ = self.cell(self.dropout(vectors))  # (n_posts, n_tokens, n_hidden)
        return BaseModelOutput(last_hidden_state=self.dropout(states))


AutoConfig.register(RecurrentConfig.model_type, RecurrentConfig)
AutoModel.register(RecurrentConfig, RecurrentEncoder)
