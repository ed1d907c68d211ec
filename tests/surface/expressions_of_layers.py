"""As `expressions.py`, for `nn`, `optim`, `utils` and torchvision's names. `filled(module)` gives parameters even values.

Read first: `expressions.py`.
"""

from __future__ import annotations

_ENCODER = "nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True)"
_SEQUENCE = "image.reshape(1, 8, 4)[:, :3]"
_MODULES = "importlib.import_module(t.__name__ + '.nn.modules.{}')"

LAYERS = {
    "AdaptiveAvgPool2d": "nn.AdaptiveAvgPool2d((2, 1))(image)",
    "AvgPool2d": "nn.AvgPool2d(kernel_size=2, stride=1, padding=1)(image)",
    "BCELoss": "nn.BCELoss()(points, t.tensor([0.0, 1.0, 1.0]))",
    "BatchNorm1d": "filled(nn.BatchNorm1d(2))(x)",
    "BatchNorm2d": "run(m := filled(nn.BatchNorm2d(2, eps=1e-3, momentum=0.2)), [m(image), m.running_var, m.eval()(image)])",
    "BatchNorm3d": "filled(nn.BatchNorm3d(2))(image[..., None])",
    "Conv2d": (
        "filled(nn.Conv2d(in_channels=2, out_channels=4, kernel_size=3, stride=2, padding=1, dilation=1, groups=2, "
        "bias=False))(image)"
    ),
    "Conv3d": "filled(nn.Conv3d(2, 1, 2))(image[:, :, None].repeat(1, 1, 2, 1, 1))",
    "ConvTranspose2d": "filled(nn.ConvTranspose2d(2, 3, 3, 2, 1, bias=False))(image)",
    "CrossEntropyLoss": "nn.CrossEntropyLoss(label_smoothing=0.1)(x, i[0] % 2)",
    "DataParallel": "nn.DataParallel(model)(x)",
    "Dropout": "[nn.Dropout(p=0.5, inplace=False).eval()(x), nn.Dropout(1.0)(x)]",
    "Dropout2d": "nn.Dropout2d(0.5).eval()(image)",
    "Embedding": "filled(nn.Embedding(4, 3, padding_idx=0))(i)",
    "Flatten": "nn.Flatten()(image)",
    "GELU": "[nn.GELU()(x), nn.GELU(approximate='tanh')(x)]",
    "GroupNorm": "filled(nn.GroupNorm(2, 2))(image)",
    "Hardsigmoid": "nn.Hardsigmoid()(x)",
    "Hardswish": "nn.Hardswish(inplace=True)(x)",
    "Identity": "nn.Identity(3, ignored=True)(x)",
    "InstanceNorm2d": "filled(nn.InstanceNorm2d(2, affine=True))(image)",
    "LSTM": f"filled(nn.LSTM(input_size=4, hidden_size=3, num_layers=2, batch_first=True, bidirectional=True))({_SEQUENCE})",
    "LSTMCell": "filled(nn.LSTMCell(2, 3))(x)",
    "LayerNorm": "filled(nn.LayerNorm((4,)))(image)",
    "LeakyReLU": "nn.LeakyReLU(0.2, inplace=True)(x)",
    "Linear": "filled(nn.Linear(in_features=2, out_features=3, bias=True))(x)",
    "MSELoss": "[nn.MSELoss()(x, y), nn.MSELoss(reduction='sum')(x, y)]",
    "MaxPool2d": "nn.MaxPool2d(kernel_size=3, stride=2, padding=1, ceil_mode=True)(image)",
    "Module": "run(M := type('M', (nn.Module,), {'forward': lambda self, v: v * 2}), [M()(x), M().training])",
    "ModuleDict": "run(m := nn.ModuleDict({'a': nn.ReLU(), 'b': nn.Tanh()}), [list(m), m['a'](x)])",
    "ModuleList": "run(m := nn.ModuleList([nn.ReLU()]), m.append(nn.Tanh()), [len(m), m[1](x)])",
    "MultiheadAttention": f"filled(nn.MultiheadAttention(4, 2, dropout=0.0, batch_first=True))({_SEQUENCE}, {_SEQUENCE}, {_SEQUENCE})",
    "NLLLoss": "nn.NLLLoss(t.tensor([1.0, 2.0]))(x, i[0] % 2)",
    "Parameter": "run(p := nn.Parameter(x), [p, p.requires_grad, isinstance(p, t.Tensor)])",
    "PixelShuffle": "nn.PixelShuffle(2)(image.repeat(1, 2, 1, 1))",
    "RNN": f"filled(nn.RNN(4, 3, 2, nonlinearity='relu', dropout=0.0))({_SEQUENCE})",
    "ReLU": "nn.ReLU(inplace=True)(x)",
    "ReLU6": "nn.ReLU6()(x * 3)",
    "ReflectionPad2d": "nn.ReflectionPad2d(1)(image)",
    "Sequential": "nn.Sequential(nn.ReLU(), nn.Tanh())(x)",
    "SiLU": "nn.SiLU()(x)",
    "Sigmoid": "nn.Sigmoid()(x)",
    "Softmax": "nn.Softmax(dim=1)(x)",
    "Tanh": "nn.Tanh()(x)",
    "Transformer": "filled(nn.Transformer(4, 2, 1, 1, 6, dropout=0.0))(image[0].reshape(4, 2, 4), image[0].reshape(4, 2, 4)[:3])",
    "functional.adaptive_avg_pool2d": "F.adaptive_avg_pool2d(image, (2, 2))",
    "functional.avg_pool2d": "F.avg_pool2d(image, kernel_size=2, stride=2, padding=1)",
    "functional.binary_cross_entropy": "F.binary_cross_entropy(points, points.flip(0), reduction='sum')",
    "functional.cross_entropy": "F.cross_entropy(x, i[0] % 2, ignore_index=0)",
    "functional.dropout": "F.dropout(x, p=0.5, training=False)",
    "functional.elu": "F.elu(x)",
    "functional.interpolate": (
        "[F.interpolate(image, scale_factor=2), "
        "F.interpolate(image, size=(3, 5), mode='bilinear', align_corners=False)]"
    ),
    "functional.layer_norm": "F.layer_norm(image, (4,))",
    "functional.linear": "F.linear(x, y, t.tensor([1.0, 2.0]))",
    "functional.log_softmax": "F.log_softmax(x, dim=1)",
    "functional.max_pool2d": "F.max_pool2d(image, kernel_size=2, stride=1)",
    "functional.nll_loss": "F.nll_loss(x, i[0] % 2, reduction='sum')",
    "functional.normalize": "F.normalize(x, dim=1)",
    "functional.pad": "F.pad(x, (1, 0, 0, 2), value=3.0)",
    "functional.relu": "F.relu(x, inplace=False)",
    "functional.scaled_dot_product_attention": (
        "F.scaled_dot_product_attention(image, image, image, attn_mask=None, dropout_p=0.0, is_causal=True)"
    ),
    "functional.smooth_l1_loss": "F.smooth_l1_loss(x, y)",
    "functional.softmax": "F.softmax(x, dim=-1)",
    "init.calculate_gain": "[init.calculate_gain('relu'), init.calculate_gain('leaky_relu', 0.2), init.calculate_gain('tanh')]",
    "init.constant_": "init.constant_(x, 0.3)",
    "init.kaiming_normal_": "spread(init.kaiming_normal_(t.empty(64, 64), mode='fan_out', nonlinearity='relu'), 0.1768)",
    "init.kaiming_uniform_": "spread(init.kaiming_uniform_(t.empty(64, 64), mode='fan_in', nonlinearity='relu'), 0.1768)",
    "init.normal_": "spread(init.normal_(t.empty(64, 64), mean=0.0, std=0.5), 0.5)",
    "init.ones_": "init.ones_(x)",
    "init.orthogonal_": "run(w := init.orthogonal_(t.empty(3, 3)), (w @ w.t()).round())",
    "init.trunc_normal_": "spread(init.trunc_normal_(t.empty(64, 64), mean=0.0, std=0.5, a=-2.0, b=2.0), 0.5)",
    "init.uniform_": "spread(init.uniform_(t.empty(64, 64), -1.0, 1.0), 0.5774)",
    "init.xavier_normal_": "spread(init.xavier_normal_(t.empty(64, 64)), 0.125)",
    "init.xavier_uniform_": "spread(init.xavier_uniform_(t.empty(64, 64)), 0.125)",
    "init.zeros_": "init.zeros_(x)",
    "modules.activation.MultiheadAttention": f"{_MODULES.format('activation')}.MultiheadAttention is nn.MultiheadAttention",
    "modules.activation.ReLU": f"{_MODULES.format('activation')}.ReLU is nn.ReLU",
    "modules.container.ModuleList": f"{_MODULES.format('container')}.ModuleList is nn.ModuleList",
    "modules.conv.Conv2d": f"{_MODULES.format('conv')}.Conv2d is nn.Conv2d",
    "modules.dropout.Dropout": f"{_MODULES.format('dropout')}.Dropout is nn.Dropout",
    "modules.linear.Linear": f"{_MODULES.format('linear')}.Linear is nn.Linear",
    "modules.linear.NonDynamicallyQuantizableLinear": f"filled({_MODULES.format('linear')}.NonDynamicallyQuantizableLinear(2, 3))(x)",
    "modules.normalization.LayerNorm": f"{_MODULES.format('normalization')}.LayerNorm is nn.LayerNorm",
    "modules.pixelshuffle.PixelShuffle": f"{_MODULES.format('pixelshuffle')}.PixelShuffle is nn.PixelShuffle",
    "modules.rnn.GRU": f"filled({_MODULES.format('rnn')}.GRU(4, 3))({_SEQUENCE})",
    "modules.rnn.LSTM": f"{_MODULES.format('rnn')}.LSTM is nn.LSTM",
    "modules.rnn.RNN": f"{_MODULES.format('rnn')}.RNN is nn.RNN",
    "modules.sparse.Embedding": f"{_MODULES.format('sparse')}.Embedding is nn.Embedding",
    "modules.transformer.TransformerEncoder": f"filled({_MODULES.format('transformer')}.TransformerEncoder({_ENCODER}, 2))({_SEQUENCE})",
    "modules.transformer.TransformerEncoderLayer": f"filled({_ENCODER})({_SEQUENCE})",
    "parallel.data_parallel": "callable(nn.parallel.data_parallel)",
    "parameter.Parameter": "nn.parameter.Parameter is nn.Parameter",
    "utils.clip_grad_norm_": "run(model(x).sum().backward(), [nn.utils.clip_grad_norm_(model.parameters(), 1.0), model.weight.grad])",
}
"""Names of `nn`."""

