"""Sixteen portfolios side by side: a vector type for numba, whose every operation is one vector instruction.

What belongs here: the type, its operators, loads and stores. What does not: what is computed with them. numba
leaves it to LLVM to find vectors in scalar loops, which fails on loops that branch or write several arrays; with
this type the vectors are written down. The code that uses it reads as for one portfolio, with ``where`` in place
of branches.
"""

import operator
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, signature
from numba.core.typing.templates import infer_global as _infer_global
from numba.extending import intrinsic as _intrinsic
from numba.extending import lower_builtin as _lower_builtin
from numba.extending import models, register_model

infer_global: Any = _infer_global
intrinsic: Any = _intrinsic
lower_builtin: Any = _lower_builtin
WIDTH: Final = 16
"""Lanes: a 512-bit register of float32; narrower machines take two or four registers."""
_FLAGS: Final = ("nsz", "contract")


class Lanes(types.Type):
    """One number (float32, float64, int32) or truth value of each of 16 portfolios."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(name=f"Lanes({dtype})")


TRUTH: Final = Lanes(types.boolean)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        super().__init__(dmm, fe_type, _vector(fe_type.dtype))


def _element(dtype: Any) -> ir.Type:
    if isinstance(dtype, types.Float):
        return ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
    return ir.IntType(1 if dtype == types.boolean else dtype.bitwidth)


def _vector(dtype: types.Type) -> ir.VectorType:
    return ir.VectorType(_element(dtype), WIDTH)


def _is_float(lanes: Lanes) -> bool:
    return isinstance(lanes.dtype, types.Float)


def _spread(builder: Any, value: Any, element: ir.Type) -> Any:
    """The same scalar in every lane."""
    lane0 = builder.insert_element(
        ir.Constant(ir.VectorType(element, WIDTH), ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
    )
    mask = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(lane0, lane0, mask)


def _operand(context: Any, builder: Any, value: Any, given: types.Type, wanted: Lanes) -> Any:
    if isinstance(given, Lanes):
        return value
    return _spread(builder, context.cast(builder, value, given, wanted.dtype), _element(wanted.dtype))


def _lanes_of(*args: types.Type) -> Lanes | None:
    """The vector type of mixed operands, or None where they do not fit together."""
    found = {arg.name: arg for arg in args if isinstance(arg, Lanes)}
    others = [arg for arg in args if not isinstance(arg, Lanes)]
    if len(found) != 1 or not all(isinstance(arg, types.Number) for arg in others):
        return None
    return next(iter(found.values()))


def _register(
    function: Any, floats: Any, integers: Any, truths: Any = None, is_comparison: bool = False
) -> None:
    """Type and lower an operator of two operands."""

    @infer_global(function)
    class _Typed(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            lanes = _lanes_of(*args) if len(args) == 2 else None
            if lanes is None or (truths is None and lanes == TRUTH):
                return None
            return signature(TRUTH if is_comparison else lanes, *args)

    def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lanes = _lanes_of(*sig.args)
        assert lanes is not None
        one, other = (_operand(context, builder, v, t, lanes) for v, t in zip(args, sig.args, strict=True))
        rule = truths if lanes == TRUTH else floats if _is_float(lanes) else integers
        return rule(builder, one, other)

    for pair in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(function, *pair)(lowered)


def _float_rule(name: str) -> Any:
    return lambda b, x, y: getattr(b, name)(x, y, flags=_FLAGS)


def _plain_rule(name: str) -> Any:
    return lambda b, x, y: getattr(b, name)(x, y)


def _comparison(sign: str) -> tuple[Any, Any]:
    return (
        lambda b, x, y: b.fcmp_ordered(sign, x, y),
        lambda b, x, y: b.icmp_signed(sign, x, y),
    )


_register(operator.add, _float_rule("fadd"), _plain_rule("add"))
_register(operator.sub, _float_rule("fsub"), _plain_rule("sub"))
_register(operator.mul, _float_rule("fmul"), _plain_rule("mul"))
_register(operator.truediv, _float_rule("fdiv"), None)
_register(operator.and_, None, _plain_rule("and_"), _plain_rule("and_"))
_register(operator.or_, None, _plain_rule("or_"), _plain_rule("or_"))
for _function, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    _register(_function, *_comparison(_sign), is_comparison=True)


def _select(builder: Any, mask: Any, yes: Any, no: Any) -> Any:
    return builder.select(mask, yes, no)


@intrinsic
def where(typingctx: Any, mask: Any, yes: Any, no: Any) -> Any:
    """Lane by lane ``yes`` where ``mask``, else ``no``."""
    lanes = _lanes_of(yes, no)
    if mask != TRUTH or lanes is None:
        return None

    def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        one, other = (_operand(context, builder, args[i], sig.args[i], lanes) for i in (1, 2))
        return _select(builder, args[0], one, other)

    return lanes(mask, yes, no), lowered


def _extreme(sign: str) -> Any:
    def typed(typingctx: Any, one: Any, other: Any) -> Any:
        lanes = _lanes_of(one, other)
        if lanes is None or lanes == TRUTH:
            return None

        def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            x, y = (_operand(context, builder, args[i], sig.args[i], lanes) for i in (0, 1))
            floats, integers = _comparison(sign)
            mask = floats(builder, x, y) if _is_float(lanes) else integers(builder, x, y)
            return _select(builder, mask, x, y)

        return lanes(one, other), lowered

    return intrinsic(typed)


lower = _extreme("<")
"""Lane by lane the smaller."""
higher = _extreme(">")
"""Lane by lane the larger."""


@intrinsic
def invert(typingctx: Any, mask: Any) -> Any:
    """Lane by lane not."""
    if mask != TRUTH:
        return None
    return TRUTH(mask), lambda context, builder, sig, args: builder.not_(args[0])


@intrinsic
def any_lane(typingctx: Any, mask: Any) -> Any:
    """Say whether the mask holds in any lane."""
    if mask != TRUTH:
        return None

    def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return types.boolean(mask), lowered


@intrinsic
def as_float(typingctx: Any, whole: Any, like: Any) -> Any:
    """Whole numbers as floats of ``like``'s type."""
    if not isinstance(whole, Lanes) or not isinstance(like, Lanes) or not _is_float(like):
        return None
    return like(whole, like), lambda context, builder, sig, args: builder.sitofp(args[0], _vector(like.dtype))


