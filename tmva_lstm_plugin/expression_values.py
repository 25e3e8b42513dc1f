"""What an expression does with values: the operations behind :mod:`tmva_lstm_plugin.expressions`.

Integers and conditions stay exact in 64 bits as long as an operation has an exact meaning there; everything else is
computed in double precision, as ROOT's TTreeFormula does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from .errors import InputError, MissingNameError, near_miss

if TYPE_CHECKING:
    from .expressions import Expression

__all__ = ["AGGREGATES", "ALIASES", "FUNCTIONS", "Run", "Step"]

Array = NDArray[Any]


class Step(NamedTuple):
    """One operation of the program, on values taken from a stack; `start` and `end` are where it stands in the text."""

    kind: str  # "name", "constant" or "apply"
    value: Any
    arity: int
    start: int
    end: int


class _Refused(Exception):
    """An operation refused its operands; `bad` marks the values, where single values are at fault."""

    def __init__(self, message: str, bad: Array | None = None) -> None:
        super().__init__(message)
        self.bad = bad


def _real(x: Array) -> Array:
    return x.astype(np.float64, copy=False)


def _truth(x: Array) -> Array:
    return x if x.dtype.kind == "b" else x != 0


def _integer(x: Array) -> Array:
    # Unsigned values stay unsigned only where they have to, so that they mix with signed ones.
    if x.dtype.kind == "u" and x.size and x.max() > np.iinfo(np.int64).max:
        return x.astype(np.uint64, copy=False)
    return x.astype(np.int64, copy=False)


def _exact(*xs: Array) -> list[Array]:
    """Bring values to doubles if any is a float, else to 64-bit integers."""
    if any(x.dtype.kind == "f" for x in xs):
        return [_real(x) for x in xs]
    return [_integer(x) for x in xs]


def _common(*xs: Array) -> list[Array]:
    """As `_exact`, all of one type."""
    converted = _exact(*xs)
    if len({x.dtype for x in converted}) > 1:
        for x in converted:
            if (x < 0).any():
                raise _Refused("integers above 2^63 - 1 do not mix with negative ones; multiply by 1.0 first", x < 0)
        converted = [x.astype(np.uint64) for x in converted]
    return converted


def _arithmetic(ufunc: np.ufunc) -> Callable[..., Array]:
    # The doubles are right to 1 part in 2^52, so a result just below the edge may be refused; none is wrapped.
    edge = 2.0**63 * (1 - 2.0**-50)

    def operation(*xs: Array) -> Array:
        values = _exact(*xs)
        if values[0].dtype.kind == "f":
            return np.asarray(ufunc(*values))
        bad = np.abs(ufunc(*(_real(x) for x in values))) >= edge
        for x in values:
            bad = bad | (x > np.iinfo(np.int64).max) if x.dtype.kind == "u" else bad
        if bad.any():
            raise _Refused("the integer result may not fit in 64 bits; multiply by 1.0 first for doubles", bad)
        return np.asarray(ufunc(*values))

    return operation


def _power(x: Array, y: Array) -> Array:
    if "b" in (x.dtype.kind, y.dtype.kind):
        raise _Refused("'^' and '**' are power and one side is a condition; for exclusive or write (a) != (b)")
    # numpy's operator squares by one multiplication, its function np.power does not
    return np.asarray(_real(x) ** (float(y) if y.ndim == 0 else _real(y)))


def _remainder(x: Array, y: Array) -> Array:
    left, right = _common(x, y)
    if right.dtype.kind != "f" and not right.all():
        raise _Refused("the remainder of an integer division by zero does not exist", right == 0)
    return np.asarray(np.fmod(left, right))


def _bits(symbol: str, ufunc: np.ufunc) -> Callable[..., Array]:
    def operation(x: Array, y: Array) -> Array:
        kinds = {x.dtype.kind, y.dtype.kind}
        if kinds == {"b"}:
            return np.asarray(ufunc(x, y))
        if "b" in kinds or "f" in kinds:
            raise _Refused(f"'{symbol}' needs two conditions or two integers; write {symbol * 2} to join conditions")
        return np.asarray(ufunc(*_common(x, y)))

    return operation


def _invert(x: Array) -> Array:
    if x.dtype.kind != "b":
        raise _Refused("'~' needs a condition; write !x, which is true where x is 0")
    return ~x


def _where(condition: Array, x: Array, y: Array) -> Array:
    if not x.dtype.kind == y.dtype.kind == "b":
        x, y = _common(x, y)
    return np.asarray(np.where(_truth(condition), x, y))


def _on(prepare: Callable[..., list[Array]], ufunc: np.ufunc) -> Callable[..., Array]:
    return lambda *xs: np.asarray(ufunc(*prepare(*xs)))


def _reals(*xs: Array) -> list[Array]:
    return [_real(x) for x in xs]


def _truths(*xs: Array) -> list[Array]:
    return [_truth(x) for x in xs]


ALIASES = {"fabs": "abs", "power": "pow", "finite": "isfinite"} | {
    f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "tan2", "sinh", "cosh", "tanh")
}
_NUMPY = {name: f"arc{name[1:]}" for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")}
FUNCTIONS: dict[str, tuple[int, Callable[..., Array]]] = {
    **{
        name: (1, _on(_reals, getattr(np, _NUMPY.get(name, name))))
        for name in "sqrt exp expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh "
        "floor ceil sign isfinite isnan".split()
    },
    "abs": (1, _arithmetic(np.abs)),
    "pow": (2, _power),
    "hypot": (2, _on(_reals, np.hypot)),
    "atan2": (2, _on(_reals, np.arctan2)),
    "copysign": (2, _on(_reals, np.copysign)),
    "min": (2, _on(_common, np.minimum)),
    "max": (2, _on(_common, np.maximum)),
    "where": (3, _where),
}
_OPERATIONS: dict[str, Callable[..., Array]] = {
    **{name: function for name, (_, function) in FUNCTIONS.items()},
    "+": _arithmetic(np.add),
    "-": _arithmetic(np.subtract),
    "*": _arithmetic(np.multiply),
    "/": _on(_reals, np.divide),
    "%": _remainder,
    "**": _power,
    "positive": _on(_exact, np.positive),
    "negative": _arithmetic(np.negative),
    "==": _on(_exact, np.equal),
    "!=": _on(_exact, np.not_equal),
    "<": _on(_exact, np.less),
    "<=": _on(_exact, np.less_equal),
    ">": _on(_exact, np.greater),
    ">=": _on(_exact, np.greater_equal),
    "&": _bits("&", np.bitwise_and),
    "|": _bits("|", np.bitwise_or),
    "&&": _on(_truths, np.logical_and),
    "||": _on(_truths, np.logical_or),
    "!": _on(_truths, np.logical_not),
    "~": _invert,
}


def _first(values: Array, starts: Array) -> Array:
    return np.asarray(values[starts])


def _mean(values: Array, starts: Array) -> Array:
    return np.asarray(np.add.reduceat(values, starts)) / np.diff(np.append(starts, len(values)))


def _sum(values: Array, starts: Array) -> Array:
    if values.dtype.kind != "f":
        magnitudes = np.add.reduceat(np.abs(_real(values)), starts)
        bad = np.repeat(magnitudes >= 2.0**62, np.diff(np.append(starts, len(values))))
        if bad.any():
            raise _Refused("the integer sum may not fit in 64 bits; multiply by 1.0 first for doubles", bad)
    return np.asarray(np.add.reduceat(values, starts))


# How the elements are prepared, the value of an event without any, and the operation on those of the others.
AGGREGATES: dict[str, tuple[Callable[..., Array], Any, Callable[[Array, Array], Array]]] = {
    "sum": (lambda x: _exact(x)[0], 0, _sum),
    "count": (lambda x: np.ones(len(x), np.int64), 0, np.add.reduceat),
    "mean": (_real, np.nan, _mean),
    "min_of": (_real, np.nan, np.minimum.reduceat),
    "max_of": (_real, np.nan, np.maximum.reduceat),
    "first": (_real, np.nan, _first),
    "any": (_truth, False, np.logical_or.reduceat),
    "all": (_truth, True, np.logical_and.reduceat),
}


class _Value(NamedTuple):
    """Values of all events: () for a constant, (N,) for events, (S,) with the counts of each event for elements."""

    data: Array
    counts: Array | None = None
    branch: str = ""


class Run:
    """One evaluation of an expression."""

    def __init__(self, expression: Expression, arrays: Mapping[str, Any], source: str, first_entry: int) -> None:
        self.expression = expression
        self.arrays = arrays
        shown = expression.text if len(expression.text) <= 200 else f"{expression.text[:200]} ..."
        self.where = f"{source}{expression.purpose} `{shown}`: "
        self.first_entry = first_entry
        self.lengths: dict[str, int] = {}

    def fail(self, what: str) -> NoReturn:
        """Raise InputError with the expression and where it is read from."""
        raise InputError(f"{self.where}{what}")

    def result(self) -> _Value:
        """Run the program; what is left on the stack is the value of the expression."""
        loaded = {name: self.load(name) for name in sorted(self.expression.names)}
        stack: list[_Value] = []
        for step in self.expression._program:
            if step.kind == "name":
                stack.append(loaded[step.value])
            elif step.kind == "constant":
                stack.append(_Value(step.value))
            else:
                operands = stack[-step.arity :]
                del stack[-step.arity :]
                stack.append(self.apply(step, operands))
        value = stack.pop()
        if value.data.ndim == 0:
            lengths = list(self.lengths.values()) or [len(array) for array in self.arrays.values()][:1]
            return _Value(np.full(lengths[:1], value.data))
        return value

    def load(self, name: str) -> _Value:
        """Take a branch: flat values, and the number of elements of each event for a jagged one."""
        if name not in self.arrays:
            raise MissingNameError(f"{self.where}there is no branch '{name}'; {near_miss(name, self.arrays)}")
        array = self.arrays[name]
        kind = str(array.type) if isinstance(array, ak.Array) else f"{getattr(array, 'dtype', type(array).__name__)}"
        dimensions = array.ndim if isinstance(array, (ak.Array, np.ndarray)) else 0
        counts: Array | None = None
        try:
            if dimensions not in (1, 2):
                raise TypeError
            if dimensions == 2:
                counts = self.present(name, ak.to_numpy(ak.num(array, axis=1)), None)
                array = ak.flatten(array, axis=1)
            data = self.present(name, array if isinstance(array, np.ndarray) else ak.to_numpy(array), counts)
            if data.dtype.kind not in "biuf":
                raise TypeError
        except InputError:
            raise
        except (TypeError, ValueError):
            self.fail(
                f"branch '{name}' has type {kind}, expected one number an event or one list of numbers an event; "
                "take a branch of numbers, or one member of a nested one"
            )
        length = len(data) if counts is None else len(counts)
        for other, found in self.lengths.items():
            if found != length:
                self.fail(f"branch '{other}' has {found} events and branch '{name}' has {length}; read both together")
        self.lengths[name] = length
        return _Value(data.astype(data.dtype.newbyteorder("="), copy=False), counts, name if dimensions == 2 else "")

    def present(self, name: str, array: Array, counts: Array | None) -> Array:
        """Refuse branches with missing values."""
        mask = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else np.zeros(0, bool)
        if mask.any():
            entry = self.entry(mask, counts)
            self.fail(f"branch '{name}' has a missing value in {entry}; only complete branches can be used")
        return np.ma.getdata(array)

    def entry(self, bad: Array, counts: Array | None) -> str:
        """Name the first entry among those marked."""
        index = int(np.flatnonzero(bad)[0])
        if counts is not None:
            index = int(np.searchsorted(np.cumsum(counts), index, side="right"))
        return f"entry {self.first_entry + index}"

    def apply(self, step: Step, operands: list[_Value]) -> _Value:
        """Apply one operation to the values on top of the stack."""
        part = self.expression.text[step.start : step.end]
        counts, branch = self.shared_counts(part, operands)
        try:
            if step.value in AGGREGATES:
                return self.aggregate(step.value, operands[0])
            spread = [
                np.repeat(v.data, counts) if counts is not None and v.counts is None and v.data.ndim else v.data
                for v in operands
            ]
            return _Value(_OPERATIONS[step.value](*spread), counts, branch)
        except _Refused as refusal:
            in_all = refusal.bad is None or refusal.bad.ndim == 0
            where = "" if in_all else f" ({self.entry(np.asarray(refusal.bad), counts)})"
            self.fail(f"in `{part}`: {refusal}{where}")

    def shared_counts(self, part: str, operands: list[_Value]) -> tuple[Array | None, str]:
        """Return the element counts that all jagged operands share, and refuse operands that differ."""
        shared: Array | None = None
        branch = ""
        for value in operands:
            counts = value.counts
            if counts is None or counts is shared:
                continue
            if shared is None:
                shared, branch = counts, value.branch
            elif not np.array_equal(counts, shared):
                n = int(np.flatnonzero(counts != shared)[0])
                self.fail(
                    f"in `{part}` the lists do not match: in entry {self.first_entry + n} branch '{branch}' has "
                    f"{shared[n]} element(s) and branch '{value.branch}' has {counts[n]}; combine branches of the same "
                    f"list, or one value an event such as sum({value.branch})"
                )
        return shared, branch

    def aggregate(self, name: str, value: _Value) -> _Value:
        """Reduce the elements of each event to one value."""
        if value.counts is None:
            raise _Refused(f"{name} goes over the elements of each event, but here is one value an event; leave it out")
        if name == "count" and value.data.dtype.kind == "b":
            raise _Refused("count counts all elements, also where the condition is false; write sum(c) or count(x)")
        prepare, empty, operation = AGGREGATES[name]
        data = prepare(value.data)
        filled = value.counts > 0
        starts = (np.cumsum(value.counts) - value.counts)[filled]
        if not len(starts):
            data_type = np.asarray(empty).dtype if name != "sum" else data.dtype
            return _Value(np.full(len(filled), empty, dtype=data_type))
        reduced = operation(data, starts)
        result = np.full(len(filled), empty, dtype=reduced.dtype)
        result[filled] = reduced
        return _Value(result)
