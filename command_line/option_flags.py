"""Flags of a command made from the fields of its options object, and the help that lists every option.

A command function takes its paths, an ``options`` object and ``as_json``. The command line offers, in place
of ``options``, one flag for each field, ``--options FILE`` (YAML) and ``--options-help``. A flag wins over
the file, the file over the default. Options classes need pydantic and are loaded when the command is used.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, Union, get_args, get_origin
from typing import get_type_hints as type_hints

import typer
from typer.main import get_command

from .commands import Command, Function, OldFlag, epilog

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Flags = Mapping[str, Sequence[str]]
OPTIONS = "options"
UNIONS = (Union, UnionType)


class OptionsClass(Protocol):
    """What `records.options.Options` offers and is used here, beside the fields of pydantic."""

    WHAT: ClassVar[str]

    @classmethod
    def read(cls, path: Path | None, given: Mapping[str, Any]) -> Any:
        """The options of a YAML file with those ``given`` in their place."""


def fields_of(cls: Any) -> Mapping[str, FieldInfo]:
    """The fields of a pydantic class by name; none for any other type."""
    found: Mapping[str, FieldInfo] = getattr(cls, "model_fields", {})
    return found


def options_command(
    app: typer.Typer,
    name: str,
    *,
    options: Callable[[], type[OptionsClass]],
    example: str,
    panel: str | None = None,
    flags: Flags | None = None,
    old: Sequence[OldFlag] = (),
) -> Callable[[Function], Function]:
    """Declare a command whose parameter ``options`` is put together from flags and a YAML file.

    Args:
        options: gives the options class; called when the command is used.
        flags: spellings of a field's flag where they are not ``--`` and its name, such as
            ``{"protocols": ("--protocol", "-p")}``; an empty tuple for a field that the arguments set.
        name, example, panel, old: as of `commands.command`.
    """

    def declare(function: Function) -> Function:
        def unread() -> None:
            """Stands in until the command is used."""

        class Declared(Command):
            old_flags = old
            is_read = False

            def get_params(self, ctx: Any) -> Any:
                """The parameters, made from the options class at the first call."""
                if not self.is_read:
                    whole = get_command(_one_command(function, options(), flags or {}))
                    self.params = [*whole.params, *self.params]
                    self.callback = whole.callback
                    self.is_read = True
                return super().get_params(ctx)

        unread.__doc__ = function.__doc__
        app.command(name, cls=Declared, epilog=epilog(example), rich_help_panel=panel)(unread)
        return function

    return declare


def _one_command(function: Callable[..., Any], cls: type[OptionsClass], flags: Flags) -> typer.Typer:
    """An application of one command: ``function`` with flags in place of its options object."""
    fields = {name: field for name, field in fields_of(cls).items() if flag_type(field.annotation)}
    spelled = {name: flags.get(name, (_flag(name),)) for name in fields}
    offered = {name: fields[name] for name, words in spelled.items() if words}

    def run(**words: Any) -> Any:
        words.pop("options_help")
        file = words.pop("options_file")
        given = {name: words.pop(name) for name in offered}
        chosen = {
            name: _plain(fields[name].annotation, value)
            for name, value in given.items()
            if value is not None and value != []
        }
        return function(**words, options=cls.read(file, chosen))

    own = inspect.signature(function).parameters
    hints = type_hints(function, localns={cls.__name__: cls}, include_extras=True)
    parameters = [
        p.replace(annotation=hints[name], kind=p.KEYWORD_ONLY) for name, p in own.items() if name != OPTIONS
    ]
    parameters += [_parameter(name, field, spelled[name]) for name, field in offered.items()]
    parameters += [_file_parameter(), _help_parameter(cls, spelled)]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__doc__ = function.__doc__
    app = typer.Typer(add_completion=False)
    app.command()(run)
    return app


def _parameter(name: str, field: FieldInfo, words: Sequence[str]) -> inspect.Parameter:
    kind = flag_type(field.annotation)
    if kind is bool and len(words) == 1 and "/" not in words[0]:
        words = (f"{words[0]}/--no-{words[0].removeprefix('--')}",)
    option = typer.Option(*words, help=_help(field), show_default=False)
    annotation = Annotated[kind | None, option]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _help(field: FieldInfo) -> str:
    """A field's description, and its values where it takes one of a few and does not name them all."""
    text = field.description or ""
    values = [value for value in literals(field.annotation) if value not in text]
    return f"{text} One of {', '.join(literals(field.annotation))}." if values else text


