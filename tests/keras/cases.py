"""Layers with inputs, written so that Keras and onegraph can both run them; `record_keras.py` records what Keras gives.

Inputs and weights are not recorded: `numbers` makes the same ones in both. `L` is the module of layers in the expressions.
"""

from __future__ import annotations

import numpy as np


def numbers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Numbers between -1 and 1 that depend on shape and seed alone."""
    count = int(np.prod(shape)) if shape else 1
    return np.sin(np.arange(count) * 12.9898 + seed * 7.233 + 0.5).astype(np.float32).reshape(shape)


def given(spec: object, seed: int = 0) -> object:
    """The input that a case describes: a shape, ("int", highest, shape), ("image", shape), or a list of these."""
    if isinstance(spec, list):
        return [given(s, seed + 10 + i) for i, s in enumerate(spec)]
    if isinstance(spec, tuple) and spec and spec[0] == "int":
        return np.floor((numbers(spec[2], seed) + 1) / 2 * 0.999 * spec[1]).astype(np.int32)
    if isinstance(spec, tuple) and spec and spec[0] == "image":
        return ((numbers(spec[1], seed) + 1) * 127.5).round()
    return numbers(spec, seed)  # type: ignore[arg-type]


def weights_for(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Weights for a layer; variances are positive."""
    return [numbers(s, 3 + i) * 0.5 if len(s) != 1 else numbers(s, 3 + i) * 0.4 + 0.6 for i, s in enumerate(shapes)]


