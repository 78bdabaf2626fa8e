"""Run as one of two processes: takes its half of a batch, and saves the gradient of the loss of the whole batch.

python one_of_two_processes.py PLACE FOLDER
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from screening.models.classifier import RiskClassifierOutput
from screening.models.momentum import KeyQueue
from screening.objectives.gathering import NOT_COUNTED, gather_batch
from screening.objectives.lcl import LabelAwareContrastive
from screening.objectives.mccl import ContinuousContrast
from screening.objectives.ptd import PerTokenDetection
from screening.objectives.scl import SupervisedContrastive

N_COUNTED = 7  # of eight rows, so that the last one of the second process only fills its half
WIDTHS = (3, 5)  # tokens of the longest post of each process
TRUST = torch.tensor([1.0, 0.3, 0.6])
COORDINATES = torch.tensor([[-0.6, -0.3], [0.8, 0.5], [-0.5, 0.6]])


class SmallClassifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.class_head, self.valence_head = nn.Linear(6, 4), nn.Linear(4, 3), nn.Linear(4, 1)
        self.weighting_head = nn.Linear(4, 3)
        self.detection_head, self.key_encoder = nn.Linear(4, max(WIDTHS)), nn.Linear(6, 4).requires_grad_(False)

    def forward(self, features: Tensor, n_tokens: int = max(WIDTHS)) -> RiskClassifierOutput:
        pooled = torch.tanh(self.encoder(features))
        return RiskClassifierOutput(
            logits=self.class_head(pooled),
            valence=self.valence_head(pooled).squeeze(1),
            pooled=pooled,
            weighting_logits=self.weighting_head(pooled),
            momentum_keys=self.key_encoder(features),
            detection_logits=self.detection_head(pooled)[:, :n_tokens],
        )


def make_batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, NOT_COUNTED])
    return torch.randn(len(labels), 6, generator=generator), labels


def make_targets() -> Tensor:
    """Which tokens were replaced; posts of the first process end where its width does."""
    targets = (torch.arange(8 * max(WIDTHS)).reshape(8, -1) % 3 == 0).float()
    targets[:, 0] = NOT_COUNTED
    targets[:4, WIDTHS[0] :] = NOT_COUNTED
    return targets


def make_queue() -> KeyQueue:
    queue = KeyQueue(9, 4, torch.tensor(0))
    queue.enqueue(torch.eye(4)[:3], torch.tensor([2, 0, 1]))
    return queue


def compute_loss(outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
    """Every loss that couples a post with others, and classes weighed unevenly: no mean over shares gives this."""
    weights = torch.tensor([1.0, 2.0, 5.0])
    contrast = SupervisedContrastive(0.3)(outputs, labels) + LabelAwareContrastive(0.3)(outputs, labels)
    keys, key_labels = make_queue().read()
    outputs = RiskClassifierOutput(**outputs, queued_keys=keys, queued_labels=key_labels)
    carl = ContinuousContrast(COORDINATES, 0.3, 0.4, coordinate_weight=TRUST)(outputs, labels)
    carl = carl + PerTokenDetection()(outputs, labels)
    return nn.functional.cross_entropy(outputs.logits, labels, weight=weights) + contrast + carl


def gradients_of(model: nn.Module) -> dict[str, Tensor]:
    # a head no loss reads: no gradient in one process, zeros in several
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    return {name: torch.zeros_like(w) if w.grad is None else w.grad for name, w in trained.items()}


def queue_after(outputs: RiskClassifierOutput, labels: Tensor) -> dict[str, Tensor]:
    queue = make_queue()
    queue.enqueue(outputs.momentum_keys, labels)
    return queue.state_dict()


def main(place: int, folder: Path) -> None:
    import torch.distributed as dist
    from safetensors.torch import save_file
    from torch.nn.parallel import DistributedDataParallel

    dist.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=place, world_size=2)
    model = SmallClassifier()
    features, labels = (tensor.chunk(2)[place] for tensor in make_batch())
    parallel = DistributedDataParallel(model)  # averages gradients over processes for as long as it lives
    targets = make_targets().chunk(2)[place][:, : WIDTHS[place]]
    share = RiskClassifierOutput(**parallel(features, WIDTHS[place]), detection_targets=targets)
    outputs, labels = gather_batch(share, labels)
    compute_loss(outputs, labels).backward()
    found = gradients_of(model) | queue_after(outputs, labels)
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, folder / f"gradients-{place}.safetensors")
    dist.barrier()  # or the first to leave may take the store away from the other
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
