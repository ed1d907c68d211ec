"""Optimizers that were run with Keras 3 too: name -> an expression. Read first: `recorded.py`.

Each takes three steps with given gradients for a matrix and a vector; the weights at the end are compared.
"""

_RUN = """(lambda o, weights: (
    o.build(weights),
    [o.apply([ops.convert_to_tensor(a * s), ops.convert_to_tensor(u * s)], weights) for s in (1.0, 0.5, -2.0)],
    [ops.convert_to_numpy(w) for w in weights])[2])(
    keras.optimizers.{}, [keras.Variable(b.copy(), name="m"), keras.Variable(v.copy(), name="v")])"""

_NAMES = "SGD RMSprop Adagrad Adadelta Adam AdamW Adamax Nadam Lion Lamb Ftrl Adafactor Muon"
_MORE = {
    "SGD momentum": "SGD(0.1, momentum=0.9, nesterov=True)",
    "SGD weight_decay": "SGD(0.1, weight_decay=0.1)",
    "SGD clipnorm": "SGD(0.1, clipnorm=0.5)",
    "SGD global_clipnorm": "SGD(0.1, global_clipnorm=0.5)",
    "SGD clipvalue": "SGD(0.1, clipvalue=0.2)",
    "SGD ema": "SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)",
    "SGD accumulation": "SGD(0.1, gradient_accumulation_steps=3)",
    "SGD loss_scale": "SGD(0.1, loss_scale_factor=4.0)",
    "SGD schedule": "SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5))",
    "RMSprop centered": "RMSprop(0.1, momentum=0.5, centered=True)",
    "Adam amsgrad": "Adam(0.1, amsgrad=True)",
    "Adam schedule": "Adam(keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.01]))",
    "Ftrl regularized": "Ftrl(0.1, l1_regularization_strength=0.1, l2_regularization_strength=0.1, beta=0.2)",
    "LossScaleOptimizer": "LossScaleOptimizer(keras.optimizers.Adam(0.1), initial_scale=4.0, dynamic_growth_steps=2)",
}

CASES: dict[str, str] = {
    **{name: _RUN.format(f"{name}(learning_rate=0.1)") for name in _NAMES.split()},
    **{name: _RUN.format(make) for name, make in _MORE.items()},
    "CosineDecay": "[float(keras.optimizers.schedules.CosineDecay(0.1, 10, 0.1, warmup_target=0.5, warmup_steps=3)(s)) for s in range(15)]",
    "CosineDecayRestarts": "[float(keras.optimizers.schedules.CosineDecayRestarts(0.1, 4, 2.0, 0.5)(s)) for s in range(15)]",
    "PolynomialDecay": "[float(keras.optimizers.schedules.PolynomialDecay(0.1, 4, 0.01, 2.0, cycle=True)(s)) for s in range(9)]",
    "InverseTimeDecay": "[float(keras.optimizers.schedules.InverseTimeDecay(0.1, 4, 0.5, True)(s)) for s in range(9)]",
    "ExponentialDecay": "[float(keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5)(s)) for s in range(9)]",
    "PiecewiseConstantDecay": "[float(keras.optimizers.schedules.PiecewiseConstantDecay([2, 5], [1.0, 0.5, 0.1])(s)) for s in range(9)]",
}
