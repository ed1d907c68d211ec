"""Optimizers and learning rate schedules, with PyTorch's names, arguments, defaults and numbers.

Read next: `rules.py` (the arithmetic), `optimizer.py` (groups, state, one plan a step), `lr_scheduler.py`.
"""

from onegraph.optim import lr_scheduler, swa_utils
from onegraph.optim.lbfgs import LBFGS
from onegraph.optim.more_optimizers import ASGD, Adafactor, Muon, Rprop, SparseAdam
from onegraph.optim.optimizer import Optimizer
from onegraph.optim.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Muon", "NAdam", "Optimizer", "RAdam",
    "RMSprop", "Rprop", "SparseAdam", "lr_scheduler", "swa_utils",
]  # fmt: skip
