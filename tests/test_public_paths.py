"""Every public path may be a string, and every sequence of names or paths one name or path alone."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import refbench as rb
from refbench.files import names_of, paths_by_key, paths_of

ROOMS = "builders degradations faces leaderboard metrics models records samples weights"
SIMPLE = re.compile(r"(?:StrPath|str|int|float|Path|\||\[|\]|Sequence| |None)+")
ABOUT_STRINGS = re.compile(r"'str' object has no|'str' and 'str'|/: 'str'")
FACADES = ("refbench", *(f"refbench.{room}" for room in ROOMS.split()))
NAMES = r"(?:Sequence|Iterable|Collection|list|tuple)\[(?:str|StrPath|Path)(?:, \.\.\.)?\]"
ABOUT_OTHERS = {
    "prepare": "called by the package with the folder of an options file",
    "covers": "called by the package with a file of its weights",
    "save": "a source of weights, called by the package",
    "FaultListError": "made by the package",
    "krippendorff_alpha": "ratings are data, no names",
    "make_board": "flags by the folders of stored records",
}


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function, and every public method of a public class, of the package itself."""
    for facade in FACADES:
        module = importlib.import_module(facade)
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isfunction(found):
                yield f"{facade}.{name}", found
            elif inspect.isclass(found) and found.__module__.startswith("refbench"):
                own = {key: getattr(value, "__func__", value) for key, value in vars(found).items()}
                is_record = "__dataclass_fields__" in own or "model_fields" in dir(found)
                for key, value in own.items():
                    is_public = not key.startswith("_") or (key == "__init__" and not is_record)
                    if inspect.isfunction(value) and is_public:
                        yield f"{facade}.{name}.{key}", value


PUBLIC = [
    (name, function)
    for name, function in dict(functions()).items()
    if not set(name.split(".")) & set(ABOUT_OTHERS)
]


def test_the_walk_sees_the_whole_interface() -> None:
    assert len(PUBLIC) > 150
    wanted = {
        "refbench.build",
        "refbench.records.ReferenceSet.read",
        "refbench.faces.EmbeddingCache.__init__",
    }
    assert wanted <= {name for name, _ in PUBLIC}


def test_every_path_takes_a_string_and_every_sequence_of_names_one_name() -> None:
    wrong = []
    for name, function in PUBLIC:
        for parameter in inspect.signature(function).parameters.values():
            said = str(parameter.annotation)
            bare = re.sub(r"\b(?:StrPath|str \| Path|Path \| str)\b", "", said)
            if re.search(r"\bPath\b", bare) and "Callable" not in said:
                wrong.append(f"{name}({parameter.name}: {said}): a path that takes no string")
            if re.search(NAMES, said) and not re.search(r"\| (?:str|StrPath)\b", said):
                wrong.append(f"{name}({parameter.name}: {said}): a sequence that takes no single name")
    assert not wrong, "\n".join(wrong)


def simple_calls() -> Iterator[tuple[str, Callable[..., Any], list[str]]]:
    """Functions all of whose needed arguments are paths, names or numbers, so that anybody can call them."""
    for name, function in PUBLIC:
        needed = [
            parameter
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        ]
        if needed and needed[0].name in ("self", "cls"):
            if isinstance(inspect.getattr_static(owner(name), name.split(".")[-1]), classmethod):
                function = getattr(owner(name), name.split(".")[-1])
                needed = needed[1:]
            else:
                continue
        kinds = [str(parameter.annotation) for parameter in needed]
        if all(SIMPLE.fullmatch(kind) for kind in kinds) and any("Path" in kind for kind in kinds):
            yield name, function, [parameter.name for parameter in needed]


def owner(name: str) -> Any:
    module, _, rest = name.rpartition(".")[0].rpartition(".")
    return getattr(importlib.import_module(module), rest) if rest[0].isupper() else None


CALLS = [call for call in simple_calls() if "fetch" not in call[0] and "push" not in call[0]]


@pytest.mark.parametrize(("name", "function", "needed"), CALLS, ids=[name for name, _, _ in CALLS])
def test_strings_reach_the_real_work(
    name: str,
    function: Callable[..., Any],
    needed: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A string for a path that is not there gives the error that a path gives, never one about strings."""
    monkeypatch.chdir(tmp_path)
    outcomes, messages = [], []
    said = {name: str(inspect.signature(function).parameters[name].annotation) for name in needed}
    for kind in (Path, str):
        place = tmp_path / kind.__name__
        plain = {name: 1 if text in ("int", "float") else "nosuch" for name, text in said.items()}
        values = plain | {name: kind(place / name) for name, text in said.items() if "Path" in text}
        try:
            function(**values)
        except Exception as error:
            outcomes.append(type(error).__name__)
            messages.append(str(error))
        else:
            outcomes.append("done")
    assert outcomes[0] == outcomes[1], messages
    assert not [message for message in messages if ABOUT_STRINGS.search(message)]


def test_records_take_strings() -> None:
    job = rb.records.Job("a", "lq.png", ["r.png"])  # type: ignore[arg-type]
    assert (job.lq, job.references) == (Path("lq.png"), (Path("r.png"),))
    assert rb.leaderboard.Store("store").root == Path("store")  # type: ignore[arg-type]


def test_one_stands_for_a_sequence_of_one() -> None:
    assert paths_of("a") == paths_of(Path("a")) == paths_of(["a"]) == [Path("a")]
    assert names_of("abc") == names_of(("abc",)) == ["abc"]
    assert paths_by_key({"k": "a"}) == {"k": Path("a")}
