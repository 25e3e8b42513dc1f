"""The expression language of features, selections, labels and weights.

An expression is parsed once into a short program over an allow-list of operations; nothing of it ever reaches Python
names, attributes or calls, so expressions out of a foreign model file are safe.  ROOT's and Python's spelling work:

========================= =====================================================================================
numbers                   ``1``, ``2.5e-3``, ``0x10``; ``true``, ``false``, ``pi``, ``TMath::Pi()``, ``TMath::E()``,
                          ``TMath::TwoPi()``, ``TMath::PiOver2()``, ``TMath::DegToRad()``, ``TMath::RadToDeg()``
branches                  ``Px``; ``Jet.pt`` is one name; any other in backquotes: ```jet-pt```, ```pi```
``c ? a : b``             loosest; also ``where(c, a, b)``; a chain reads from the right
``||`` ``or``, then ``&&`` ``and``, then ``not``
``|``, then ``&``         of two conditions, or bit by bit of two integers
``== != < <= > >=``       not chained
``+ -``, then ``* / %``   ``/`` divides truly, also integers; ``%`` has the sign of the left side, as in C
``+x -x !x ~x``           ``~`` of conditions only
``** ^``                  power, tightest: ``-a^2`` is ``-(a^2)``
of one value              sqrt exp expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh
                          atanh abs fabs floor ceil sign isfinite isnan (``log`` is the natural logarithm)
of two values             pow hypot atan2 copysign min max
of the elements           sum(x) count(x) mean(x) min_of(x) max_of(x) first(x) any(c) all(c): one value an event; of an
of an event               event without elements 0, 0, nan, nan, nan, nan, false, true
========================= =====================================================================================

Functions of one and two values may carry ``TMath::``, ``std::`` or ``ROOT::Math::``.  What ROOT and Python read in two
ways is refused: ``a < b < c``, ``a > 1 & b < 2``, ``a ^ b ^ c``, ``!a == b``, ``x[0]``, ``round(x)``.

Floats are calculated in double precision, as in TTreeFormula.  ``+ - * % abs min max sum`` and comparisons of integers
and conditions (1 and 0) are exact in 64 bits; what may not fit is refused, never wrapped.  Everything else gives
doubles.  A value that does not exist is nan or inf, as in ``log(0)``, and no warning is given.  An event-level value is
broadcast over the elements of its event.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from .errors import InputError, MissingNameError, OptionError, near_miss

__all__ = ["Expression", "parse_expression"]

Array = NDArray[Any]

MAX_LENGTH = 4096
MAX_DEPTH = 100

_TOKEN = re.compile(
    r"""(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<bad_number>[\w.]+)?
    |(?P<root>[A-Za-z_]\w*\$)
    |(?P<name>[A-Za-z_]\w*(?:(?:\.|::)[A-Za-z_]\w*)*)
    |`(?P<quoted>[^`]*)`
    |(?P<refused>//|<<|>>)
    |(?P<operator>\*\*|&&|\|\||[=!<>]=|[-+*/%^<>!~&|?:(),])""",
    re.ASCII | re.VERBOSE,
)
# Parentheses, quotes and wildcards are kept out: names travel on to readers that may take them for patterns or code.
_QUOTED = re.compile(r"\w[\w .:/<>,@#+-]*")

_LEVELS = {"||": 1, "&&": 2, "|": 4, "&": 5, "+": 7, "-": 7, "*": 8, "/": 8, "%": 8, "**": 10}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_LEVELS.update(dict.fromkeys(_COMPARISONS, 6))
_NOT_LEVEL, _UNARY_LEVEL = 3, 9
_UNARY = {"+": "positive", "-": "negative", "!": "!", "~": "~"}
_SYNONYMS = {"and": "&&", "or": "||", "^": "**"}
_PREFIX = re.compile(r"(?:TMath|std|ROOT::Math)::(\w+)", re.ASCII)
_CONSTANTS = {
    "pi": math.pi,
    "twopi": 2 * math.pi,
    "piover2": math.pi / 2,
    "e": math.e,
    "degtorad": math.pi / 180,
    "radtodeg": 180 / math.pi,
}
_WORDS: dict[str, Any] = {"true": True, "True": True, "false": False, "False": False, "pi": math.pi}

_REFUSED = {
    "[": "indexing is not part of the language, since x[0] is the first element in ROOT but the first event in Python; "
    "write first(x) for the first element of each event",
    "'": "text is not part of the language; compare numbers",
    '"': "text is not part of the language; compare numbers",
    "=": "a single '=' is not part of the language; write == to compare",
    "//": "'//' is not part of the language; write floor(a / b)",
    "<<": "shifts are not part of the language; multiply by a power of two",
    ">>": "shifts are not part of the language; write floor(a / b) with b a power of two",
    "`": "this backquote has no partner; a name in backquotes ends with another backquote",
}
_ROOT_WORDS = {
    "Length$": "write count(x), the number of elements of each event",
    "Sum$": "write sum(x), the sum over the elements of each event",
    "Max$": "write max_of(x), the greatest element of each event",
    "Min$": "write min_of(x), the least element of each event",
    "MaxIf$": "write max_of(c ? x : -1e300) with a value below all others",
    "MinIf$": "write min_of(c ? x : 1e300) with a value above all others",
    "Alt$": "write count(x) > 0 ? first(x) : d",
    "Iteration$": "an expression cannot see the position of an element; sort with order_by and cut with max_length",
}
_ROUND = "round is refused, since C rounds halves away from zero and Python to even; write floor(x + 0.5)"
_FUNCTION_HINTS = {
    "round": _ROUND,
    "nint": _ROUND,
    "min": "min is of two values; for the least element of each event write min_of(x)",
    "max": "max is of two values; for the greatest element of each event write max_of(x)",
    "sign": "for ROOT's sign of two values write copysign(a, b)",
}


