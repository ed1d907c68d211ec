"""Inception v3 without its auxiliary head, and with a width, which the zoo's has not.

Source: Szegedy et al., "Rethinking the Inception architecture for computer vision" (2015). Read next: `sequences.py`.
"""

from __future__ import annotations

from typing import Any

from bench.models.parts import Framework, branches_class, convolution, scaled


class _Inception:
    """Writes the blocks of Inception-v3; channels are multiplied by the width."""

    def __init__(self, framework: Framework, width: float) -> None:
        self.framework, self.width = framework, width
        self.channels = 3

    def chain(self, *steps: tuple[int, Any, dict[str, Any]], inputs: int | None = None) -> Any:
        """Convolutions one after the other, each (channels, kernel, options); from the block's input unless told."""
        layers: list[Any] = []
        inputs = self.channels if inputs is None else inputs
        for channels, kernel, options in steps:
            outputs = scaled(channels, self.width)
            layers += convolution(self.framework, inputs, outputs, kernel, **options)
            inputs = outputs
        return self.framework.nn.Sequential(*layers)

    def pooled(self, channels: int) -> Any:
        """Average pooling followed by a 1x1 convolution."""
        pool = self.framework.nn.AvgPool2d(3, stride=1, padding=1)
        return self.framework.nn.Sequential(pool, self.chain((channels, 1, {})))

    def join(self, channels: tuple[int, ...], *branches: Any, keep: bool = False) -> Any:
        """The branches concatenated; `keep` says that the input's channels are among them (a pooling branch)."""
        kept = self.channels if keep else 0
        self.channels = kept + sum(scaled(c, self.width) for c in channels)
        return branches_class(self.framework)(*branches)

    def small(self, pool: int) -> Any:
        """35x35: 1x1, 5x5, double 3x3 and pooling."""
        five = self.chain((48, 1, {}), (64, 5, {"padding": 2}))
        three = self.chain((64, 1, {}), (96, 3, {"padding": 1}), (96, 3, {"padding": 1}))
        return self.join((64, 64, 96, pool), self.chain((64, 1, {})), five, three, self.pooled(pool))

    def reduce_small(self) -> Any:
        """35x35 to 17x17."""
        three = self.chain((64, 1, {}), (96, 3, {"padding": 1}), (96, 3, {"stride": 2}))
        pool = self.framework.nn.MaxPool2d(3, stride=2)
        return self.join((384, 96), self.chain((384, 3, {"stride": 2})), three, pool, keep=True)

    def factored(self, c: int) -> Any:
        """17x17: 7x7 convolutions written as 1x7 and 7x1."""
        wide: tuple[Any, dict[str, Any]] = ((1, 7), {"padding": (0, 3)})
        high: tuple[Any, dict[str, Any]] = ((7, 1), {"padding": (3, 0)})
        once = self.chain((c, 1, {}), (c, *wide), (192, *high))
        twice = self.chain((c, 1, {}), (c, *high), (c, *wide), (c, *high), (192, *wide))
        return self.join((192,) * 4, self.chain((192, 1, {})), once, twice, self.pooled(192))

    def reduce_factored(self) -> Any:
        """17x17 to 8x8."""
        three = self.chain((192, 1, {}), (320, 3, {"stride": 2}))
        wide, high = (192, (1, 7), {"padding": (0, 3)}), (192, (7, 1), {"padding": (3, 0)})
        seven = self.chain((192, 1, {}), wide, high, (192, 3, {"stride": 2}))
        return self.join((320, 192), three, seven, self.framework.nn.MaxPool2d(3, stride=2), keep=True)

    def split(self) -> Any:
        """8x8: branches that split once more."""
        nn = self.framework.nn

        def fork(*steps: tuple[int, Any, dict[str, Any]]) -> Any:
            inputs = scaled(384, self.width)
            wide = self.chain((384, (1, 3), {"padding": (0, 1)}), inputs=inputs)
            high = self.chain((384, (3, 1), {"padding": (1, 0)}), inputs=inputs)
            return nn.Sequential(self.chain(*steps), branches_class(self.framework)(wide, high))

        three = fork((384, 1, {}))
        double = fork((448, 1, {}), (384, 3, {"padding": 1}))
        return self.join((320, 384, 384, 384, 384, 192), self.chain((320, 1, {})), three, double, self.pooled(192))


def inception(framework: Framework, classes: int = 1000, width: float = 1.0) -> Any:
    """Inception-v3 for images of shape (N, 3, 299, 299), or of any other size from 75 on."""
    nn = framework.nn
    blocks = _Inception(framework, width)

    def stem(*steps: tuple[int, Any, dict[str, Any]]) -> Any:
        layers = blocks.chain(*steps)
        blocks.channels = scaled(steps[-1][0], width)
        return layers

    layers = [stem((32, 3, {"stride": 2}), (32, 3, {}), (64, 3, {"padding": 1})), nn.MaxPool2d(3, stride=2)]
    layers += [stem((80, 1, {}), (192, 3, {})), nn.MaxPool2d(3, stride=2)]
    layers += [blocks.small(pool) for pool in (32, 64, 64)] + [blocks.reduce_small()]
    layers += [blocks.factored(c) for c in (128, 160, 160, 192)] + [blocks.reduce_factored()]
    layers += [blocks.split(), blocks.split()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(blocks.channels, classes))
