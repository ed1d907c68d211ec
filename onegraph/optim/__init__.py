"""Optimizers and learning rate schedules, with PyTorch's names, arguments, defaults and numbers.

Read next: `rules.py` (the arithmetic), `optimizer.py` (groups, state, one plan a step), `lr_scheduler.py`.
"""

from onegraph.optim import lr_scheduler
from onegraph.optim.lbfgs import LBFGS
from onegraph.optim.optimizer import Optimizer
from onegraph.optim.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop

__all__ = [
    "LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "Optimizer", "RAdam", "RMSprop", "lr_scheduler",
]  # fmt: skip