class _Step(NamedTuple):
    """One operation of the program, on values taken from a stack; `start` and `end` are where it stands in the text."""

    kind: str  # "name", "constant" or "apply"
    value: Any
    arity: int
    start: int
    end: int


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class _Part(NamedTuple):
    """What was parsed last: its form decides whether an operator may stand beside it without parentheses."""

    form: str
    start: int
    end: int


@dataclass(frozen=True)
class Expression:
    """A parsed expression; made by :func:`parse_expression`.

    Attributes
    ----------
    text : str
        The expression as it was given.
    names : frozenset of str
        The branches it needs.
    purpose : str
        What it is for, for messages.
    """

    text: str
    names: frozenset[str] = field(compare=False)
    purpose: str = field(default="expression", compare=False)
    _program: tuple[_Step, ...] = field(default=(), repr=False, compare=False)

    def evaluate(
        self, arrays: Mapping[str, ak.Array | np.ndarray], *, source: str = "", first_entry: int = 0
    ) -> ak.Array | np.ndarray:
        """Calculate the expression for all events at once.

        Parameters
        ----------
        arrays : mapping of str to ak.Array or ndarray
            The branches, all with the same number N of events: one number an event (shape (N,)) or a list of numbers
            an event (jagged, or a table of shape (N, k)).  Arrays that the expression does not name are not looked at.
        source : str
            Where the arrays came from (file and tree), for messages.
        first_entry : int
            The entry of the first event, for messages.

        Returns
        -------
        ndarray of shape (N,) or ak.Array of N lists
            An ndarray where the value belongs to the event, an ak.Array where it belongs to the elements.  Booleans
            for conditions, else 64-bit integers or doubles; a branch alone keeps its type.  An expression that
            names no branch takes N from the first of `arrays`, and has shape () where there is none.

        Raises
        ------
        MissingNameError
            A branch is not in `arrays`.
        InputError
            A branch has no numbers, has missing values or is nested deeper than lists; two branches have different
            numbers of elements in an event; an operation does not exist for its operands or does not fit in 64 bits.
        """
        run = _Run(self, arrays, f"{source}: " if source else "", first_entry)
        with np.errstate(all="ignore"):
            result = run.result()
        if result.counts is None:
            return result.data
        return ak.unflatten(result.data, result.counts)


