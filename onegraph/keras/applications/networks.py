"""ResNet, MobileNet, DenseNet, Xception and Inception v3 with Keras' names of layers. Read first: `vgg.py`.

Sources: He et al., arXiv 1512.03385 and 1603.05027; Howard et al., arXiv 1704.04861; Sandler et al., arXiv 1801.04381;
Huang et al., arXiv 1608.06993; Chollet, arXiv 1610.02357; Szegedy et al., arXiv 1512.00567.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.keras import layers
from onegraph.keras.applications.shared import axis, finish, head, published, start

Network = Callable[..., Any]


def _conv(x: Any, filters: int, size: Any = 1, stride: int = 1, name: str | None = None, **options: Any) -> Any:
    return layers.Conv2D(filters, size, strides=stride, name=name, **options)(x)


def _norm(x: Any, name: str | None, epsilon: float = 1.001e-5, **options: Any) -> Any:
    return layers.BatchNormalization(axis=axis(), epsilon=epsilon, name=name, **options)(x)


def _relu(x: Any, name: str | None) -> Any:
    return layers.Activation("relu", name=name)(x)


def _network(
    name: str, body: Callable[[Any], Any], size: int, least: int, file: Any, top_name: str = "avg_pool"
) -> Network:
    def make(
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str = name,
    ) -> Any:
        given = start(name, weights, include_top, input_tensor, input_shape, classes, size, least)
        x = head(body(given), include_top, pooling, classes, classifier_activation, top_name)
        return finish(x, given, name, weights, include_top, file)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"The network {name}; arguments as for `VGG16`."
    return make


# ---- residual networks


def _residual(x: Any, filters: int, stride: int, widen: bool, name: str) -> Any:
    shortcut = _norm(_conv(x, 4 * filters, 1, stride, f"{name}_0_conv"), f"{name}_0_bn") if widen else x
    x = _relu(_norm(_conv(x, filters, 1, stride, f"{name}_1_conv"), f"{name}_1_bn"), f"{name}_1_relu")
    x = _relu(_norm(_conv(x, filters, 3, 1, f"{name}_2_conv", padding="same"), f"{name}_2_bn"), f"{name}_2_relu")
    x = _norm(_conv(x, 4 * filters, 1, 1, f"{name}_3_conv"), f"{name}_3_bn")
    return _relu(layers.Add(name=f"{name}_add")([shortcut, x]), f"{name}_out")


def _residual_v2(x: Any, filters: int, stride: int, widen: bool, name: str) -> Any:
    first = _relu(_norm(x, f"{name}_preact_bn"), f"{name}_preact_relu")
    if widen:
        shortcut = _conv(first, 4 * filters, 1, stride, f"{name}_0_conv")
    else:
        shortcut = layers.MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    x = _conv(first, filters, 1, 1, f"{name}_1_conv", use_bias=False)
    x = _relu(_norm(x, f"{name}_1_bn"), f"{name}_1_relu")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = _conv(x, filters, 3, stride, f"{name}_2_conv", use_bias=False)
    x = _relu(_norm(x, f"{name}_2_bn"), f"{name}_2_relu")
    x = _conv(x, 4 * filters, 1, 1, f"{name}_3_conv")
    return layers.Add(name=f"{name}_out")([shortcut, x])


def _resnet(counts: tuple[int, ...], second: bool = False) -> Callable[[Any], Any]:
    def body(x: Any) -> Any:
        x = _conv(layers.ZeroPadding2D(3, name="conv1_pad")(x), 64, 7, 2, "conv1_conv")
        if not second:
            x = _relu(_norm(x, "conv1_bn"), "conv1_relu")
        x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(layers.ZeroPadding2D(1, name="pool1_pad")(x))
        for i, (count, filters) in enumerate(zip(counts, (64, 128, 256, 512), strict=True), 2):
            for j in range(1, count + 1):
                name = f"conv{i}_block{j}"
                if second:  # the last block of a stage takes the stride
                    x = _residual_v2(x, filters, 2 if j == count and i < 5 else 1, j == 1, name)
                else:
                    x = _residual(x, filters, 2 if j == 1 and i > 2 else 1, j == 1, name)
        return _relu(_norm(x, "post_bn"), "post_relu") if second else x

    return body


DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def _resnets(second: bool) -> list[Network]:
    ending = "v2" if second else ""
    return [
        _network(f"resnet{d}{ending}", _resnet(counts, second), 224, 32, published("resnet", f"resnet{d}{ending}"))
        for d, counts in DEPTHS.items()
    ]


ResNet50, ResNet101, ResNet152 = _resnets(False)
ResNet50V2, ResNet101V2, ResNet152V2 = _resnets(True)


# ---- densely connected networks


def _dense(counts: tuple[int, ...]) -> Callable[[Any], Any]:
    def body(x: Any) -> Any:
        x = _conv(layers.ZeroPadding2D(3)(x), 64, 7, 2, "conv1_conv", use_bias=False)
        x = layers.ZeroPadding2D(1)(_relu(_norm(x, "conv1_bn"), "conv1_relu"))
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
        for i, count in enumerate(counts, 2):
            for j in range(1, count + 1):
                name = f"conv{i}_block{j}"
                y = _relu(_norm(x, f"{name}_0_bn"), f"{name}_0_relu")
                y = _conv(y, 128, 1, 1, f"{name}_1_conv", use_bias=False)
                y = _relu(_norm(y, f"{name}_1_bn"), f"{name}_1_relu")
                y = _conv(y, 32, 3, 1, f"{name}_2_conv", use_bias=False, padding="same")
                x = layers.Concatenate(axis=axis(), name=f"{name}_concat")([x, y])
            if i < 5:
                name = f"pool{i}"
                x = _relu(_norm(x, f"{name}_bn"), f"{name}_relu")
                x = _conv(x, x.shape[axis()] // 2, 1, 1, f"{name}_conv", use_bias=False)
                x = layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)
        return _relu(_norm(x, "bn"), "relu")

    return body


_DENSE = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
DenseNet121, DenseNet169, DenseNet201 = (
    _network(f"densenet{d}", _dense(counts), 224, 32, published("densenet", f"densenet{d}"))
    for d, counts in _DENSE.items()
)


# ---- Xception


def _xception(x: Any) -> Any:
    def separable(x: Any, filters: int, name: str) -> Any:
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
        return _norm(x, f"{name}_bn", 1e-3)

    for i, (filters, stride) in enumerate(((32, 2), (64, 1)), 1):
        x = _conv(x, filters, 3, stride, f"block1_conv{i}", use_bias=False)
        x = _relu(_norm(x, f"block1_conv{i}_bn", 1e-3), f"block1_conv{i}_act")
    widths = {2: (128, 128), 3: (256, 256), 4: (728, 728), 13: (728, 1024)}
    for i in range(2, 14):
        name, residual = f"block{i}", x
        if i in widths:
            residual = _norm(_conv(x, widths[i][1], 1, 2, padding="same", use_bias=False), None, 1e-3)
        for j, filters in enumerate(widths.get(i, (728, 728, 728)), 1):
            if (i, j) != (2, 1):
                x = _relu(x, f"{name}_sepconv{j}_act")
            x = separable(x, filters, f"{name}_sepconv{j}")
        if i in widths:
            x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
        x = layers.add([x, residual])
    for j, filters in enumerate((1536, 2048), 1):
        x = _relu(separable(x, filters, f"block14_sepconv{j}"), f"block14_sepconv{j}_act")
    return x


Xception = _network("xception", _xception, 299, 71, published("xception", "xception"))


# ---- Inception


def _unit(x: Any, filters: int, rows: int, columns: int, stride: int = 1, padding: str = "same") -> Any:
    x = _conv(x, filters, (rows, columns), stride, padding=padding, use_bias=False)
    return _relu(_norm(x, None, 1e-3, scale=False), None)


def _chain(x: Any, *units: tuple[int, ...]) -> Any:
    for unit in units:
        x = _unit(x, unit[0], unit[1], unit[2])
    return x


def _averaged(x: Any, filters: int) -> Any:
    return _unit(layers.AveragePooling2D(3, strides=1, padding="same")(x), filters, 1, 1)


def _mixed(parts: list[Any], name: str | None = None) -> Any:
    return layers.concatenate(parts, axis=axis(), name=name)


def _inception_v3(x: Any) -> Any:
    x = _unit(_unit(x, 32, 3, 3, 2, "valid"), 32, 3, 3, 1, "valid")
    x = layers.MaxPooling2D(3, strides=2)(_unit(x, 64, 3, 3))
    x = _unit(_unit(x, 80, 1, 1, 1, "valid"), 192, 3, 3, 1, "valid")
    x = layers.MaxPooling2D(3, strides=2)(x)
    for i, last in enumerate((32, 64, 64)):
        parts = [_unit(x, 64, 1, 1), _chain(x, (48, 1, 1), (64, 5, 5)), _chain(x, (64, 1, 1), (96, 3, 3), (96, 3, 3))]
        x = _mixed([*parts, _averaged(x, last)], f"mixed{i}")
    reduced = _unit(x, 384, 3, 3, 2, "valid")
    longer = _unit(_chain(x, (64, 1, 1), (96, 3, 3)), 96, 3, 3, 2, "valid")
    x = _mixed([reduced, longer, layers.MaxPooling2D(3, strides=2)(x)], "mixed3")
    for i, c in enumerate((128, 160, 160, 192), 4):
        one = _unit(x, 192, 1, 1)
        seven = _chain(x, (c, 1, 1), (c, 1, 7), (192, 7, 1))
        twice = _chain(x, (c, 1, 1), (c, 7, 1), (c, 1, 7), (c, 7, 1), (192, 1, 7))
        x = _mixed([one, seven, twice, _averaged(x, 192)], f"mixed{i}")
    three = _unit(_unit(x, 192, 1, 1), 320, 3, 3, 2, "valid")
    seven = _unit(_chain(x, (192, 1, 1), (192, 1, 7), (192, 7, 1)), 192, 3, 3, 2, "valid")
    x = _mixed([three, seven, layers.MaxPooling2D(3, strides=2)(x)], "mixed8")
    for i in range(2):
        one, three = _unit(x, 320, 1, 1), _unit(x, 384, 1, 1)
        three = _mixed([_unit(three, 384, 1, 3), _unit(three, 384, 3, 1)], f"mixed9_{i}")
        twice = _chain(x, (448, 1, 1), (384, 3, 3))
        twice = _mixed([_unit(twice, 384, 1, 3), _unit(twice, 384, 3, 1)])
        x = _mixed([one, three, twice, _averaged(x, 192)], f"mixed{9 + i}")
    return x


InceptionV3 = _network("inception_v3", _inception_v3, 299, 75, published("inception_v3", "inception_v3"))


# ---- MobileNet


def MobileNet(
    input_shape: Any = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 1e-3,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Any:
    """MobileNet v1; `alpha` scales the widths. Other arguments as for `VGG16`."""
    own = name or f"mobilenet_{alpha:0.2f}_224"
    x = given = start(own, weights, include_top, input_tensor, input_shape, classes, 224, 32)
    x = _conv(x, int(32 * alpha), 3, 2, "conv1", padding="same", use_bias=False)
    x = layers.ReLU(6.0, name="conv1_relu")(_norm(x, "conv1_bn", 1e-3))
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for i, (filters, stride) in enumerate(plan, 1):
        if stride == 2:
            x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{i}")(x)
        padding = "same" if stride == 1 else "valid"
        x = layers.DepthwiseConv2D(
            3, strides=stride, padding=padding, depth_multiplier=depth_multiplier, use_bias=False, name=f"conv_dw_{i}"
        )(x)
        x = layers.ReLU(6.0, name=f"conv_dw_{i}_relu")(_norm(x, f"conv_dw_{i}_bn", 1e-3))
        x = _conv(x, int(filters * alpha), 1, 1, f"conv_pw_{i}", padding="same", use_bias=False)
        x = layers.ReLU(6.0, name=f"conv_pw_{i}_relu")(_norm(x, f"conv_pw_{i}_bn", 1e-3))
    if include_top:
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Reshape((classes,), name="reshape_2")(_conv(x, classes, 1, 1, "conv_preds", padding="same"))
        x = layers.Activation(classifier_activation or "linear", name="predictions")(x)
    else:
        x = head(x, False, pooling, classes, None)
    width = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}.get(alpha)
    place = (lambda top: f"mobilenet/mobilenet_{width}_224_tf{'' if top else '_no_top'}.h5") if width else None
    return finish(x, given, own, weights, include_top, place)


def _eighths(value: float) -> int:
    """The nearest multiple of 8, not more than a tenth below."""
    found = max(8, int(value + 4) // 8 * 8)
    return found + 8 if found < 0.9 * value else found


def MobileNetV2(
    input_shape: Any = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Any:
    """MobileNet v2; `alpha` scales the widths. Other arguments as for `VGG16`."""
    own = name or f"mobilenetv2_{alpha:0.2f}_224"
    x = given = start(own, weights, include_top, input_tensor, input_shape, classes, 224, 32)
    options = {"epsilon": 1e-3, "momentum": 0.999}
    x = _conv(x, _eighths(32 * alpha), 3, 2, "Conv1", padding="same", use_bias=False)
    x = layers.ReLU(6.0, name="Conv1_relu")(_norm(x, "bn_Conv1", **options))
    plan = [(16, 1, 1, 1), (24, 2, 2, 6), (32, 3, 2, 6), (64, 4, 2, 6), (96, 3, 1, 6), (160, 3, 2, 6), (320, 1, 1, 6)]
    number = 0
    for filters, count, first, expansion in plan:
        for j in range(count):
            x = _inverted(x, expansion, first if j == 0 else 1, _eighths(int(filters * alpha)), number, options)
            number += 1
    x = _conv(x, _eighths(1280 * alpha) if alpha > 1 else 1280, 1, 1, "Conv_1", use_bias=False)
    x = layers.ReLU(6.0, name="out_relu")(_norm(x, "Conv_1_bn", **options))
    x = head(x, include_top, pooling, classes, classifier_activation, "global_average_pooling2d")
    stem = f"mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_224"
    return finish(x, given, own, weights, include_top, lambda top: f"{stem}{'' if top else '_no_top'}.h5")


def _inverted(x: Any, expansion: int, stride: int, filters: int, number: int, options: dict[str, float]) -> Any:
    inputs, channels = x, x.shape[axis()]
    prefix = f"block_{number}_" if number else "expanded_conv_"
    if number:
        x = _conv(x, expansion * channels, 1, 1, f"{prefix}expand", padding="same", use_bias=False)
        x = layers.ReLU(6.0, name=f"{prefix}expand_relu")(_norm(x, f"{prefix}expand_BN", **options))
    if stride == 2:
        sides = x.shape[1:3] if axis() == -1 else x.shape[2:4]
        widths = tuple((1 - (1 - s % 2), 1) if s is not None else (0, 1) for s in sides)
        x = layers.ZeroPadding2D(widths, name=f"{prefix}pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.DepthwiseConv2D(3, strides=stride, padding=padding, use_bias=False, name=f"{prefix}depthwise")(x)
    x = layers.ReLU(6.0, name=f"{prefix}depthwise_relu")(_norm(x, f"{prefix}depthwise_BN", **options))
    x = _norm(
        _conv(x, filters, 1, 1, f"{prefix}project", padding="same", use_bias=False), f"{prefix}project_BN", **options
    )
    return layers.Add(name=f"{prefix}add")([inputs, x]) if channels == filters and stride == 1 else x
