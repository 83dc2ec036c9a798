"""The images an autoencoder is trained on: the choices of the config group `dataset`."""

from autoenc.data.datasets.arrays import Arrays
from autoenc.data.datasets.cifar10 import Cifar10
from autoenc.data.datasets.digits import Digits
from autoenc.data.datasets.idx_sets import Emnist, IdxDataset
from autoenc.data.datasets.image_folder import ImageFolder
from autoenc.data.datasets.published_sets import DatasetError
from autoenc.data.datasets.splits import Dataset, Split, Splits, shown_indices
from autoenc.registry import Registry

DATASETS: Registry[Dataset] = Registry(
    "dataset",
    {
        "digits": Digits,
        "mnist": IdxDataset,
        "fashion_mnist": IdxDataset,
        "kmnist": IdxDataset,
        "emnist": Emnist,
        "cifar10": Cifar10,
        "image_folder": ImageFolder,
        "arrays": Arrays,
    },
)

__all__ = ["DATASETS", "Dataset", "DatasetError", "Split", "Splits", "shown_indices"]
