"""Image datasets, search splits, and batches with augmentation on the device."""

from harness.data.batches import Batches
from harness.data.datasets import DATASETS, Dataset, Images, load
from harness.data.splits import SearchData, Split, search_data, search_split

__all__ = ["DATASETS", "Batches", "Dataset", "Images", "SearchData", "Split", "load", "search_data", "search_split"]