def parse_expression(text: str, *, purpose: str = "expression") -> Expression:
    """Read an expression, such as ``sqrt(Px**2 + Py**2)`` or ``E > 0.5 && abs(barcode) == 211``.

    Parameters
    ----------
    text : str
        The expression, in the language described at the top of this module.
    purpose : str
        What it is for (``"weight"``, ``"feature 'pt'"``); messages begin with it.

    Returns
    -------
    Expression

    Raises
    ------
    OptionError
        The text is not an expression of the language, is ambiguous, longer than 4096 characters or nested too deeply.
        The message points at the place.
    """
    if not isinstance(text, str):
        raise OptionError(f"{purpose}: expected an expression as text, found {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        raise OptionError(f"{purpose}: the expression has {len(text)} characters, at most {MAX_LENGTH} are allowed")
    if not text.strip():
        raise OptionError(f"{purpose}: the expression is empty; leave the option out or give an expression")
    program = tuple(_Parser(text, purpose).parse())
    return Expression(text, frozenset(s.value for s in program if s.kind == "name"), purpose, program)


class _Parser:
    """Precedence climbing over the tokens of one text; it emits the program in the order of evaluation."""

    def __init__(self, text: str, purpose: str) -> None:
        self.text = text
        self.purpose = purpose
        self.program: list[_Step] = []
        self.tokens = self._tokens()
        self.at = 0

    def fail(self, what: str, position: int) -> NoReturn:
        start = max(0, position - 50)
        shown = "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in self.text[start : position + 50])
        raise OptionError(
            f"{self.purpose}: cannot read the expression at character {position + 1}: {what}\n"
            f"    {shown}\n    {' ' * (position - start)}^"
        )

    def _tokens(self) -> list[_Token]:
        tokens = []
        position = 0
        while position < len(self.text):
            if self.text[position] in " \t\r\n":
                position += 1
                continue
            match = _TOKEN.match(self.text, position)
            if match is None:
                character = self.text[position]
                name = unicodedata.name(character, "a control character")
                self.fail(_REFUSED.get(character, f"{character!r} ({name}) is not part of the language"), position)
            kind = str(match.lastgroup)
            token = _Token(kind, match[kind], position, match.end())
            if kind == "bad_number":
                self.fail(f"'{match[0]}' is neither a number nor a name", position)
            if kind == "refused":
                self.fail(_REFUSED[token.text], position)
            if kind == "root":
                hint = _ROOT_WORDS.get(token.text, "leave it out")
                self.fail(f"ROOT's '{token.text}' is not part of the language; {hint}", position)
            if kind == "quoted" and not _QUOTED.fullmatch(token.text):
                self.fail("a name in backquotes has letters, digits, spaces and any of _ . : / < > , @ # + -", position)
            if kind in ("name", "quoted") and re.search(r"__\w*__", token.text):
                self.fail(f"'{token.text}' has Python's double underscores, which no branch should have", position)
            if kind == "operator" or (kind == "name" and token.text in ("and", "or", "not")):
                token = token._replace(kind="operator", text=_SYNONYMS.get(token.text, token.text))
            tokens.append(token)
            position = match.end()
        return [*tokens, _Token("end", "", len(self.text), len(self.text))]

    def parse(self) -> list[_Step]:
        self.ternary(0)
        if self.token.kind != "end":
            self.unexpected("an operator or the end")
        return self.program

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, operator: str) -> bool:
        found = self.token.kind == "operator" and self.token.text == operator
        self.at += found
        return found

    def expect(self, operator: str, why: str) -> None:
        if not self.accept(operator):
            self.unexpected(f"'{operator}' {why}")

    def unexpected(self, expected: str) -> NoReturn:
        token = self.token
        found = "the end" if token.kind == "end" else f"'{self.text[token.start : token.end]}'"
        hint = "; write c ? a : b to choose between two values" if token.text in ("if", "else") else ""
        self.fail(f"found {found}, expected {expected}{hint}", token.start)

    def emit(self, operation: str, count: int, form: str, start: int) -> _Part:
        end = self.tokens[self.at - 1].end
        self.program.append(_Step("apply", operation, count, start, end))
        return _Part(form, start, end)

    def ternary(self, depth: int) -> _Part:
        self.limit(depth)
        condition = self.binary(1, depth + 1)
        if not self.accept("?"):
            return condition
        self.ternary(depth + 1)
        self.expect(":", "of 'c ? a : b'")
        self.ternary(depth + 1)
        return self.emit("where", 3, "choice", condition.start)

    def limit(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            self.fail("parentheses and signs are nested too deeply; split the expression", self.token.start)

    def binary(self, level: int, depth: int) -> _Part:
        self.limit(depth)
        left = self.prefix(level, depth)
        while self.token.kind == "operator" and _LEVELS.get(self.token.text, 0) >= level:
            operator = self.take()
            right = self.binary(_LEVELS[operator.text] + 1, depth + 1)
            self.refuse_ambiguous(left, operator, right)
            form = "comparison" if operator.text in _COMPARISONS else operator.text
            left = self.emit(operator.text, 2, form, left.start)
        return left

    def refuse_ambiguous(self, left: _Part, operator: _Token, right: _Part) -> None:
        forms = (left.form, right.form)
        if operator.text in _COMPARISONS and left.form == "comparison":
            self.fail("a chain of comparisons has two meanings; write a < b && b < c", operator.start)
        if operator.text in _COMPARISONS and left.form in ("!", "~"):
            self.fail("'!a == b' means '(!a) == b'; write that, or !(a == b)", operator.start)
        if operator.text in "&|" and "comparison" in forms:
            self.fail(
                f"beside a comparison '{operator.text}' has two meanings; write {operator.text * 2}, or put "
                "parentheses around both sides",
                operator.start,
            )
        if operator.text == "**" and "**" in forms:
            self.fail("a chain of powers has two meanings; put parentheses", operator.start)

    def prefix(self, level: int, depth: int) -> _Part:
        token = self.token
        if token.kind == "operator" and token.text == "not" and level <= _NOT_LEVEL:
            self.take()
            self.binary(_NOT_LEVEL, depth + 1)
            return self.emit("!", 1, "not", token.start)
        if token.kind == "operator" and token.text in _UNARY:
            self.take()
            operand = self.binary(_UNARY_LEVEL, depth + 1)
            form = operand.form if operand.form == "**" else token.text
            return self.emit(_UNARY[token.text], 1, form, token.start)
        return self.primary(depth)

    def primary(self, depth: int) -> _Part:
        token = self.token
        if token.kind == "number":
            return self.constant(self.number(self.take()), token)
        if token.kind == "quoted":
            return self.name(self.take())
        if token.kind == "name":
            self.take()
            if self.accept("("):
                return self.call(token, depth)
            if token.text in _WORDS:
                return self.constant(_WORDS[token.text], token)
            if "::" in token.text:
                self.fail(f"'{token.text}' needs parentheses: {token.text}()", token.start)
            return self.name(token)
        if self.accept("("):
            self.ternary(depth + 1)
            self.expect(")", f"to close the '(' at character {token.start + 1}")
            return _Part("primary", token.start, self.tokens[self.at - 1].end)
        self.unexpected("a number, a branch, a function or '('")

    def name(self, token: _Token) -> _Part:
        self.program.append(_Step("name", token.text, 0, token.start, token.end))
        return _Part("primary", token.start, token.end)

    def constant(self, value: Any, token: _Token) -> _Part:
        self.program.append(_Step("constant", np.asarray(value), 0, token.start, token.end))
        return _Part("primary", token.start, token.end)

    def number(self, token: _Token) -> Any:
        text = token.text
        if re.fullmatch(r"0[xX].*|\d+", text):
            if re.fullmatch(r"0\d+", text):
                self.fail(f"'{text}' is octal in C; write it without the leading zero", token.start)
            # The digits are counted first: int() of thousands of them is slow, and refused by newer versions of Python.
            value = int(text, 0) if len(text) <= 20 else 2**64
            if value >= 2**64:
                self.fail("the integer does not fit in 64 bits; write it as 1e20", token.start)
            return np.int64(value) if value < 2**63 else np.uint64(value)
        if math.isinf(float(text)):
            self.fail("the number does not fit in double precision", token.start)
        return float(text)

    def call(self, token: _Token, depth: int) -> _Part:
        prefix = _PREFIX.fullmatch(token.text)
        name = prefix[1].lower() if prefix else token.text
        if prefix and name in _CONSTANTS:
            self.expect(")", f"since {token.text} is a constant")
            return self.constant(_CONSTANTS[name], token)
        name = _ALIASES.get(name, name)
        count = _FUNCTIONS[name][0] if name in _FUNCTIONS else 1 if name in _AGGREGATES and not prefix else 0
        if not count:
            if name in _FUNCTION_HINTS:
                self.fail(_FUNCTION_HINTS[name], token.start)
            known = [*_FUNCTIONS, *_AGGREGATES, *_ALIASES, *_WORDS]
            hint = near_miss(re.split(r"\.|::", token.text)[-1], known)
            self.fail(f"there is no function '{token.text}'; {hint}", token.start)
        given = 0
        if not self.accept(")"):
            self.ternary(depth + 1)
            given = 1
            while self.accept(","):
                self.ternary(depth + 1)
                given += 1
            self.expect(")", f"or ',' in {token.text}(...)")
        if given != count:
            hint = f"; {_FUNCTION_HINTS[name]}" if name in _FUNCTION_HINTS else ""
            self.fail(f"{token.text} takes {count} value(s), found {given}{hint}", token.start)
        return self.emit(name, count, "primary", token.start)


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


_ALIASES = {"fabs": "abs", "power": "pow", "finite": "isfinite"} | {
    f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "tan2", "sinh", "cosh", "tanh")
}
_NUMPY = {name: f"arc{name[1:]}" for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")}
_FUNCTIONS: dict[str, tuple[int, Callable[..., Array]]] = {
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
    **{name: function for name, (_, function) in _FUNCTIONS.items()},
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
_AGGREGATES: dict[str, tuple[Callable[..., Array], Any, Callable[[Array, Array], Array]]] = {
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


class _Run:
    """One evaluation of an expression."""

    def __init__(self, expression: Expression, arrays: Mapping[str, Any], source: str, first_entry: int) -> None:
        self.expression = expression
        self.arrays = arrays
        shown = expression.text if len(expression.text) <= 200 else f"{expression.text[:200]} ..."
        self.where = f"{source}{expression.purpose} `{shown}`: "
        self.first_entry = first_entry
        self.lengths: dict[str, int] = {}

    def fail(self, what: str) -> NoReturn:
        raise InputError(f"{self.where}{what}")

    def result(self) -> _Value:
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
        mask = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else np.zeros(0, bool)
        if mask.any():
            entry = self.entry(mask, counts)
            self.fail(f"branch '{name}' has a missing value in {entry}; only complete branches can be used")
        return np.ma.getdata(array)

    def entry(self, bad: Array, counts: Array | None) -> str:
        index = int(np.flatnonzero(bad)[0])
        if counts is not None:
            index = int(np.searchsorted(np.cumsum(counts), index, side="right"))
        return f"entry {self.first_entry + index}"

    def apply(self, step: _Step, operands: list[_Value]) -> _Value:
        part = self.expression.text[step.start : step.end]
        counts, branch = self.shared_counts(part, operands)
        try:
            if step.value in _AGGREGATES:
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
        if value.counts is None:
            raise _Refused(f"{name} goes over the elements of each event, but here is one value an event; leave it out")
        if name == "count" and value.data.dtype.kind == "b":
            raise _Refused("count counts all elements, also where the condition is false; write sum(c) or count(x)")
        prepare, empty, operation = _AGGREGATES[name]
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
