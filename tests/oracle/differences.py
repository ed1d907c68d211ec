"""Why operators differ from PyTorch's on purpose, or are not here: patterns of their names and a reason for each.

`page.py` writes the reasons beside the operators; `test_opinfo.py` checks that those absent have one.
"""

from __future__ import annotations

import fnmatch

COMPLEX = "there are no complex dtypes"
INTERNAL = "PyTorch's own building block, which programs do not call"
TIES = "among equal elements the first counts; PyTorch's choice is not specified"
PRECISION = "computed in float64 inside: nearer to the exact value than PyTorch's, which computes in float32"
ROUNDING = "rounded once at the end; PyTorch rounds, or loses digits, on the way in half precision"

NOT_EXAMINED = "not looked into yet"

DIFFERENT: dict[str, str] = {
    "addbmm addr addcmul addcdiv baddbmm addmv addmm*": ROUNDING + "; a factor that is no integer is refused for integers",
    "amax amin aminmax max* min* maximum minimum atan2 fmax fmin ldexp logaddexp logical_* heaviside hypot clamp_m*": (
        "a Python number may stand second (`maximum(x, 0)`), where PyTorch wants a tensor"
    ),
    "isclose": "a Python number may stand second, where PyTorch wants a tensor",
    "as_strided* resize_": "tensors have values and no storage, of which another view could be taken",
    "sort argsort topk kthvalue msort": TIES,
    "bernoulli cat gather masked_select multinomial take": "`out=` may overlap an input, since tensors have values and no storage",
    "cholesky_solve cholesky_inverse": "no gradient flows to the triangle that is not looked at; PyTorch's does for `upper=True`",
    "*polygamma* digamma special.digamma matrix_exp linalg.householder_product logcumsumexp *ctc_loss": PRECISION,
    "nn.functional.max_unpool*": "of two values written to one place, the one that counts gets the gradient; PyTorch gives it to both",
    "linalg.svd linalg.eigh svd linalg.pinv/hermitian": (
        "signs of singular and eigenvectors, which are arbitrary; `full_matrices=True` needs square matrices"
    ),
    "zero_": "a leaf that requires gradients is not written in place, here as in PyTorch; its sample does not say so",
    "normal/in_place": "random",
    "nn.functional.local_response_norm nn.functional.margin_ranking_loss": "integers are refused: a loss of integers is a mistake",
    "nn.functional.multi_margin_loss": "class numbers that are no integers are refused before the other arguments are looked at",
}  # fmt: skip

ABSENT: dict[str, str] = {
    "fft.* complex polar stft istft view_as_complex cfloat cdouble chalf linalg.eig* imag": COMPLEX,
    "_* torch.ops.* *_backward* hash_tensor slice max_pool2d_with_indices_backward native_dropout_backward": INTERNAL,
    "special.*bessel* special.airy_ai special.*polynomial* special.i1* special.i0e i0 special.zeta igamma*": (
        "functions of mathematical physics; `og.special` has those that statistics and networks use"
    ),
    "linalg.ldl* linalg.lu* lu* geqrf ormqr svd *_lowrank linalg.*_ex": (
        "factors beyond Cholesky, QR, symmetric eigenvectors and singular values"
    ),
    "*jiterator*": "code for graphics processors",
    "*sparse*": "compressed sparse formats",
    "*": "not written yet",
}


def reason(name: str, table: dict[str, str]) -> str:
    """The first reason whose patterns fit an operator's name; empty if there is none."""
    for patterns, why in table.items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns.split()):
            return why
    return ""
