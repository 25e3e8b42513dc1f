"""How the keys of a configuration are declared: sections, keys with their help, and the types that several keys have."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["Expression", "MemoryLimit", "Section", "Strings", "Widths", "distinct", "key", "zero_is_none"]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _expression(text: str) -> str:
    from .expressions import parse_expression

    if not parse_expression(text).names:
        raise ValueError(f"{text!r} names no branch, so it is the same for all events; name a branch, or leave it out")
    return text


def distinct(names: list[str]) -> list[str]:
    """Return the names, if none is there twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(map(repr, twice))} is there more than once; each may be given once only")
    return names


def _size(limit: str | int) -> str | int:
    from .recipe import parse_bytes

    parse_bytes(limit)
    return limit


def zero_is_none(value: Any) -> Any:
    """Return None for 0: TOML has no null."""
    return None if value == 0 and not isinstance(value, bool) else value


Expression = Annotated[str, AfterValidator(_expression)]
Strings = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1), AfterValidator(distinct)]
_Width = Annotated[int, Field(ge=1, lt=2**16)]
Widths = _Width | Annotated[list[_Width], Field(min_length=1)]
MemoryLimit = Annotated[str | int, AfterValidator(_size)]


class Section(BaseModel):
    """A section: unknown keys are refused and no value is quietly turned into another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def key(default: Any, description: str, expected: str, **limits: Any) -> Any:
    """Declare a key: `description` goes into the help, `expected` into the message about a wrong value."""
    return Field(default, description=description, json_schema_extra={"expected": expected}, **limits)
