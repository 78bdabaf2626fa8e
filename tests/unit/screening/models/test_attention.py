"""Our gradient of attention is as near to the true one as PyTorch's in bf16; it is used only where it is faster."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from screening.models.attention import OURS, USUAL, MatrixGradientAttention, attend, matrix_gradient

SCALE = 0.3


class Module(torch.nn.Module):
    is_causal = False


def make_inputs(n_tokens: int, *, is_masked: bool, dtype: torch.dtype) -> tuple[list[Tensor], Tensor | None, Tensor]:
    generator = torch.Generator().manual_seed(n_tokens)
    shape = (3, 2, n_tokens, 8)
    inputs = [torch.randn(shape, generator=generator).to(dtype) for _ in range(3)]
    mask = torch.rand((3, 1, n_tokens, n_tokens), generator=generator) < 0.6
    mask[..., 0] = True  # every token sees one at least
    gradient = torch.randn(shape, generator=generator).to(dtype)
    return inputs, mask if is_masked else None, gradient


def differentiate(attention: Any, inputs: list[Tensor], gradient: Tensor) -> tuple[Tensor, ...]:
    leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    output = attention(*leaves)
    return (output.detach(), *torch.autograd.grad(output, leaves, gradient))


@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("n_tokens", [1, 5, 24, 70])
def test_gradient_is_the_one_of_pytorch(n_tokens: int, is_masked: bool) -> None:
    inputs, mask, gradient = make_inputs(n_tokens, is_masked=is_masked, dtype=torch.float64)
    ours = differentiate(lambda q, k, v: MatrixGradientAttention.apply(q, k, v, mask, SCALE), inputs, gradient)
    theirs = differentiate(
        lambda q, k, v: scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=SCALE), inputs, gradient
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("n_tokens", [24, 70])
def test_in_bf16_it_is_as_near_to_the_truth_as_the_one_of_pytorch(n_tokens: int, is_masked: bool) -> None:
    inputs, mask, gradient = make_inputs(n_tokens, is_masked=is_masked, dtype=torch.bfloat16)

    def attend_as_pytorch(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=SCALE)

    exact = differentiate(attend_as_pytorch, [tensor.double() for tensor in inputs], gradient.double())
    theirs = differentiate(attend_as_pytorch, inputs, gradient)
    ours = differentiate(lambda q, k, v: MatrixGradientAttention.apply(q, k, v, mask, SCALE), inputs, gradient)
    assert torch.equal(ours[0], theirs[0])  # forward is PyTorch's own
    for one, other, truth in zip(ours[1:], theirs[1:], exact[1:], strict=True):
        error, usual = ((found.double() - truth).norm() / truth.norm() for found in (one, other))
        assert error < max(2 * usual, 2**-8)  # bf16 keeps 8 bits


def test_padding_that_sees_no_token_gives_no_gradient_as_with_pytorch() -> None:
    inputs, mask, gradient = make_inputs(6, is_masked=True, dtype=torch.float64)
    assert mask is not None
    mask[:, :, 4:] = False
    ours = differentiate(lambda q, k, v: MatrixGradientAttention.apply(q, k, v, mask, SCALE), inputs, gradient)
    theirs = differentiate(
        lambda q, k, v: scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=SCALE), inputs, gradient
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)
    assert not ours[1][:, :, 4:].any()


@pytest.mark.parametrize(
    ("change", "is_ours"),
    [
        ({}, True),
        ({"dtype": torch.float32}, False),
        ({"dropout": 0.1}, False),
        ({"is_causal": True}, False),
        ({"others": {"is_causal": True}}, False),
        ({"others": {"is_causal": False, "softcap": None}}, True),
        ({"max_shares": 3 * 2 * 8 * 8 - 1}, False),
        ({"max_shares": 3 * 2 * 8 * 8}, True),
        ({"is_learning": False}, False),
        ({"is_additive": True}, False),
    ],
)
def test_it_is_used_where_it_is_faster_and_right(
    change: dict[str, Any], is_ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, mask, _ = make_inputs(8, is_masked=True, dtype=change.get("dtype", torch.bfloat16))
    used = []

    def apply(*arguments: Any) -> Tensor:
        used.append(arguments)
        return torch.zeros_like(inputs[0])

    monkeypatch.setattr(MatrixGradientAttention, "apply", apply)
    monkeypatch.setattr("screening.models.attention.MAX_SHARES", change.get("max_shares", 1_000))
    module = Module()
    module.is_causal = change.get("is_causal", False)
    leaves = [tensor.requires_grad_(change.get("is_learning", True)) for tensor in inputs]
    if "is_additive" in change:
        mask = torch.zeros(mask.shape, dtype=torch.bfloat16)
    others = change.get("others", {})
    output, _ = attend(module, *leaves, mask, dropout=change.get("dropout", 0.0), scaling=SCALE, **others)
    assert output.shape == (3, 8, 2, 8)  # as transformers expects it: tokens before heads
    assert bool(used) == is_ours


@pytest.mark.parametrize("model_type", ["bert", "roberta", "distilbert", "electra"])
def test_encoder_learns_the_same_from_padded_posts(model_type: str, build_classifier: Any) -> None:
    classifier = build_classifier(model_type, 40).train()
    for dropout in (module for module in classifier.modules() if isinstance(module, torch.nn.Dropout)):
        dropout.p = 0.0
    ids = torch.randint(5, 40, (4, 16), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(16) < torch.tensor([16, 3, 9, 12])[:, None]).long()

    def compute_gradients(*, is_reduced: bool) -> Tensor:
        classifier.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_reduced):
            classifier(input_ids=ids, attention_mask=mask).logits.float().square().sum().backward()
        gradients = [weight.grad for weight in classifier.encoder.parameters() if weight.grad is not None]
        return torch.cat([gradient.flatten().clone() for gradient in gradients])

    exact, usual = compute_gradients(is_reduced=False), compute_gradients(is_reduced=True)
    with matrix_gradient(classifier):
        assert classifier.encoder.config._attn_implementation == OURS
        ours = compute_gradients(is_reduced=True)
    assert classifier.encoder.config._attn_implementation == USUAL
    assert not torch.equal(ours, usual)
    assert (ours - exact).norm() < 1.5 * (usual - exact).norm()  # both are off by what bf16 leaves out


def test_what_is_saved_does_not_name_it(build_classifier: Any, tmp_path: Any) -> None:
    classifier = build_classifier("bert", 40)
    with matrix_gradient(classifier):
        classifier.save_pretrained(tmp_path)
    assert OURS not in (tmp_path / "config.json").read_text(encoding="utf-8")
    assert type(classifier).from_pretrained(tmp_path).encoder.config._attn_implementation == USUAL
