"""Callbacks: code that runs at the beginning and the end of training, epochs and batches. Start with `base.py`."""

from onegraph.keras.callbacks.backup import BackupAndRestore, SwapEMAWeights
from onegraph.keras.callbacks.base import Callback, CallbackList, History, LambdaCallback, TerminateOnNaN
from onegraph.keras.callbacks.logs import CSVLogger, RemoteMonitor, TensorBoard
from onegraph.keras.callbacks.monitor import EarlyStopping, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau
from onegraph.keras.callbacks.progress import ProgbarLogger

__all__ = [
    "BackupAndRestore",
    "BaseLogger",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]

BaseLogger = Callback
"""Keras 2's callback that averaged metrics, which the metrics do by themselves."""
