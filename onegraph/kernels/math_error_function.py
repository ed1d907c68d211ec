"""The error function erf.

Near 0, x + x P(x²). Beyond, 1 - exp(-g(|x|)), where g = -log(1 - erf) is a smooth function that a polynomial follows.
Coefficients: see `math_code.py`.
"""

from __future__ import annotations

from onegraph.kernels.llvm import Value
from onegraph.kernels.math_code import MathCode
from onegraph.kernels.math_exponential import reduced

# erf(x) / x - 1 in x² for |x| <= 1; error 2^-29.6.
_NEAR_32 = (
    0.12837916612625122, -0.3761262595653534, 0.1128358542919159, -0.026853810995817184, 0.00518832728266716,
    -0.0008010189048945904, 7.853843999328092e-05,
)  # fmt: skip
# The same, error 2^-62.7.
_NEAR_64 = (
    0.1283791670955126, -0.3761263890318375, 0.11283791670954857, -0.026866170645072893, 0.005223977624780835,
    -0.0008548326978740568, 0.00012055331036846668, -1.4925593505766364e-05, 1.6460972801190717e-06,
    -1.6350025076223882e-07, 1.4657878989888879e-08, -1.1365663136628493e-09, 5.945257693941542e-11,
)  # fmt: skip
# -log(1 - erf(x)) for 1 <= x <= 4; error 2^-29.8 of erf.
_FAR_32 = (
    0.00034158528433181345, 1.1270889043807983, 0.6381452679634094, 0.10310638695955276, -0.021837888285517693,
    0.0029476138297468424, -0.0001863746001617983,
)  # fmt: skip
# The same for 1 <= x <= 5.95; error 2^-59.5 of erf.
_FAR_64 = (
    1.7961810812228653e-07, 1.1283773292821517, 0.636628488849838, 0.1027472522623852, -0.01907815508619751,
    -0.0002804899097225156, 0.0017690024550648838, -0.0006411745229182816, 4.482389121284428e-05,
    7.036573789788314e-05, -4.503692502667619e-05, 1.6513764053458414e-05, -4.3269917195685696e-06,
    8.505637586782184e-07, -1.2570340364345316e-07, 1.3626545439987291e-08, -1.0256902055451348e-09,
    4.795995286175526e-11, -1.0496138139181274e-12,
)  # fmt: skip


def erf(m: MathCode, x: Value) -> Value:
    """2 / sqrt(pi) times the integral of exp(-t²) for t from 0 to x."""
    a = m.abs(x)
    near = m.multiply_add(x, m.polynomial(m.mul(x, x), _NEAR_64 if m.double else _NEAR_32), x)
    end = 5.95 if m.double else 4.0  # erf is 1 to the last digit from here on
    g = m.polynomial(m.clamp(a, 0.0, end), _FAR_64 if m.double else _FAR_32)
    q, n, _ = reduced(m, g, -1.0)
    scale = m.power_of_two(n)
    far = m.sub(m.sub(m.one, scale), m.mul(scale, q))
    return m.copysign(m.select(m.less(a, m.one), near, far), x)
