"""A small classifier of the training images, whose features measure how close generated images are to real ones.

It is trained and used on the CPU, so that runs on any device are measured by the same features.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoenc import progress
from autoenc.data.datasets import Split
from autoenc.devices import plain_device
from autoenc.evaluation.batches import as_floats, batches
from autoenc.seeds import derived_seed

FEATURES = 64
STEPS = 1000
"""About two epochs of MNIST, which take 15 s on a CPU core and give 98 % on its test images."""
BATCH_SIZE = 128


class ImageClassifier(nn.Module):
    """Two strided convolutions with batch normalization, a hidden layer of `FEATURES` units, and a linear layer.

    Args:
        image_shape: (C, H, W).
        classes: their number.
    """

    def __init__(self, image_shape: tuple[int, int, int], *, classes: int) -> None:
        super().__init__()
        channels, height, width = image_shape
        places = -(-height // 4) * -(-width // 4)  # each convolution halves a side and rounds it up
        self.body = nn.Sequential(
            nn.Conv2d(channels, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * places, FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to logits (B, classes)."""
        logits: Tensor = self.head(self.body(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """The hidden layer for uint8 images (N, C, H, W), (N, FEATURES), float64 on the CPU."""
        with torch.no_grad():
            return torch.cat([self.body(batch).double() for batch in _batches(images)])

    def correct(self, split: Split) -> Tensor:
        """Whether each image of a split is put into its class, bool (N,), on the CPU."""
        return self.classes(split.images) == split.labels

    def classes(self, images: Tensor) -> Tensor:
        """The classes that it predicts for uint8 images (N, C, H, W), int64 (N,), on the CPU."""
        return self._logits(images).argmax(1)

    def entropies(self, images: Tensor) -> Tensor:
        """The entropy of the classes that it predicts for uint8 images (N, C, H, W), in nats, (N,), on the CPU."""
        entropies: Tensor = torch.special.entr(self._logits(images).softmax(1)).sum(1)
        return entropies

    def _logits(self, images: Tensor) -> Tensor:
        """(N, classes)."""
        with torch.no_grad():
            return torch.cat([self(batch) for batch in _batches(images)])


def train_classifier(split: Split) -> ImageClassifier:
    """A classifier in eval mode, trained on a split.

    Adam makes `STEPS` steps on random batches, with a step size that falls linearly to 0. The caller's random numbers
    stay untouched.

    The weights depend only on the images and their order, the version of torch and the kind of processor. The training
    uses one thread whatever the run uses: sums of more threads are rounded differently, which 1,000 steps amplify.
    """
    generator = torch.Generator().manual_seed(derived_seed(0, "classifier's batches"))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derived_seed(0, "classifier's weights"))  # of no other device
        classifier = ImageClassifier(split.image_shape, classes=int(split.labels.max()) + 1)
    with _one_thread():
        _train(classifier, Split(split.images.cpu(), split.labels), generator=generator)  # synchronizes
    return classifier.eval()


def _batches(images: Tensor) -> Iterator[Tensor]:
    """uint8 images (N, C, H, W) on any device as float batches on the CPU."""
    return batches(images.cpu(), device=plain_device("cpu"))  # synchronizes


def _train(classifier: ImageClassifier, split: Split, *, generator: torch.Generator) -> None:
    optimizer = torch.optim.Adam(classifier.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1, end_factor=0, total_iters=STEPS)
    for _ in progress.steps(range(STEPS), name="training a classifier"):
        chosen = torch.randint(len(split), (BATCH_SIZE,), generator=generator)
        images = as_floats(split.images[chosen], device=plain_device("cpu"))
        loss = F.cross_entropy(classifier(images), split.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
