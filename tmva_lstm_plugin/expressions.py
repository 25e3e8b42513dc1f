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
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from .errors import OptionError, near_miss
from .expression_values import AGGREGATES, ALIASES, FUNCTIONS, Run, Step

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
    _program: tuple[Step, ...] = field(default=(), repr=False, compare=False)

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
        run = Run(self, arrays, f"{source}: " if source else "", first_entry)
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
        self.program: list[Step] = []
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

    def parse(self) -> list[Step]:
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
        self.program.append(Step("apply", operation, count, start, end))
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
        self.program.append(Step("name", token.text, 0, token.start, token.end))
        return _Part("primary", token.start, token.end)

    def constant(self, value: Any, token: _Token) -> _Part:
        self.program.append(Step("constant", np.asarray(value), 0, token.start, token.end))
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
        name = ALIASES.get(name, name)
        count = FUNCTIONS[name][0] if name in FUNCTIONS else 1 if name in AGGREGATES and not prefix else 0
        if not count:
            if name in _FUNCTION_HINTS:
                self.fail(_FUNCTION_HINTS[name], token.start)
            known = [*FUNCTIONS, *AGGREGATES, *ALIASES, *_WORDS]
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
