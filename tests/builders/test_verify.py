"""Verification of a set, and its rebuild from photos."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from refbench.builders.build import build_set
from refbench.builders.rebuild import rebuild_set
from refbench.builders.settings.options import BuildOptions
from refbench.builders.verify import manifest_faults, verify_set
from refbench.errors import RefbenchError
from refbench.images import write_png
from refbench.records.reference_set import ReferenceSet
from refbench.version import __version__
from toys import bare_target, files_of, patches


def test_verify_finds_every_kind_of_damage(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    shutil.copytree(built, out)
    (out / "images" / "person0--0.png").write_bytes(b"other")
    (out / "images" / "person0--1.png").unlink()
    (out / "images" / "stray.png").write_bytes(b"")
    (out / "report.txt").write_text("all is well")
    text = verify_set(out).text()
    for words in (
        "person0--0.png: has the hash",
        "person0--1.png: is missing",
        "stray.png: is not in",
        "report.txt",
    ):
        assert words in text
    info = json.loads((out / "set.json").read_text())
    (out / "set.json").write_text(json.dumps(info | {"content_hash": "0" * 64}))
    assert "content hash" in verify_set(out).text()
    (out / "set.json").write_text(json.dumps(info | {"schema_version": 9}))
    with pytest.raises(RefbenchError, match="schema_version"):
        verify_set(out)


def test_a_set_is_rebuilt_from_its_manifest_and_photos(built: Path, folder: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for name in ("set.json", "manifest.parquet"):
        shutil.copyfile(built / name, given / name)
    made = rebuild_set(given, folder)
    assert made.differences == ()
    assert files_of(tmp_path / "given-rebuilt") == files_of(built)
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)
    (photos / "once" / "0.png").unlink()
    write_png(photos / "person0" / "0.png", patches(0, 7))
    text = rebuild_set(given, photos, tmp_path / "other").text()
    assert "once--0: is not in the rebuilt set" in text
    assert "person0--0: " in text


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"key": "A"}, "whatever the case"),
        ({"key": "b", "split": "train"}, "several splits"),
        ({"key": "b", "identity": "p1", "split": "dev"}, "'dev' is none of"),
        ({"key": "b", "hq": "../b.png"}, "outside the set"),
        ({"key": "b", "references": ("c",), "reference_distances": (0.1,)}, "c is not in the set"),
        ({"key": "b", "references": ("b",), "reference_distances": (0.1,)}, "its own reference"),
        ({"key": "b", "references": ("a",), "reference_distances": ()}, "1 references but 0 distances"),
        ({"key": "b", "references": ("a",), "reference_distances": (3.0,)}, "between 0 and 2"),
        ({"key": "b", "references": ("a", "a"), "reference_distances": (0.1, 0.1)}, "names an image twice"),
        ({"key": "b", "hq_sha256": "a", "references": ("a",), "reference_distances": (0.0,)}, "same picture"),
        ({"key": "b", "identity": "p1", "references": ("a",), "reference_distances": (0.1,)}, "is of p0"),
    ],
)
def test_every_inconsistency_of_a_manifest_is_named(other: dict[str, object], words: str) -> None:
    assert not list(manifest_faults((bare_target("a"), bare_target("b"))))
    assert any(words in fault for fault in manifest_faults((bare_target("a"), bare_target(**other))))  # type: ignore[arg-type]


def test_a_set_with_the_spellings_of_0_1_is_rebuilt_alike(
    options: Callable[..., BuildOptions], folder: Path, tmp_path: Path
) -> None:
    build_set(folder, tmp_path / "set", options())
    info = json.loads((tmp_path / "set" / "set.json").read_text())
    settings = info["settings"]
    assert settings["identities"] == "average-linkage"
    old = {name: value for name, value in settings.items() if name != "quality_filters"}
    info["settings"] = old | {"gates": settings["quality_filters"], "identities": "guarded"}
    info["versions"]["package:refbench"] = "0.0.9"
    info["files"]["report.json"] = info["files"]["report.txt"] = "0" * 64
    (tmp_path / "set" / "set.json").write_text(json.dumps(info))
    made = rebuild_set(tmp_path / "set", folder)
    assert made.differences == (f"package:refbench was 0.0.9, is {__version__}",)
    rebuilt = ReferenceSet.read(made.report.out)
    assert rebuilt.info.content_hash == info["content_hash"]
    assert rebuilt.info.files["embeddings.npy"] == info["files"]["embeddings.npy"]
    assert rebuilt.info.settings["identities"] == "average-linkage"
