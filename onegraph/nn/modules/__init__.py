"""`torch.nn.modules`: the layers by PyTorch's file names, e.g. `nn.modules.batchnorm._BatchNorm`, for code that names them so.

A table says what stands where; the classes themselves are in the files of `onegraph/nn`. Read next: `onegraph/nn/README.md`.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from onegraph import nn as _nn
from onegraph.nn import (
    adaptive,
    containers,
    convolution,
    dropout,
    hooks,
    lazy,
    linear_cross_entropy,
    loss,
    normalization,
    padding,
    pooling,
    sizes,
    state,
    utils,
)
from onegraph.nn import module as _module
from onegraph.nn.attention import MultiheadAttention
from onegraph.nn.layers import NonDynamicallyQuantizableLinear

_TABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "activation": (
        "CELU ELU GELU GLU SELU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid LogSoftmax Mish PReLU "
        "ReLU ReLU6 RReLU Sigmoid SiLU Softmax Softmax2d Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold",
        {"MultiheadAttention": MultiheadAttention},
    ),
    "adaptive": ("AdaptiveLogSoftmaxWithLoss", {"_ASMoutput": adaptive.AdaptiveOutput}),
    "batchnorm": (
        "BatchNorm1d BatchNorm2d BatchNorm3d LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d SyncBatchNorm",
        {"_NormBase": normalization.Norm, "_BatchNorm": normalization.BatchNorm},
    ),
    "channelshuffle": ("ChannelShuffle", {}),
    "container": (
        "Container Sequential ModuleList ModuleDict ParameterList ParameterDict",
        {"Container": containers.Container},
    ),
    "conv": (
        "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConv1d LazyConv2d LazyConv3d "
        "LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d",
        {"_ConvNd": convolution.Convolution, "_ConvTransposeNd": convolution.ConvTranspose},
    ),
    "distance": ("PairwiseDistance CosineSimilarity", {}),
    "dropout": (
        "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout",
        {"_DropoutNd": dropout.AnyDropout},
    ),
    "flatten": ("Flatten Unflatten", {}),
    "fold": ("Fold Unfold", {}),
    "instancenorm": (
        "InstanceNorm1d InstanceNorm2d InstanceNorm3d LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d",
        {"_InstanceNorm": normalization.InstanceNorm},
    ),
    "lazy": ("", {"LazyModuleMixin": lazy.LazyModuleMixin}),
    "linear": (
        "Identity Linear Bilinear LazyLinear",
        {"NonDynamicallyQuantizableLinear": NonDynamicallyQuantizableLinear},
    ),
    "linear_cross_entropy_options": (
        "",
        {"LinearCrossEntropyOptions": linear_cross_entropy.LinearCrossEntropyOptions},
    ),
    "loss": (
        "BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss GaussianNLLLoss HingeEmbeddingLoss "
        "HuberLoss KLDivLoss L1Loss LinearCrossEntropyLoss MSELoss MarginRankingLoss MultiLabelMarginLoss "
        "MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss NLLLoss2d PoissonNLLLoss SmoothL1Loss SoftMarginLoss "
        "TripletMarginLoss TripletMarginWithDistanceLoss",
        {"_Loss": loss.Loss, "_WeightedLoss": loss.WeightedLoss},
    ),
    "module": (
        "Module",
        {
            "_IncompatibleKeys": state.IncompatibleKeys,
            "register_module_forward_pre_hook": hooks.register_module_forward_pre_hook,
            "register_module_forward_hook": hooks.register_module_forward_hook,
            "register_module_full_backward_pre_hook": hooks.register_module_full_backward_pre_hook,
            "register_module_full_backward_hook": hooks.register_module_full_backward_hook,
            "register_module_backward_hook": hooks.register_module_full_backward_hook,
            "register_module_module_registration_hook": hooks.register_module_module_registration_hook,
            "register_module_parameter_registration_hook": hooks.register_module_parameter_registration_hook,
            "register_module_buffer_registration_hook": hooks.register_module_buffer_registration_hook,
            "T_destination": _module.M,
        },
    ),
    "normalization": ("LocalResponseNorm CrossMapLRN2d LayerNorm GroupNorm RMSNorm", {}),
    "padding": (
        "CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d ReflectionPad1d "
        "ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d",
        {
            "_ConstantPadNd": padding.ConstantPad,
            "_ReflectionPadNd": padding.ReflectionPad,
            "_ReplicationPadNd": padding.ReplicationPad,
            "_CircularPadNd": padding.CircularPad,
        },
    ),
    "pixelshuffle": ("PixelShuffle PixelUnshuffle", {}),
    "pooling": (
        "MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d AvgPool1d AvgPool2d AvgPool3d "
        "FractionalMaxPool2d FractionalMaxPool3d LPPool1d LPPool2d LPPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d "
        "AdaptiveMaxPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d",
        {
            "_MaxPoolNd": pooling.MaxPool,
            "_MaxUnpoolNd": pooling.MaxUnpool,
            "_AvgPoolNd": pooling.AvgPool,
            "_LPPoolNd": pooling.LPPool,
            "_AdaptiveMaxPoolNd": pooling.AdaptiveMaxPool,
            "_AdaptiveAvgPoolNd": pooling.AdaptiveAvgPool,
        },
    ),
    "rnn": (
        "RNNBase RNN LSTM GRU RNNCellBase RNNCell LSTMCell GRUCell",
        {"PackedSequence": utils.rnn.PackedSequence},
    ),
    "sparse": ("Embedding EmbeddingBag", {}),
    "transformer": (
        "Transformer TransformerEncoder TransformerDecoder TransformerEncoderLayer TransformerDecoderLayer",
        {},
    ),
    "upsampling": ("Upsample UpsamplingNearest2d UpsamplingBilinear2d", {}),
    "utils": (
        "",
        {
            "_single": sizes.single,
            "_pair": sizes.pair,
            "_triple": sizes.triple,
            "_quadruple": sizes.quadruple,
            "_ntuple": sizes.repeated,
            "consume_prefix_in_state_dict_if_present": state.consume_prefix_in_state_dict_if_present,
        },
    ),
}


def _fill() -> None:
    """Make the modules, so that `import onegraph.nn.modules.conv` works as well as the attribute."""
    for file, (names, others) in _TABLE.items():
        made = types.ModuleType(f"{__name__}.{file}", f"What PyTorch keeps in `torch.nn.modules.{file}`.")
        found = {name: getattr(_nn, name) for name in names.split() if name not in others} | others
        made.__dict__.update(found)
        made.__dict__["__all__"] = [name for name in found if not name.startswith("_")]
        sys.modules[made.__name__] = made
        globals()[file] = made
        globals().update({name: value for name, value in found.items() if hasattr(_nn, name)})


_fill()
