"""Writing libconfig files."""

from collections.abc import Mapping


def to_text(settings: Mapping[str, object]) -> str:
    """The settings as a libconfig file, one top-level setting a line."""
    return "".join(f"{name} = {_value(value)};\n" for name, value in settings.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if -(2**31) <= value < 2**31 else f"{value}L"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, Mapping):
        return "{ " + " ".join(f"{name} = {_value(item)};" for name, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        # A list of groups is a libconfig list, one of scalars an array.
        opening, closing = ("(", ")") if any(isinstance(item, Mapping) for item in value) else ("[",
                                                                                                "]")
        return f"{opening} {', '.join(map(_value, value))} {closing}"
    raise TypeError(f"libconfig has no {type(value).__name__}")