_TRAINED = (
    "run(o := optim.{}, [(o.zero_grad(), (model(x) ** 2).sum().backward(), o.step()) for _ in range(3)], model.weight)"
)
_CLOSURE = "lambda: run(o.zero_grad(), loss := (model(x) ** 2).sum(), loss.backward(), loss)"

OPTIMIZERS = {
    "Adadelta": _TRAINED.format("Adadelta(model.parameters(), lr=0.5)"),
    "Adam": _TRAINED.format("Adam(model.parameters(), lr=0.1, betas=(0.8, 0.9), weight_decay=0.01)"),
    "AdamW": _TRAINED.format("AdamW(model.parameters(), lr=0.1, betas=(0.8, 0.9))"),
    "LBFGS": f"run(o := optim.LBFGS(model.parameters(), lr=0.1, max_iter=3), o.step({_CLOSURE}), model.weight)",
    "SGD": _TRAINED.format("SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=0.01)"),
    "lr_scheduler.StepLR": (
        "run(s := optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5), "
        "[(optimizer.step(), s.step(), s.get_last_lr()[0])[2] for _ in range(5)])"
    ),
}
"""Names of `optim`."""

_DATA = "importlib.import_module(t.__name__ + '.utils.data{}')"
_ROWS = f"{_DATA.format('')}.TensorDataset(x, y)"

