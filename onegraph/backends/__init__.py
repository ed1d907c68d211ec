"""What runs a graph: the contract, the NumPy reference, native code. And PyTorch's switches of backends that are not here."""

from onegraph.backends import cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