@intrinsic
def floor_whole(typingctx: Any, x: Any) -> Any:
    """Largest int32 not above."""
    if not isinstance(x, Lanes) or not _is_float(x):
        return None
    whole = Lanes(types.int32)

    def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = _vector(types.int32)
        towards_zero = builder.fptosi(args[0], kind)
        is_above = builder.fcmp_ordered(">", builder.sitofp(towards_zero, _vector(x.dtype)), args[0])
        return builder.add(towards_zero, builder.sext(is_above, kind))  # a mask's sign is -1

    return whole(x), lowered


@intrinsic
def splat(typingctx: Any, value: Any) -> Any:
    """The same number in every lane."""
    if not isinstance(value, types.Number):
        return None

    def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _spread(builder, args[0], _element(value))

    return Lanes(value)(value), lowered


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, place_type: Any, place: Any) -> Any:
    """Where the row of 16 begins that the leading indices name."""
    struct = context.make_array(array_type)(context, builder, array)
    shape = cgutils.unpack_tuple(builder, struct.shape, array_type.ndim)
    offset: Any = None
    for axis in range(array_type.ndim - 1):
        index = builder.extract_value(place, axis)
        index = context.cast(builder, index, place_type.types[axis], types.intp)
        offset = index if offset is None else builder.add(builder.mul(offset, shape[axis]), index)
    return builder.gep(struct.data, [builder.mul(offset, ir.Constant(offset.type, WIDTH))])


def _is_table(array: Any, place: Any) -> bool:
    return (
        isinstance(array, types.Array)
        and array.layout == "C"
        and isinstance(place, types.Tuple | types.UniTuple)
        and len(place.types) == array.ndim - 1
    )


@intrinsic
def load(typingctx: Any, array: Any, place: Any) -> Any:
    """Sixteen numbers of a C-contiguous array whose last axis is the lanes, at the leading indices ``place``."""
    if not _is_table(array, place):
        return None
    lanes = Lanes(array.dtype)

    def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, array, args[0], place, args[1])
        pointer = builder.bitcast(pointer, _vector(array.dtype).as_pointer())
        return builder.load(pointer, align=array.dtype.bitwidth // 8, typ=_vector(array.dtype))

    return lanes(array, place), lowered


@intrinsic
def store(typingctx: Any, array: Any, place: Any, value: Any) -> Any:
    """Write sixteen numbers where :func:`load` reads them."""
    if not _is_table(array, place) or value != Lanes(array.dtype):
        return None

    def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, array, args[0], place, args[1])
        pointer = builder.bitcast(pointer, _vector(array.dtype).as_pointer())
        builder.store(args[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, place, value), lowered
