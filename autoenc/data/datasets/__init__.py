"""The images an autoencoder is trained on: the choices of the config group `dataset`."""

from autoenc.data.datasets.cifar10 import Cifar10
from autoenc.data.datasets.digits import Digits
from autoenc.data.datasets.emnist import Emnist
from autoenc.data.datasets.errors import DatasetError
from autoenc.data.datasets.image_folder import ImageFolder
from autoenc.data.datasets.kmnist import Kmnist
from autoenc.data.datasets.mnist import FashionMnist, Mnist
from autoenc.data.datasets.splits import Dataset, Split, Splits, SplitSettings, shown_indices
from autoenc.registry import Registry

DATASETS: Registry[Dataset] = Registry(
    "dataset",
    {
        "digits": Digits,
        "mnist": Mnist,
        "fashion_mnist": FashionMnist,
        "kmnist": Kmnist,
        "emnist": Emnist,
        "cifar10": Cifar10,
        "image_folder": ImageFolder,
    },
)

__all__ = ["DATASETS", "Dataset", "DatasetError", "Split", "SplitSettings", "Splits", "shown_indices"]
