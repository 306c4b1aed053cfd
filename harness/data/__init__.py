"""Image datasets in memory, search splits, batches with augmentation on the device."""

from harness.data.batches import Batches
from harness.data.datasets import DATASETS, Dataset, Images, load
from harness.data.splits import SearchData, search_data

__all__ = ["DATASETS", "Batches", "Dataset", "Images", "SearchData", "load", "search_data"]
