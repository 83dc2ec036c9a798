"""A small classifier of the training images, whose features measure how close generated images are to real ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoenc import progress
from autoenc.data.datasets import Split
from autoenc.devices import Device
from autoenc.evaluation.batches import as_floats, batches
from autoenc.seeds import derived_seed

FEATURES = 64
STEPS = 1000
"""About two epochs of MNIST, which take 15 s on a CPU core and give 98 % on its test images."""
BATCH_SIZE = 128


class ImageClassifier(nn.Module):
    """Two strided convolutions with batch normalization, a hidden layer of `FEATURES` units, and a linear layer.

    Args:
        image_shape: (C, H, W), any.
        classes: their number.
    """

    def __init__(self, image_shape: tuple[int, int, int], *, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(image_shape[0], 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(7),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to logits (B, classes)."""
        logits: Tensor = self.head(self.body(images))
        return logits

    def features(self, images: Tensor, *, device: Device) -> Tensor:
        """The hidden layer for uint8 images (N, C, H, W) on the device, (N, FEATURES), float64 on the CPU."""
        with torch.no_grad():
            return torch.cat([self.body(batch).cpu().double() for batch in batches(images, device=device)])

    def correct(self, split: Split, *, device: Device) -> Tensor:
        """Whether each image of a split is put into its class, bool (N,), on the CPU."""
        with torch.no_grad():
            logits = torch.cat([self(batch).cpu() for batch in batches(split.images, device=device)])
        return logits.argmax(1) == split.labels


def train_classifier(split: Split, *, device: Device) -> ImageClassifier:
    """A classifier in eval mode, trained on a split whose images are on the device. It depends on nothing else.

    Adam makes `STEPS` steps on random batches, with a step size that falls linearly to 0. The caller's random numbers
    stay untouched.
    """
    generator = torch.Generator().manual_seed(derived_seed(0, "classifier's batches"))
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(0, "classifier's weights"))
        classifier = ImageClassifier(split.image_shape, classes=int(split.labels.max()) + 1)
    classifier.to(device.torch_device)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1, end_factor=0, total_iters=STEPS)
    for _ in progress.steps(range(STEPS), name="training a classifier"):
        chosen = torch.randint(len(split), (BATCH_SIZE,), generator=generator)
        images = as_floats(split.images[chosen.to(device.torch_device)], device=device)
        loss = F.cross_entropy(classifier(images), split.labels[chosen].to(device.torch_device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return classifier.eval()