IMAGE = ("image", (2, 6, 7, 3))
# name: (expression, input, keyword arguments of the call)
CASES: dict[str, tuple[str, object, str]] = {
    "dense": ("L.Dense(3, 'gelu')", (2, 4, 5), ""),
    "einsum_dense": ("L.EinsumDense('abc,cde->abde', (None, 3, 2), bias_axes='de')", (2, 4, 5), ""),
    "einsum_dense_left": ("L.EinsumDense('...x,xy->...y', 3, bias_axes='y')", (2, 4, 5), ""),
    "einsum_dense_right": ("L.EinsumDense('ab...,bc->ac...', 3, bias_axes='c')", (2, 4, 5), ""),
    "flatten_first": ("L.Flatten('channels_first')", (2, 3, 4, 2), ""),
    "conv1d_causal": ("L.Conv1D(3, 3, padding='causal', dilation_rate=2)", (2, 7, 2), ""),
    "conv1d_first": ("L.Conv1D(3, 3, strides=2, data_format='channels_first')", (2, 2, 7), ""),
    "conv2d_same": ("L.Conv2D(4, 3, strides=2, padding='same', activation='relu')", (2, 6, 5, 2), ""),
    "conv2d_groups": ("L.Conv2D(4, (3, 2), groups=2)", (2, 6, 5, 4), ""),
    "conv3d": ("L.Conv3D(3, 2, strides=(1, 2, 1), padding='same')", (1, 3, 4, 5, 2), ""),
    "conv3d_first": ("L.Conv3D(3, 2, data_format='channels_first')", (1, 2, 3, 4, 5), ""),
    "conv1d_transpose": ("L.Conv1DTranspose(3, 4, strides=2, padding='same')", (2, 5, 2), ""),
    "conv2d_transpose": ("L.Conv2DTranspose(3, 3, strides=2)", (2, 4, 3, 2), ""),
    "conv2d_transpose_wide": ("L.Conv2DTranspose(3, 2, strides=3)", (2, 4, 3, 2), ""),
    "conv2d_transpose_same": ("L.Conv2DTranspose(3, 4, strides=2, padding='same')", (2, 4, 3, 2), ""),
    "conv2d_transpose_more": ("L.Conv2DTranspose(3, 3, strides=2, output_padding=1)", (2, 4, 3, 2), ""),
    "conv2d_transpose_dilated": ("L.Conv2DTranspose(3, 3, dilation_rate=2, padding='same')", (2, 4, 3, 2), ""),
    "conv3d_transpose": ("L.Conv3DTranspose(2, 2, strides=2)", (1, 2, 3, 2, 2), ""),
    "depthwise1d": ("L.DepthwiseConv1D(3, depth_multiplier=2)", (2, 7, 3), ""),
    "depthwise2d": ("L.DepthwiseConv2D(3, strides=2, padding='same', depth_multiplier=2)", (2, 5, 6, 3), ""),
    "separable1d": ("L.SeparableConv1D(4, 3, depth_multiplier=2)", (2, 7, 3), ""),
    "separable2d": ("L.SeparableConv2D(4, 3, padding='same')", (2, 5, 6, 3), ""),
    "max_pooling1d": ("L.MaxPooling1D(3, 2, 'same')", (2, 8, 3), ""),
    "max_pooling3d": ("L.MaxPooling3D(2, padding='same')", (1, 3, 4, 5, 2), ""),
    "average_pooling2d": ("L.AveragePooling2D((3, 2), 2)", (2, 5, 6, 3), ""),
    "average_pooling3d": ("L.AveragePooling3D(2, data_format='channels_first')", (1, 2, 3, 4, 5), ""),
    "global_average_pooling3d": ("L.GlobalAveragePooling3D()", (2, 3, 2, 2, 3), ""),
    "global_max_pooling3d": ("L.GlobalMaxPooling3D(keepdims=True)", (2, 3, 2, 2, 3), ""),
    "global_average_masked": ("L.GlobalAveragePooling1D()", (2, 4, 3), "mask=MASK"),
    "adaptive_average2d": ("L.AdaptiveAveragePooling2D((2, 3))", (2, 5, 7, 2), ""),
    "adaptive_max1d": ("L.AdaptiveMaxPooling1D(3)", (2, 7, 2), ""),
    "upsampling1d": ("L.UpSampling1D(3)", (2, 4, 2), ""),
    "upsampling3d": ("L.UpSampling3D((1, 2, 2))", (1, 2, 2, 3, 2), ""),
    "upsampling2d_bilinear": ("L.UpSampling2D((2, 3), interpolation='bilinear')", (2, 3, 4, 2), ""),
    "zero_padding1d": ("L.ZeroPadding1D((1, 2))", (2, 4, 2), ""),
    "zero_padding3d": ("L.ZeroPadding3D(((1, 0), (0, 2), (1, 1)))", (1, 2, 2, 3, 2), ""),
    "cropping1d": ("L.Cropping1D((1, 2))", (2, 6, 2), ""),
    "cropping3d": ("L.Cropping3D(((1, 0), (0, 2), (1, 1)), data_format='channels_first')", (1, 2, 4, 4, 3), ""),
    "batch_norm": ("L.BatchNormalization()", (3, 4, 2), ""),
    "batch_norm_training": ("L.BatchNormalization(epsilon=0.1)", (3, 4, 2), "training=True"),
    "batch_norm_masked": ("L.BatchNormalization()", (2, 4, 3), "training=True, mask=MASK"),
    "batch_norm_axis": ("L.BatchNormalization(axis=1)", (3, 4, 2), "training=True"),
    "layer_norm": ("L.LayerNormalization()", (3, 4, 2), ""),
    "layer_norm_axes": ("L.LayerNormalization(axis=(1, 2))", (3, 4, 2), ""),
    "group_norm": ("L.GroupNormalization(2)", (2, 3, 3, 4), ""),
    "group_norm_first": ("L.GroupNormalization(2, axis=1)", (2, 4, 3, 3), ""),
    "rms_norm": ("L.RMSNormalization()", (2, 3, 4), ""),
    "unit_norm": ("L.UnitNormalization(axis=(1, 2))", (2, 3, 4), ""),
    "spectral_norm": ("L.SpectralNormalization(L.Dense(3), power_iterations=2)", (2, 4), "training=True"),
    "time_distributed": ("L.TimeDistributed(L.Conv1D(3, 2))", (2, 3, 5, 2), ""),
    "embedding": ("L.Embedding(6, 3)", ("int", 6, (2, 4)), ""),
    "reversible_embedding": ("L.ReversibleEmbedding(6, 3, tie_weights=False)", ("int", 6, (2, 4)), ""),
    "masking": ("L.Masking(mask_value=0.5)", (2, 4, 3), ""),
    "prelu": ("L.PReLU(shared_axes=[1])", (2, 4, 3), ""),
    "relu": ("L.ReLU(0.5, 0.1, 0.2)", (2, 4, 3), ""),
    "leaky_relu": ("L.LeakyReLU()", (2, 4, 3), ""),
    "elu": ("L.ELU(0.7)", (2, 4, 3), ""),
    "softmax_masked": ("L.Softmax()", (2, 4), "mask=MASK"),
    "softmax_axes": ("L.Softmax(axis=(1, 2))", (2, 4, 3), ""),
    "dot": ("L.Dot((2, 1))", [(2, 3, 4), (2, 4, 5)], ""),
    "dot_normalized": ("L.Dot(1, normalize=True)", [(2, 4), (2, 4)], ""),
    "attention": ("L.Attention(use_scale=True)", [(2, 4, 3), (2, 4, 3)], "mask=[MASK, MASK]"),
    "attention_concat": ("L.Attention(True, 'concat')", [(2, 3, 4), (2, 5, 4), (2, 5, 4)], "use_causal_mask=True"),
    "additive_attention": ("L.AdditiveAttention()", [(2, 4, 3), (2, 4, 3)], "mask=[MASK, MASK]"),
    "multi_head": ("L.MultiHeadAttention(2, 3, value_dim=4)", [(2, 3, 5), (2, 4, 6)], "value_mask=MASK"),
    "multi_head_causal": ("L.MultiHeadAttention(2, 3, dropout=0.1, output_shape=7)", [(2, 4, 5), (2, 4, 5)], "use_causal_mask=True"),
    "multi_head_gate": ("L.MultiHeadAttention(2, 3, use_gate=True, sliding_window=2)", [(2, 4, 5), (2, 4, 5)], ""),
    "multi_head_axes": ("L.MultiHeadAttention(2, 3, attention_axes=(2,))", [(2, 3, 4, 5), (2, 3, 4, 5)], ""),
    "grouped_query": ("L.GroupQueryAttention(3, 4, 2)", [(2, 3, 5), (2, 4, 5)], "value_mask=MASK"),
    "simple_rnn": ("L.SimpleRNN(3)", (2, 4, 5), ""),
    "simple_rnn_backwards": ("L.SimpleRNN(3, return_sequences=True, go_backwards=True)", (2, 4, 5), ""),
    "lstm": ("L.LSTM(3, return_sequences=True, return_state=True)", (2, 4, 5), ""),
    "lstm_masked": ("L.LSTM(3, return_sequences=True)", (2, 4, 5), "mask=MASK"),
    "lstm_masked_last": ("L.LSTM(3, activation='relu', use_bias=False)", (2, 4, 5), "mask=MASK"),
    "lstm_masked_zero": ("L.RNN(L.LSTMCell(3), return_sequences=True, zero_output_for_mask=True)", (2, 4, 5), "mask=MASK"),
    "lstm_unrolled": ("L.LSTM(3, unroll=True)", (2, 4, 5), ""),
    "gru": ("L.GRU(3, return_sequences=True)", (2, 4, 5), ""),
    "gru_before": ("L.GRU(3, reset_after=False)", (2, 4, 5), ""),
    "gru_masked_backwards": ("L.GRU(3, go_backwards=True)", (2, 4, 5), "mask=MASK"),
    "stacked_cells": ("L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_state=True)", (2, 4, 5), ""),
    "bidirectional": ("L.Bidirectional(L.LSTM(3, return_sequences=True))", (2, 4, 5), "mask=MASK"),
    "bidirectional_sum": ("L.Bidirectional(L.GRU(3), merge_mode='sum')", (2, 4, 5), ""),
    "bidirectional_both": ("L.Bidirectional(L.LSTM(3, return_state=True), merge_mode=None)", (2, 4, 5), ""),
    "conv_lstm1d": ("L.ConvLSTM1D(2, 3, strides=2, padding='same')", (1, 3, 7, 2), ""),
    "conv_lstm2d": ("L.ConvLSTM2D(2, 2, return_sequences=True)", (1, 3, 4, 5, 2), ""),
    "conv_lstm3d": ("L.ConvLSTM3D(2, 2, padding='same', data_format='channels_first')", (1, 2, 2, 2, 3, 2), ""),
    "resizing": ("L.Resizing(4, 9)", IMAGE, ""),
    "resizing_crop": ("L.Resizing(4, 4, crop_to_aspect_ratio=True)", IMAGE, ""),
    "resizing_pad": ("L.Resizing(5, 4, pad_to_aspect_ratio=True, fill_value=3.0)", IMAGE, ""),
    "center_crop": ("L.CenterCrop(3, 4)", IMAGE, ""),
    "center_crop_larger": ("L.CenterCrop(9, 4)", IMAGE, ""),
    "rotation": ("L.RandomRotation((0.1, 0.1))", IMAGE, "training=True"),
    "rotation_wrap": ("L.RandomRotation((-0.2, -0.2), 'wrap', 'nearest')", IMAGE, "training=True"),
    "translation": ("L.RandomTranslation((0.3, 0.3), (-0.2, -0.2), 'constant', fill_value=7.0)", IMAGE, "training=True"),
    "zoom": ("L.RandomZoom((0.3, 0.3), (-0.4, -0.4))", IMAGE, "training=True"),
    "zoom_nearest": ("L.RandomZoom((-0.3, -0.3), fill_mode='nearest')", IMAGE, "training=True"),
    "brightness": ("L.RandomBrightness((0.2, 0.2))", IMAGE, "training=True"),
    "saturation": ("L.RandomSaturation((0.3, 0.3))", IMAGE, "training=True"),
    "degeneration": ("L.RandomColorDegeneration((0.4, 0.4))", IMAGE, "training=True"),
    "sharpness": ("L.RandomSharpness((0.8, 0.8))", IMAGE, "training=True"),
    "posterization": ("L.RandomPosterization((3, 3))", IMAGE, "training=True"),
    "invert": ("L.RandomInvert((1, 1))", IMAGE, "training=True"),
    "grayscale": ("L.RandomGrayscale(1.0)", IMAGE, "training=True"),
    "auto_contrast": ("L.AutoContrast()", IMAGE, ""),
    "blur": ("L.RandomGaussianBlur((1, 1), 3, (0.7, 0.7))", IMAGE, "training=True"),
    "equalization": ("L.Equalization()", ("image", (1, 6, 7, 1)), "training=True"),
    "normalization": ("L.Normalization(axis=-1, mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])", (2, 4, 3), ""),
    "mel": ("L.MelSpectrogram(64, 20, sampling_rate=800, num_mel_bins=6, min_freq=10.0)", (2, 200), ""),
    "mel_power": ("L.MelSpectrogram(64, 20, 50, power_to_db=False, num_mel_bins=5, mag_exp=2.0)", (200,), ""),
    "stft_log": ("L.STFTSpectrogram('log', 40, 15, 64)", (2, 200, 2), ""),
    "stft_angle": ("L.STFTSpectrogram('magnitude', 40, 15, None, 'hamming', False, 'spectrum', 'same', True)", (2, 200, 1), ""),
}  # fmt: skip
SEVERAL = ("MultiHeadAttention", "GroupQueryAttention")  # called on several arguments, not on a list
MASK = np.array([[True, True, False, True], [False, True, True, False]])
