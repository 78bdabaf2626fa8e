"""Run as one of two processes: takes its half of a batch, and saves the gradient of the loss of the whole batch.

python one_of_two_processes.py PLACE FOLDER
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.gathering import NOT_COUNTED, gather_batch

N_COUNTED = 7  # of eight rows, so that the last one of the second process only fills its half


class SmallClassifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.class_head, self.valence_head = nn.Linear(6, 4), nn.Linear(4, 3), nn.Linear(4, 1)

    def forward(self, features: Tensor) -> RiskClassifierOutput:
        pooled = torch.tanh(self.encoder(features))
        valence = self.valence_head(pooled).squeeze(1)
        return RiskClassifierOutput(logits=self.class_head(pooled), valence=valence, pooled=pooled)


def make_batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, NOT_COUNTED])
    return torch.randn(len(labels), 6, generator=generator), labels


def compute_loss(outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
    """Couple every post with every other, and weigh classes unevenly: no mean over shares gives this."""
    weights = torch.tensor([1.0, 2.0, 5.0])
    similarities = outputs.pooled @ outputs.pooled.T
    is_same = labels[:, None] == labels[None, :]
    contrast = torch.logsumexp(similarities, dim=1) - (similarities * is_same).sum(dim=1)
    return nn.functional.cross_entropy(outputs.logits, labels, weight=weights) + contrast.mean()


def gradients_of(model: nn.Module) -> dict[str, Tensor]:
    # a head no loss reads: no gradient in one process, zeros in several
    return {name: torch.zeros_like(w) if w.grad is None else w.grad for name, w in model.named_parameters()}


def main(place: int, folder: Path) -> None:
    import torch.distributed as dist
    from safetensors.torch import save_file
    from torch.nn.parallel import DistributedDataParallel

    dist.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=place, world_size=2)
    model = SmallClassifier()
    features, labels = (tensor.chunk(2)[place] for tensor in make_batch())
    parallel = DistributedDataParallel(model)  # averages gradients over processes for as long as it lives
    compute_loss(*gather_batch(parallel(features), labels)).backward()
    save_file(gradients_of(model), folder / f"gradients-{place}.safetensors")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
