"""User restorers: a Python class, an ONNX file, a shell-free command, or a folder of finished images."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InvalidInputError, RefbenchError
from ...extras import optional
from ...files import sha256_bytes, sha256_file, sha256_json
from ...images import RGB, find_photos, read_rgb
from ...names import normal
from ...output_names import KEY_PNG, OutputNames, guess_names, guess_note
from ...progress import say
from ...records.card import RestorerCard
from ...records.run_manifest import Job
from ...subprocesses import run_program
from ...user_code import explain_error, import_object, working_folder_importable
from .restorer import AnyRestorer, FileRestorer, Restorer
from .threads import map_images

if TYPE_CHECKING:
    import onnxruntime

COMMAND_WORDS = ("lq", "refs", "out", "key", "seed")
UNKNOWN = "unknown"
SCRIPTS = (".py", ".sh", ".jl", ".lua", ".js", ".rb", ".pl", ".exe", ".bat")
INTERPRETER = re.compile(r"python[\d.]*|bash|sh|env|nice|uv|time")
SAY_NOTHING = frozenset({"run", "main", "inference", "infer", "test", "predict", "demo", "restore"})
"""Names of programs that say nothing of the model."""
ONNX_TYPES: dict[str, Any] = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}


def load_entry_point(spec: str, preset: str | None, device: str) -> AnyRestorer:
    """Build the restorer named by ``package.module:Class``; modules of the working folder are found too.

    ``preset`` and ``device`` are passed where the constructor has parameters of these names. The working
    folder is on ``sys.path`` during the import and the constructor only; `restore` must not import from it.

    Raises:
        RefbenchError: no such module or class, a constructor that fails, or not a restorer.
    """
    factory = import_object(spec, "a restorer is named package.module:Class")
    accepted = inspect.signature(factory).parameters
    if preset is not None and "preset" not in accepted:
        raise RefbenchError(f"{spec} has no presets; leave --preset out")
    offered = {"preset": preset, "device": device}
    try:
        with working_folder_importable():
            built: AnyRestorer = factory(
                **{name: value for name, value in offered.items() if name in accepted}
            )
            is_restorer = isinstance(built, Restorer | FileRestorer)  # reads the property `card`
    except Exception as error:
        raise RefbenchError(f"{spec} could not be built: {explain_error(error)}") from error
    if not is_restorer:
        raise RefbenchError(
            f"{spec} is not a restorer: it needs `card` and `restore`; see docs/add_a_restorer.md"
        )
    return built


@dataclass(frozen=True)
class CommandRestorer:
    """Runs a command once per face; ``{lq}``, ``{refs}``, ``{out}``, ``{key}`` and ``{seed}`` are filled in.

    A word that is ``{refs}`` alone becomes one word per reference (none without references); within a
    longer word the paths are joined by commas. The command writes an image of the LQ's size to ``{out}``,
    a PNG path. It runs without a shell.
    """

    command: str
    time_limit: float = 3600.0

    def __post_init__(self) -> None:
        if "{lq}" not in self.command or "{out}" not in self.command:
            raise RefbenchError(f"the command must hold {{lq}} and {{out}}; got: {self.command}")
        try:
            shlex.split(self.command)
        except ValueError as error:
            raise RefbenchError(f"the command cannot be parsed: {error}; got: {self.command}") from None

    @property
    def card(self) -> RestorerCard:
        """Description of the restorer for the submission card."""
        references = None if "{refs}" in self.command else 0
        name = self._program()
        version = sha256_bytes(self.command.encode("utf-8", "surrogateescape"))[:8]
        return RestorerCard(
            model=name, version=version, references_used=references, notes=f"command: {self.command}"
        )

    def _program(self) -> str:
        """Name of the program or script, with its folder's where it says nothing of the model."""
        leading = shlex.split(self.command.partition("{")[0])
        words = [Path(word) for word in leading if not word.startswith("-")]
        scripts = [word for word in words if word.suffix.lower() in SCRIPTS]
        programs = [word for word in words if not INTERPRETER.fullmatch(word.stem)]
        program = next(iter([*scripts, *programs]), Path("command"))
        folder = program.parent.name
        is_plain = program.stem.lower() not in SAY_NOTHING or folder in ("", ".", "..")
        return program.stem if is_plain else f"{folder}-{program.stem}"

    def restore_file(self, job: Job, seed: int) -> RGB:
        """Restore one face; see `FileRestorer.restore_file`.

        Raises:
            InvalidInputError: the command fails, takes longer than ``time_limit`` seconds or writes no image.
        """
        with tempfile.TemporaryDirectory(prefix="refbench-") as folder:
            out = Path(folder) / "restored.png"
            words = self._words(job, out, seed)
            try:
                ended = run_program(words, time_limit=self.time_limit)
            except OSError as error:
                raise RefbenchError(f"{words[0]} cannot be run: {error.strerror}") from None
            except subprocess.TimeoutExpired:
                raise InvalidInputError(f"the command took longer than {self.time_limit:g} s") from None
            if ended.code != 0:
                raise InvalidInputError(f"the command ended with code {ended.code}: {ended.last_line()}")
            if not out.exists():
                raise InvalidInputError("the command ended with code 0 but wrote no image to {out}")
            return read_rgb(out)

    def _words(self, job: Job, out: Path, seed: int) -> list[str]:
        references = [str(path) for path in job.references]
        values = {"lq": str(job.lq), "refs": ",".join(references), "out": str(out), "key": job.key}
        values["seed"] = str(seed)
        words: list[str] = []
        for word in shlex.split(self.command):
            if word == "{refs}":
                words.extend(references)
                continue
            for name in COMMAND_WORDS:
                word = word.replace(f"{{{name}}}", values[name])
            words.append(word)
        return words