UTILS = {
    "checkpoint.checkpoint": "importlib.import_module(t.__name__ + '.utils.checkpoint').checkpoint(model, x, use_reentrant=False)",
    "data.DataLoader": (
        f"list({_DATA.format('')}.DataLoader(dataset={_ROWS}, batch_size=1, shuffle=False, num_workers=0, "
        "pin_memory=False))"
    ),
    "data.Dataset": f"run(D := type('D', ({_DATA.format('')}.Dataset,), {{'__getitem__': lambda self, n: n * 2}}), D()[3])",
    "data.RandomSampler": f"len(list({_DATA.format('')}.RandomSampler([1, 2], replacement=True, num_samples=3)))",
    "data.Subset": f"{_DATA.format('')}.Subset([5, 6, 7], [2, 0])[0]",
    "data.dataloader.DataLoader": f"{_DATA.format('.dataloader')}.DataLoader is {_DATA.format('')}.DataLoader",
    "data.distributed.DistributedSampler": (
        f"list({_DATA.format('.distributed')}.DistributedSampler([1, 2, 3], num_replicas=2, rank=1, shuffle=False, drop_last=True))"
    ),
    "data.sampler.Sampler": f"{_DATA.format('.sampler')}.Sampler is {_DATA.format('')}.Sampler",
    "model_zoo.load_url": "callable(importlib.import_module(t.__name__ + '.utils.model_zoo').load_url)",
}
"""Names of `utils`."""
