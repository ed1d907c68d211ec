"""Sequences: padding, windows of series, pairs of words. Read next: `text.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.keras.utils import PyDataset
from onegraph.keras.utils.sequences import pad_sequences

__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]


class TimeseriesGenerator(PyDataset):
    """Windows of a series with the target behind each, in batches.

    Args:
        data, targets: (time, ...).
        length: of a window.
        sampling_rate: how far apart the steps in a window are.
        stride: how far apart windows are.
        start_index, end_index: only this part of the series.
        shuffle: draw windows at random, from NumPy's generator.
        reverse: give the steps of a window backwards.
        batch_size: windows in a batch.

    >>> windows = TimeseriesGenerator(np.arange(6), np.arange(6), length=3, batch_size=2)
    >>> [part.tolist() for part in windows[0]]
    [[[0, 1, 2], [1, 2, 3]], [3, 4]]
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
    ) -> None:
        super().__init__()
        if len(data) != len(targets):
            raise ArgumentError(f"data has {len(data)} steps, targets have {len(targets)}")
        self.data, self.targets, self.length = np.asarray(data), np.asarray(targets), length
        self.sampling_rate, self.stride, self.shuffle, self.reverse = sampling_rate, stride, shuffle, reverse
        self.start_index, self.batch_size = start_index + length, batch_size
        self.end_index = len(data) - 1 if end_index is None else end_index
        if self.start_index > self.end_index:
            raise ArgumentError(f"there is no window of {length} between {start_index} and {self.end_index}")

    def __len__(self) -> int:
        return (self.end_index - self.start_index + self.batch_size * self.stride) // (self.batch_size * self.stride)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            rows = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        windows = np.array([self.data[r - self.length : r : self.sampling_rate] for r in rows])
        return (windows[:, ::-1, ...] if self.reverse else windows), np.array([self.targets[r] for r in rows])


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """How probably to keep a word by its rank, from Zipf's law. Source: Mikolov et al., arXiv 1310.4546, equation 5."""
    gamma = 0.577  # Euler's constant
    rank = np.arange(size, dtype=np.float64)
    rank[0] = 1
    inverse = rank * (np.log(rank) + gamma) + 0.5 - 1.0 / (12.0 * rank)
    share = sampling_factor * inverse
    return np.minimum(1.0, share / np.sqrt(share))


def skipgrams(
    sequence: Any,
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Pairs of words that stand near each other (1), and pairs drawn at random (0). Source: Mikolov et al., 2013.

    Args:
        sequence: word numbers; 0 is no word.
        vocabulary_size: how many words there are, 0 included.
        window_size: how near.
        negative_samples: how many random pairs for each true one.
        shuffle: mix the pairs.
        categorical: labels [0, 1] and [1, 0] instead of 1 and 0.
        sampling_table: how probably to keep each word.
        seed: of the order and of the random pairs.
    """
    rng = np.random.RandomState(seed)
    pairs: list[list[int]] = []
    for i, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < rng.random_sample()):
            continue
        for j in range(max(0, i - window_size), min(len(sequence), i + window_size + 1)):
            if j != i and sequence[j]:
                pairs.append([int(word), int(sequence[j])])
    labels: list[Any] = [[0, 1] if categorical else 1] * len(pairs)
    count = int(len(pairs) * negative_samples)
    if count:
        words = rng.permutation([pair[0] for pair in pairs])
        pairs += [[int(words[i % len(words)]), int(rng.randint(1, vocabulary_size))] for i in range(count)]
        labels += [[1, 0] if categorical else 0] * count
    if shuffle:
        order = rng.permutation(len(pairs))
        pairs, labels = [pairs[i] for i in order], [labels[i] for i in order]
    return pairs, labels