def _file_parameter() -> inspect.Parameter:
    option = typer.Option(
        "--options", metavar="FILE", help="YAML file of these options; a flag wins over it."
    )
    annotation = Annotated[Path | None, option]
    return inspect.Parameter(
        "options_file", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _help_parameter(cls: type[OptionsClass], flags: Flags) -> inspect.Parameter:
    def show(wanted: bool) -> None:
        if wanted:
            typer.echo(options_help(cls, flags))
            raise typer.Exit

    option = typer.Option(
        "--options-help",
        callback=show,
        is_eager=True,
        help="List every option: flag, default, range, meaning.",
    )
    annotation = Annotated[bool, option]
    return inspect.Parameter(
        "options_help", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation
    )


def options_help(cls: type[OptionsClass], flags: Flags) -> str:
    """Every option of a class, those of nested objects too: name, flag, default, range and meaning."""
    lines = [
        f"{cls.WHAT}: as flags, as NAME: VALUE lines of a YAML file (--options FILE), as Python keywords."
    ]
    for name, field in _every_field(fields_of(cls)):
        words = ", ".join(flags.get(name, ())) or "YAML and Python"
        facts = [words, f"default {default_text(field)}", *ranges(field)]
        meaning = textwrap.fill(field.description or "", 100, initial_indent="    ", subsequent_indent="    ")
        lines += ["", f"{name}  ({'; '.join(facts)})", meaning]
    return "\n".join(lines)


def _every_field(fields: Mapping[str, FieldInfo], outer: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in fields.items():
        inner = fields_of(field.annotation)
        if inner:
            yield from _every_field(inner, f"{outer}{name}.")
        else:
            yield f"{outer}{name}", field


def default_text(field: FieldInfo) -> str:
    """A field's default as one would write it in YAML."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if value is None or value == "":
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def ranges(field: FieldInfo) -> list[str]:
    """Least and greatest values of a number, as ``at least 64``, or the names that a field takes."""
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    numbers = [kind for kind in _kinds(field.annotation) if kind is not type(None)]
    rules = [*field.metadata, *_rules(field.annotation)] if len(numbers) == 1 else []
    bounds = [
        f"{text} {getattr(rule, name)}"
        for rule in rules
        for name, text in words.items()
        if hasattr(rule, name)
    ]
    values = literals(field.annotation)
    return bounds + ([f"one of {', '.join(values)}"] if values else [])


def flag_type(annotation: Any) -> Any:
    """The type that a flag of a field takes from the command line; None for a nested object.

    A list of names or paths is a flag that may be repeated. Where a number or a word will do, it is text
    here, and `_plain` makes a number of it.
    """
    kinds = [kind for kind in _kinds(annotation) if kind is not type(None)]
    if any(map(fields_of, kinds)):
        return None
    listed = [kind for kind in kinds if get_origin(kind) in (tuple, list, Sequence)]
    if listed:
        item = flag_type(get_args(listed[0])[0])
        return list[item] if item else None  # type: ignore[valid-type]
    return kinds[0] if len(set(kinds)) == 1 else str


def literals(annotation: Any) -> list[str]:
    """The values that a field with a closed list of names takes; nothing for any other field."""
    inner = _unwrapped(annotation)
    texts = [str(value) for part in inner if get_origin(part) is Literal for value in get_args(part)]
    return texts if all(get_origin(part) is Literal or part is type(None) for part in inner) else []


def _kinds(annotation: Any) -> list[Any]:
    """The plain types of an annotation: unions taken apart, names of a closed list as text."""
    return [str if get_origin(part) is Literal else part for part in _unwrapped(annotation)]


def _unwrapped(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _unwrapped(get_args(annotation)[0])
    if origin in UNIONS:
        return [part for choice in get_args(annotation) for part in _unwrapped(choice)]
    return [annotation]


def _rules(annotation: Any) -> list[Any]:
    """What the ``Annotated`` parts of a union of types say of their values."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return [rule for part in get_args(annotation)[1:] for rule in getattr(part, "metadata", [part])]
    return [rule for part in get_args(annotation) for rule in _rules(part)] if origin in UNIONS else []


def _plain(annotation: Any, value: Any) -> Any:
    """Text of a flag as a number where the field takes numbers beside words."""
    if not isinstance(value, str) or not {int, float} & set(_kinds(annotation)):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
