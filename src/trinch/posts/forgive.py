"""Fit a JSON value to a typed struct, forgiving in what is optional and strict in what is not.

The fallback of `wire.decode` for a line that the strict decoder refuses. An optional field of the wrong type is
converted where that loses nothing (`"3"` to 3, `4.0` to 4, `"false"` to false, an integer id to text, one text to a
list of one) and left out otherwise; an element of a list that does not fit is left out. A required field, or one
marked `ESSENTIAL`, that does not fit makes the value malformed.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import inspect

from trinch.posts.notes import Notes
from trinch.posts.schema import Malformed

ESSENTIAL = msgspec.Meta(extra={"essential": True})
"""Marks a field whose loss would falsify the post: it is never converted and never left out."""


class _Unfit(Exception):
    """The value does not fit; `path` names it, outermost part first."""

    def __init__(self, path: str, reason: str, essential: bool = False) -> None:
        super().__init__(path, reason)
        self.path, self.reason, self.essential = path, reason, essential

    def within(self, name: str) -> "_Unfit":
        path = f"{name}{'' if not self.path or self.path[0] == '[' else '.'}{self.path}"
        return _Unfit(path, self.reason, self.essential)


def fit(value: object, type: Any, notes: Notes | None = None) -> Any:
    """`value` (decoded JSON) as `type`. Raises Malformed, naming the field."""
    forgiven: list[str] = []
    try:
        found = _fit(value, inspect.type_info(type), "", forgiven)
    except _Unfit as error:
        raise Malformed(f"{error.path or 'the line'}: {error.reason}") from None
    except RecursionError:
        raise Malformed("the line is nested too deeply") from None
    if notes:
        for kind in forgiven:
            notes.forgive(kind)
    return found


_EXTENDED = {"$numberLong", "$numberInt", "$numberDouble", "$date", "$oid"}
"""Keys in which MongoDB Extended JSON wraps a value."""


def _fit(value: Any, kind: inspect.Type, path: str, forgiven: list[str]) -> Any:
    while isinstance(value, dict) and len(value) == 1 and _EXTENDED & value.keys():
        value = next(iter(value.values()))
    reader = _READERS.get(type(kind))
    if reader is None:
        raise _Unfit("", f"cannot hold {_name(value)}")
    return reader(value, kind, path, forgiven)


def _struct(value: Any, kind: Any, path: str, forgiven: list[str]) -> Any:
    if not isinstance(value, dict):
        raise _Unfit("", f"Expected `object`, got `{_name(value)}`")
    found: dict[str, Any] = {}
    for field in kind.fields:
        if field.encode_name not in value:
            if field.required:
                raise _Unfit(field.encode_name, "missing")
            continue
        inner = f"{path}.{field.encode_name}" if path else field.encode_name
        try:
            found[field.name] = _fit(value[field.encode_name], field.type, inner, forgiven)
        except _Unfit as error:
            if field.required or error.essential:
                raise error.within(field.encode_name) from None
            forgiven.append(inner)
    return kind.cls(**found)


def _list(value: Any, kind: Any, path: str, forgiven: list[str]) -> list[Any]:
    if not isinstance(value, list):
        if not isinstance(value, str | int):
            raise _Unfit("", f"Expected `array`, got `{_name(value)}`")
        forgiven.append(path)
        value = [value]
    found = []
    for number, item in enumerate(value):
        try:
            found.append(_fit(item, kind.item_type, path, forgiven))
        except _Unfit as error:
            if error.essential:
                raise error.within(f"[{number}]") from None
            forgiven.append(path)
    return found


def _union(value: Any, kind: Any, path: str, forgiven: list[str]) -> Any:
    if value is None and kind.includes_none:
        return None
    choices = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
    exact = [one for one in choices if _is_of(value, one)]
    if not exact and len(choices) > 1:
        choices.sort(key=lambda one: isinstance(one, inspect.ListType))
    failed = _Unfit("", f"cannot hold {_name(value)}")
    for one in exact or choices:
        try:
            return _fit(value, one, path, forgiven)
        except _Unfit as error:
            failed = error
    raise failed


def _marked(value: Any, kind: Any, path: str, forgiven: list[str]) -> Any:
    """A type with metadata: of one marked `ESSENTIAL`, only the exact type fits."""
    if not (kind.extra or {}).get("essential"):
        return _fit(value, kind.type, path, forgiven)
    if isinstance(kind.type, inspect.ListType) and isinstance(value, list):
        found = []
        for number, item in enumerate(value):
            try:
                found.append(_fit(item, kind.type.item_type, path, forgiven))
            except _Unfit as error:
                raise _Unfit(error.within(f"[{number}]").path, error.reason, True) from None
        return found
    if not _is_of(value, kind.type):
        raise _Unfit("", f"Expected `{_WANTED.get(type(kind.type), 'object')}`, got `{_name(value)}`", True)
    try:
        return _fit(value, kind.type, path, forgiven)
    except _Unfit as error:
        raise _Unfit(error.path, error.reason, True) from None


def _text(value: Any, kind: Any, path: str, forgiven: list[str]) -> str:
    if isinstance(value, str):
        if kind.min_length and len(value) < kind.min_length:
            raise _Unfit("", "empty")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        forgiven.append(path)
        return str(value)
    raise _Unfit("", f"Expected `str`, got `{_name(value)}`")


def _int(value: Any, kind: Any, path: str, forgiven: list[str]) -> int:
    number: Any = value
    if (isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 20) or (
        isinstance(value, float) and value.is_integer()
    ):
        number = int(value)
    if not isinstance(number, int) or isinstance(number, bool):
        raise _Unfit("", f"Expected `int`, got `{_name(value)}`")
    if (kind.ge is not None and number < kind.ge) or (kind.le is not None and number > kind.le):
        raise _Unfit("", f"Expected `int` from {kind.ge} to {kind.le}")
    if number is not value:
        forgiven.append(path)
    return int(number)


def _float(value: Any, _kind: Any, path: str, forgiven: list[str]) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise _Unfit("", f"Expected `float`, got `{_name(value)}`")


def _bool(value: Any, _kind: Any, path: str, forgiven: list[str]) -> bool:
    if isinstance(value, bool):
        return value
    meant = {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())
    if meant is None:
        raise _Unfit("", f"Expected `bool`, got `{_name(value)}`")
    forgiven.append(path)
    return meant


def _none(value: Any, _kind: Any, _path: str, _forgiven: list[str]) -> None:
    if value is not None:
        raise _Unfit("", f"Expected `null`, got `{_name(value)}`")


def _raw(value: Any, _kind: Any, _path: str, _forgiven: list[str]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def _any(value: Any, _kind: Any, _path: str, _forgiven: list[str]) -> Any:
    return value


_READERS: dict[type, Callable[[Any, Any, str, list[str]], Any]] = {
    inspect.StructType: _struct,
    inspect.ListType: _list,
    inspect.UnionType: _union,
    inspect.Metadata: _marked,
    inspect.StrType: _text,
    inspect.IntType: _int,
    inspect.FloatType: _float,
    inspect.BoolType: _bool,
    inspect.NoneType: _none,
    inspect.RawType: _raw,
    inspect.AnyType: _any,
}

_WANTED: dict[type, str] = {inspect.StrType: "str", inspect.IntType: "int", inspect.ListType: "array"}


def _is_of(value: object, kind: inspect.Type) -> bool:
    """Whether the JSON value is of this type as it is, without looking inside."""
    match kind:
        case inspect.Metadata():
            return _is_of(value, kind.type)
        case inspect.StructType():
            return isinstance(value, dict)
        case inspect.ListType():
            return isinstance(value, list)
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, float)
    return isinstance(kind, inspect.AnyType | inspect.RawType)


_NAMES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
}


def _name(value: object) -> str:
    return _NAMES.get(type(value), "null")
