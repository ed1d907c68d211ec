"""Layers. Start with `base.py`, then `core.py`."""

from onegraph.keras.layers.advanced_activations import ELU, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU
from onegraph.keras.layers.attention import AdditiveAttention, Attention
from onegraph.keras.layers.audio import MelSpectrogram, STFTSpectrogram
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.bidirectional import Bidirectional
from onegraph.keras.layers.categories import CategoryEncoding, Discretization, Normalization
from onegraph.keras.layers.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from onegraph.keras.layers.convolution import Conv1D, Conv2D, Conv3D, Convolution1D, Convolution2D, Convolution3D
from onegraph.keras.layers.convolution_variants import (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
    Convolution1DTranspose,
    Convolution2DTranspose,
    Convolution3DTranspose,
    Deconvolution2D,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
    SeparableConvolution1D,
    SeparableConvolution2D,
)
from onegraph.keras.layers.core import (
    Activation,
    Dense,
    Flatten,
    Identity,
    Input,
    InputLayer,
    Lambda,
    Masking,
    Permute,
    RepeatVector,
    Reshape,
)
from onegraph.keras.layers.einsum_dense import EinsumDense
from onegraph.keras.layers.embedding import Embedding, ReversibleEmbedding
from onegraph.keras.layers.hashing import HashedCrossing, Hashing
from onegraph.keras.layers.image_color import (
    AutoContrast,
    Equalization,
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPosterization,
    RandomSaturation,
    RandomSharpness,
    Solarization,
)
from onegraph.keras.layers.image_geometry import (
    RandomElasticTransform,
    RandomFlip,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from onegraph.keras.layers.image_mixing import AugMix, CutMix, MixUp, Pipeline, RandAugment, RandomErasing
from onegraph.keras.layers.image_size import CenterCrop, RandomCrop, Resizing
from onegraph.keras.layers.lookup import IntegerLookup, StringLookup
from onegraph.keras.layers.merge import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Merge,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    merge,
    minimum,
    multiply,
    subtract,
)
from onegraph.keras.layers.multi_head_attention import GroupedQueryAttention, GroupQueryAttention, MultiHeadAttention
from onegraph.keras.layers.normalization import BatchNormalization
from onegraph.keras.layers.pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalAvgPool3D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPool3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from onegraph.keras.layers.recurrent import GRU, LSTM, SimpleRNN
from onegraph.keras.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from onegraph.keras.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from onegraph.keras.layers.rescaling import Rescaling
from onegraph.keras.layers.resizing import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from onegraph.keras.layers.rnn import RNN
from onegraph.keras.layers.sample_normalization import (
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from onegraph.keras.layers.signature import InputSpec
from onegraph.keras.layers.text import TextVectorization
from onegraph.keras.layers.wrappers import SpectralNormalization, TimeDistributed, TorchModuleWrapper, Wrapper

__all__ = [name for name in dir() if not name.startswith("_") and name[0].isupper()] + [
    "add", "average", "concatenate", "dot", "maximum", "merge", "minimum", "multiply", "subtract",
]  # fmt: skip
