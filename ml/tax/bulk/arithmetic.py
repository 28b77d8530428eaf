"""Exact products and quotients of 64-bit integers through two 64-bit words.

Source of the division: Knuth, The Art of Computer Programming 2, algorithm D, for two digits of 32 bits.
"""

import numpy as np

from ml.tax.bulk.columns import COMPILER, W_PARTS, W_RESTS, W_WEIGHTS

_0, _1, _32, _64 = np.uint64(0), np.uint64(1), np.uint64(32), np.uint64(64)
_LOW = np.uint64(0xFFFFFFFF)
_EXACT = float(1 << 50)
_BASE = np.uint64(1 << 32)
_2, _4, _8, _16 = np.uint64(2), np.uint64(4), np.uint64(8), np.uint64(16)


@COMPILER.inner
def product(a, b):
    """Return the high and low word of a product of two non-negative integers."""
    a, b = np.uint64(a), np.uint64(b)
    a_low, a_high, b_low, b_high = a & _LOW, a >> _32, b & _LOW, b >> _32
    low = a_low * b_low
    middle = a_high * b_low + (low >> _32)
    other = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> _32) + (other >> _32), a * b


@COMPILER.inner
def quotient(high, low, divisor):
    """Return quotient and remainder of a two-word number; the quotient must fit one word."""
    if high == _0:
        return low // divisor, low % divisor
    shift = _0
    for step in (_32, _16, _8, _4, _2, _1):
        if divisor >> (_64 - step) == _0:
            divisor = divisor << step
            shift += step
    if shift > _0:
        high = (high << shift) | (low >> (_64 - shift))
        low = low << shift
    first, second = divisor >> _32, divisor & _LOW
    top, bottom = low >> _32, low & _LOW
    q1 = high // first
    rest = high - q1 * first
    while q1 >= _BASE or q1 * second > _BASE * rest + top:
        q1 -= _1
        rest += first
        if rest >= _BASE:
            break
    middle = high * _BASE + top - q1 * divisor
    q0 = middle // first
    rest = middle - q0 * first
    while q0 >= _BASE or q0 * second > _BASE * rest + bottom:
        q0 -= _1
        rest += first
        if rest >= _BASE:
            break
    return q1 * _BASE + q0, (middle * _BASE + bottom - q0 * divisor) >> shift


@COMPILER.hot
def share(size, weight, whole):
    """Return size * weight // whole and the remainder, for non-negative integers.

    A quotient below 2**50 is at most one unit off in double precision; its remainder, which fits one
    word, says so.
    """
    estimate = float(size) * float(weight) / float(whole)
    if estimate < _EXACT:
        q = np.int64(estimate)
        r = np.int64(np.uint64(size) * np.uint64(weight) - np.uint64(q) * np.uint64(whole))
        if r < 0:
            return q - 1, r + whole
        if r >= whole:
            return q + 1, r - whole
        return q, r
    high, low = product(size, weight)
    q, r = quotient(high, low, np.uint64(whole))
    return np.int64(q), np.int64(r)


@COMPILER.hot
def scale(value, numerator, denominator):
    """Return value * numerator / denominator to the nearest unit, halves up, as ``ml.tax.units.scale``."""
    if value == 0:
        return 0
    q, r = share(abs(value), numerator, denominator)
    twice = denominator - r
    if value >= 0:
        return q + (1 if r >= twice else 0)
    return -(q + (1 if r > twice else 0))


@COMPILER.inner
def halves(total, first, second):
    """Split an amount over two weights by largest remainder, a tie to the first."""
    whole = first + second
    size = abs(total)
    q1, r1 = share(size, first, whole)
    q2, r2 = share(size, second, whole)
    if q1 + q2 < size:
        if r1 >= r2:
            q1 += 1
        else:
            q2 += 1
    if total < 0:
        return -q1, -q2
    return q1, q2


@COMPILER.inner
def apportion(total, count, whole, scratch):
    """Split an amount over ``scratch[W_WEIGHTS, :count]`` into ``scratch[W_PARTS]`` by largest remainder.

    Ties go to the first.
    """
    size = abs(total)
    left = size
    for i in range(count):
        scratch[W_PARTS, i], scratch[W_RESTS, i] = share(size, scratch[W_WEIGHTS, i], whole)
        left -= scratch[W_PARTS, i]
    for _ in range(left):
        best = 0
        for i in range(1, count):
            if scratch[W_RESTS, i] > scratch[W_RESTS, best]:
                best = i
        scratch[W_PARTS, best] += 1
        scratch[W_RESTS, best] = -1
    if total < 0:
        for i in range(count):
            scratch[W_PARTS, i] = -scratch[W_PARTS, i]


@COMPILER.inner
def is_dearer(cost, quantity, other_cost, other_quantity):
    """Say whether one cost per share is above another, without rounding."""
    high, low = product(cost, other_quantity)
    other_high, other_low = product(other_cost, quantity)
    return high > other_high or (high == other_high and low > other_low)


@COMPILER.inner
def divisor_of(a, b):
    """Return the greatest common divisor of two positive integers."""
    while b:
        a, b = b, a % b
    return a
