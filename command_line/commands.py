"""Declaration of commands: help panel, example, and the spellings of earlier versions that are still read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from ..progress import say

SET = "Set"
DEGRADE = "Degrade"
MODEL = "Model"
SCORE = "Score"
BOARD = "Board"
ORGANISE = "Take part, organise"
HOUSEKEEPING = "Housekeeping"
PANELS = (SET, DEGRADE, MODEL, SCORE, BOARD, ORGANISE, HOUSEKEEPING)

Function = TypeVar("Function", bound=Callable[..., Any])
LAST = 1_000


@dataclass(frozen=True)
class OldFlag:
    """A flag of an earlier version: its values are arguments now, or the flag has another name.

    Attributes:
        flag: the old spelling, as ``--set``.
        new: the new spelling: a flag, or the metavar of an argument.
        place: which argument its values are, counted from 0; None where ``new`` is a flag.
    """

    flag: str
    new: str
    place: int | None = None


class Command(TyperCommand):
    """A command that reads ``old_flags`` too and says the new spelling of each on stderr."""

    old_flags: ClassVar[Sequence[OldFlag]] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse ``args`` after old spellings were replaced."""
        if any(word.partition("=")[0] == old.flag for word in args for old in self.old_flags):
            args = self._renewed(ctx, args)
        return super().parse_args(ctx, args)

    def _renewed(self, ctx: Any, args: Sequence[str]) -> list[str]:
        """``args`` in today's spelling: the flags with their values, then the arguments in order."""
        valued = {
            name
            for param in self.get_params(ctx)
            if not getattr(param, "is_flag", False)
            for name in param.opts
        }
        old = {flag.flag: flag for flag in self.old_flags}
        options: list[str] = []
        arguments: list[str] = []
        moved: dict[str, list[str]] = {}
        words = iter(args)
        for word in words:
            name, has_value, value = word.partition("=")
            if name in old:
                values = [value] if has_value else [next(words, "")]
                moved.setdefault(name, []).extend(values)
                if old[name].place is None:
                    options += [old[name].new, *values]
            elif word == "--":
                arguments += words
            elif word.startswith("-") and word != "-":
                options += [word, next(words, "")] if word in valued else [word]
            else:
                arguments.append(word)
        for name in moved:
            place = old[name].place
            kind = "the option" if place is None else "the argument"
            say(f"refbench: {name} is {kind} {old[name].new} now; the old spelling goes with 0.3")
        for flag in sorted((f for f in self.old_flags if f.place is not None), key=lambda f: f.place or 0):
            place = flag.place or 0
            arguments[place:place] = moved.get(flag.flag, [])
        return [*options, "--", *arguments] if arguments else options


def command(
    app: typer.Typer, name: str, *, example: str, panel: str | None = None, old: Sequence[OldFlag] = ()
) -> Callable[[Function], Function]:
    """Declare a command of ``app``.

    Args:
        name: of the command.
        example: one whole line to type, shown under the help.
        panel: heading in the help of `refbench` under which the command stands; None inside a group.
        old: flags of earlier versions.
    """

    class Declared(Command):
        old_flags = old

    return app.command(name, cls=Declared, epilog=epilog(example), rich_help_panel=panel)


def epilog(example: str) -> str:
    """The last line of a help text."""
    return f"Example: {example}"


class Group(TyperGroup):
    """A group of commands that also reads how earlier versions spelled them.

    Attributes:
        moved: sub-commands that stand elsewhere now, with the words after `refbench` that call them.
        named: a bare name after the group is an argument of this sub-command; without a name, of ``list``.
    """

    moved: ClassVar[Mapping[str, str]] = {}
    named: ClassVar[str] = ""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, panel by panel."""
        order = {panel: place for place, panel in enumerate(PANELS)}
        return sorted(self.commands, key=lambda name: order.get(self._panel(name), len(order)))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse ``args``; no argument at all lists, where a group was a list in earlier versions."""
        if not args and self.named:
            say(f"refbench: {ctx.command_path} is spelled {ctx.command_path} list now")
            args = ["list"]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The sub-command that ``args`` call: its name, itself, and the arguments left."""
        word = args[0]
        if word in self.moved:
            say(f"refbench: {ctx.command_path} {word} is spelled refbench {self.moved[word]} now")
            found = ctx.find_root().command
            for part in self.moved[word].split():
                found = found.get_command(ctx, part)
            return word, found, args[1:]
        if self.named and word not in self.commands and not word.startswith("-"):
            say(f"refbench: {ctx.command_path} {word} is spelled {ctx.command_path} {self.named} {word} now")
            return self.named, self.commands[self.named], args
        return super().resolve_command(ctx, args)

    def _panel(self, name: str) -> str:
        return str(getattr(self.commands[name], "rich_help_panel", ""))


def group(
    name: str,
    summary: str,
    *,
    panel: str,
    example: str,
    moved: Mapping[str, str] | None = None,
    named: str = "",
) -> typer.Typer:
    """Declare a group of commands, such as `refbench weights`.

    Args:
        name: of the group.
        summary: one sentence, its help.
        panel: heading in the help of `refbench`.
        example: one whole line to type.
        moved: see `Group`.
        named: see `Group`.
    """
    elsewhere, fallback = moved or {}, named

    class Declared(Group):
        moved = elsewhere
        named = fallback

    made = typer.Typer(
        name=name, cls=Declared, help=summary, epilog=epilog(example), no_args_is_help=not named
    )
    made.info.rich_help_panel = panel  # Typer() keeps the panel, and add_typer reads it from here alone
    return made
