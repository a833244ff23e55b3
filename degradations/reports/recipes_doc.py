"""The tables of ``docs/recipes.md``, written from the declared recipes and operations.

To write them anew: ``python -m refbench.degradations.reports.recipes_doc docs/recipes.md``
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ...files import write_text
from ..operations.distributions import Choice, Distribution, Fixed, Uniform
from ..operations.operation import Operation, Parameter
from ..operations.registry import OPERATIONS
from ..recipes.bundled import RECIPES
from ..recipes.steps import Node, OneOf, Step

BEGIN = "<!-- written by python -m refbench.degradations.reports.recipes_doc; do not edit -->\n\n"
END = "<!-- end of what is written -->\n"


def renewed(text: str) -> str:
    """The page with the part between its two marks written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + tables() + END + after


def tables() -> str:
    """All recipes and all operations, as Markdown."""
    lines = ["| recipe | what it is | source |", "| --- | --- | --- |"]
    lines += [f"| `{r.id}` | {r.title} | {r.source} |" for r in RECIPES.values()]
    parts = ["## The bundled recipes\n\n", *_joined(lines)]
    for recipe in RECIPES.values():
        parts += [f"### {recipe.name}\n\n", *_joined(_numbered(recipe.steps))]
    return "".join([*parts, "## Operations\n\n", *_joined(_operations())])


def _joined(lines: Iterator[str] | list[str]) -> list[str]:
    return ["\n".join(lines), "\n\n"]


def _numbered(steps: tuple[Node, ...]) -> Iterator[str]:
    for number, node in enumerate(steps, start=1):
        if isinstance(node, Step):
            yield f"{number}. {_told(node)}"
        else:
            yield f"{number}. one of"
            yield from _branches(node, "   ")


def _branches(node: OneOf, indent: str) -> Iterator[str]:
    total = sum(branch.weight for branch in node.branches)
    for branch in node.branches:
        share = f"{100 * branch.weight / total:.4g} %"
        simple = [_told(step) for step in branch.steps if isinstance(step, Step)]
        yield f"{indent}- {share}: {', then '.join(simple) or ('one of' if branch.steps else 'nothing')}"
        for step in branch.steps:
            if isinstance(step, OneOf):
                yield from _branches(step, indent + "  ")


def _told(step: Step) -> str:
    values = ", ".join(f"{name} {_range(value)}" for name, value in step.parameters.items())
    chance = f" (in {100 * step.probability:g} %)" if step.probability != 1 else ""
    return f"**{step.operation}**{chance}{': ' if values else ''}{values}"


def _range(distribution: Distribution) -> str:
    if isinstance(distribution, Uniform):
        return f"{distribution.low:.4g}..{distribution.high:.4g}"
    if isinstance(distribution, Fixed):
        return str(distribution.value)
    return _options(distribution)


def _options(choice: Choice) -> str:
    if len(choice.options) > 8:
        return f"any of {len(choice.options)}"
    if not choice.weights:
        return " or ".join(map(str, choice.options))
    weighted = zip(choice.options, choice.weights, strict=True)
    return " or ".join(f"{option} ({100 * w / sum(choice.weights):.3g} %)" for option, w in weighted)


def _operations() -> Iterator[str]:
    yield from (
        "| operation | parameter | what it is | may be | default |",
        "| --- | --- | --- | --- | --- |",
    )
    for operation in OPERATIONS.values():
        yield f"| **{operation.name}** | | {operation.meaning} | | |"
        yield from _parameters(operation)


def _parameters(operation: Operation) -> Iterator[str]:
    for name, parameter in operation.parameters.items():
        default = "required" if parameter.default is None else f"{parameter.default}"
        yield f"| | `{name}` | {parameter.meaning} | {_allowed(parameter)} | {default} |"


def _allowed(parameter: Parameter) -> str:
    if parameter.check is not None:
        return "checked when read"
    if len(parameter.options) > 8:
        return f"{parameter.options[0]}, {parameter.options[1]}, ... {parameter.options[-1]}"
    if parameter.options:
        return ", ".join(map(str, parameter.options))
    return f"{parameter.low:.4g}..{parameter.high:.4g}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    write_text(path, renewed(path.read_text("utf-8")))