@dataclass(frozen=True)
class FolderRestorer:
    """Reads finished images named by key from a folder: the results of a model that ran elsewhere."""

    folder: Path
    names: OutputNames = KEY_PNG

    def named(self, names: str, keys: Collection[str]) -> FolderRestorer:
        """The same folder read by names such as ``{key}_00.png``, given or guessed; a guess is told.

        Args:
            names: as given; empty for ``KEY.png`` or a guess.
            keys: of the set.

        Raises:
            InvalidInputError: ``names`` has not exactly one ``{key}``.
        """
        if names:
            return replace(self, names=OutputNames.parse(names))
        guessed = guess_names(self._by_name, {normal(key) for key in keys})
        if guessed is None:
            return self
        say(f"{self.folder}: {guess_note(guessed, len(self._by_name))}")
        return replace(self, names=guessed)

    @cached_property
    def card(self) -> RestorerCard:
        """Description of the restorer for the submission card."""
        images = [[path.name, sha256_file(path)] for path in find_photos(self.folder)]
        notes = f"{len(images)} images made elsewhere, sha256 {sha256_json(images)[:16]}"
        return RestorerCard(model=self.folder.resolve().name, notes=notes)

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Images directly in the folder by their composed names without suffix."""
        found: dict[str, list[Path]] = {}
        for path in find_photos(self.folder):
            if path.parent == self.folder:
                found.setdefault(normal(path.stem), []).append(path)
        return found

    def restore_file(self, job: Job, seed: int) -> RGB:
        """Read the image of ``job``; see `FileRestorer.restore_file`.

        Raises:
            InvalidInputError: no image, or more than one, is named by the key.
        """
        wanted = f"{self.names.prefix}{normal(job.key)}{self.names.suffix}"
        found = self._by_name.get(wanted, [])
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "none"
            raise InvalidInputError(f"{self.folder} should hold one image named {wanted}; it holds {names}")
        return read_rgb(found[0])


class OnnxRestorer:
    """Runs an ONNX file: input LQ (B, 3, H, W) and, if it has a second input, references (B, N, 3, H, W).

    Values are RGB in [0, 1], or in [-1, 1] with the preset ``symmetric``, in the type that the file declares:
    float16, float32 or float64. Images are restored one by
    one, so that a file exported for a batch of one works, each by one thread.

    Raises:
        RefbenchError: not a usable ONNX file, other inputs than these, or an unknown preset.
    """

    PRESETS = ("unit", "symmetric")

    def __init__(self, path: Path, preset: str | None = None, device: str = "cpu") -> None:
        with optional("onnxruntime", "an ONNX restorer"):
            import onnxruntime

        self.path = path
        self.preset = preset or "unit"
        if self.preset not in self.PRESETS:
            raise RefbenchError(
                f"preset {preset!r} is unknown for an ONNX file; known: {', '.join(self.PRESETS)}"
            )
        provider = "CUDAExecutionProvider" if device.startswith("cuda") else "CPUExecutionProvider"
        try:
            single = onnxruntime.SessionOptions()
            single.intra_op_num_threads = 1
            self.session = onnxruntime.InferenceSession(str(path), single, providers=[provider])
        except Exception as error:
            raise RefbenchError(f"{path} is not a usable ONNX file: {str(error).splitlines()[0]}") from None
        if provider not in self.session.get_providers():
            raise RefbenchError(f"{provider} is not available; restore with --device cpu or fix onnxruntime")
        inputs = self.session.get_inputs()
        shapes = [tuple(given.shape) for given in inputs]
        if [len(shape) for shape in shapes] not in ([4], [4, 5]):
            wanted = "LQ (B, 3, H, W) and, optionally, references (B, N, 3, H, W)"
            raise RefbenchError(f"{path}: its inputs are {shapes}; wanted: {wanted}")
        types = [f"{given.name} {given.type}" for given in inputs if given.type not in ONNX_TYPES]
        if types:
            wanted = "float16, float32 or float64 in [0, 1], or in [-1, 1] with --preset symmetric"
            raise RefbenchError(f"{path}: its inputs are of the type {', '.join(types)}; wanted: {wanted}")
        self.inputs: list[onnxruntime.NodeArg] = inputs

    @property
    def card(self) -> RestorerCard:
        """Description of the restorer for the submission card."""
        references: int | None = 0
        if len(self.inputs) == 2:
            count = self.inputs[1].shape[1]
            references = count if isinstance(count, int) else None
        digest = sha256_file(self.path)
        notes = f"ONNX, values {self.preset}, sha256 {digest[:16]}"
        version = f"sha256 {digest[:12]}" + ("" if self.preset == self.PRESETS[0] else f"+{self.preset}")
        return RestorerCard(model=self.path.stem, version=version, references_used=references, notes=notes)

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `Restorer.restore`.

        Raises:
            InvalidInputError: the file is made for another size or number of references.
        """
        return torch.cat(map_images(self._one, zip(lq, references, strict=True)))

    def _one(self, face: tuple[Tensor, Tensor]) -> Tensor:
        lq, references = face
        given = [lq[None], references[None]][: len(self.inputs)]
        for wanted, values in zip(self.inputs, given, strict=True):
            if any(isinstance(w, int) and w != g for w, g in zip(wanted.shape, values.shape, strict=True)):
                raise InvalidInputError(
                    f"the file's input {wanted.name!r} is {wanted.shape}; got {list(values.shape)}"
                )
        feed: dict[str, Any] = {}
        for wanted, values in zip(self.inputs, given, strict=True):
            array = values.cpu().numpy().astype(np.float32)
            array = array * 2 - 1 if self.preset == "symmetric" else array
            feed[wanted.name] = array.astype(ONNX_TYPES[wanted.type])
        restored = torch.from_numpy(np.asarray(self.session.run(None, feed)[0]))
        if restored.is_floating_point():
            restored = restored.to(torch.float32)
        return (restored + 1) / 2 if self.preset == "symmetric" else restored
