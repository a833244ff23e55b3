"""Audit for leaks between splits and between sets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from refbench.builders.build import build_set
from refbench.builders.review.audit import Audit, audit_set
from refbench.builders.review.audit_inputs import read_audit_input
from refbench.builders.review.review import write_review
from refbench.builders.settings.options import BuildOptions
from refbench.degradations.lq.degrade_set import degrade_set
from refbench.degradations.lq.options import DegradeOptions
from refbench.degradations.recipes.lookup import load_recipe
from refbench.errors import RefbenchError
from refbench.images import write_png
from refbench.records.reference_set import ReferenceSet
from refbench.records.selection import require_lq
from toys import patches


def test_planted_leaks_are_found_and_a_clean_set_has_none(
    built: Path, folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    clean = audit_set(built)
    assert clean.leaks == ()
    assert len(clean.nearest) >= 1
    write_png(tmp_path / "photos" / "unrelated.png", patches(1234, 0))
    write_png(tmp_path / "photos" / "same.png", patches(2, 1))
    write_png(tmp_path / "photos" / "again.png", patches(3, 8))
    recompressed = cv2.imdecode(cv2.imencode(".jpg", patches(4, 0), [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)
    write_png(tmp_path / "photos" / "jpeg.png", recompressed)
    build_set(tmp_path / "photos", tmp_path / "other", options(val=0.0, test=0.0))
    found = audit_set(built, [tmp_path / "other"])
    by_kind = {kind: {(x.first, x.second) for x in found.leaks if x.kind == kind} for kind in found.counts}
    assert by_kind["same_file"] == {("person2--1", "same")}
    assert ("person4--0", "jpeg") in by_kind["near_picture"]
    assert {second for _, second in by_kind["same_person"]} == {"same", "again", "jpeg"}
    assert "unrelated" not in found.text()
    found.write(tmp_path / "audit.json")
    assert json.loads((tmp_path / "audit.json").read_text())["counts"] == found.counts
    assert Audit.read(tmp_path / "audit.json") == found


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "a", "leaks": [{"kind": "x"}]}', "\x00"])
def test_a_file_that_is_no_audit_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text(text)
    with pytest.raises(RefbenchError, match=r"audit\.json: not an audit"):
        Audit.read(tmp_path / "audit.json")


def test_an_audit_takes_a_list_of_hashes_or_embeddings(built: Path, tmp_path: Path) -> None:
    found = ReferenceSet.read(built)
    (tmp_path / "hashes.txt").write_text(
        f"{found['person0--0'].hq_sha256}\n{found['person1--0'].phash}  a name\n"
    )
    by_hash = audit_set(built, [tmp_path / "hashes.txt"])
    assert {(leak.kind, leak.first) for leak in by_hash.leaks} >= {
        ("same_file", "person0--0"),
        ("near_picture", "person1--0"),
    }
    np.save(tmp_path / "vectors.npy", np.load(built / "embeddings.npy")[:1])
    by_vector = audit_set(built, [tmp_path / "vectors.npy"])
    assert by_vector.counts["same_person"] >= 1
    np.save(tmp_path / "short.npy", np.eye(3, dtype=np.float32))
    with pytest.raises(RefbenchError, match="embeddings of 192 numbers"):
        audit_set(built, [tmp_path / "short.npy"])
    (tmp_path / "bad.txt").write_text("hello\n")
    with pytest.raises(RefbenchError, match="64 hexadecimal digits"):
        read_audit_input(tmp_path / "bad.txt")


def test_what_lies_beside_a_replaced_set_is_told(
    folder: Path,
    options: Callable[..., BuildOptions],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "set"
    build_set(folder, out, options(val=0.0, test=0.5))
    audit_set(out).write(out / "audit.json")
    write_review(out, out / "review.html")
    recipe = load_recipe("refldm-moderate")
    degrade_set(out, [recipe], DegradeOptions(split="all"))
    capsys.readouterr()
    build_set(folder, out, options(val=0.0, test=0.5))
    told = capsys.readouterr().err
    assert "other content" not in told
    assert "HQ images that were replaced" not in told
    (out / "groups.csv").write_text("identity,group\np0000,a\n")
    build_set(folder, out, options(val=0.0, test=0.5))
    assert "groups.csv" not in capsys.readouterr().err
    build_set(folder, out, options(val=0.0, test=0.5, image_size=64))
    told = capsys.readouterr().err
    for line in (
        f"{out}/audit.json is of other content than the set; make it again with: refbench audit {out}",
        f"{out}/review.html is of other content than the set; make it again with: refbench review {out}",
        "18 LQ images are of HQ images that were replaced; make them again with: refbench degrade",
        f"{out}/groups.csv (groups of identities by number) may be of the set that was here before",
    ):
        assert line in told
    found = ReferenceSet.read(out)
    with pytest.raises(RefbenchError, match="LQ images are of HQ images that the set has no longer"):
        require_lq(found, "refldm-moderate", found.select("test"))


def test_embeddings_that_were_replaced_are_refused(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "set")
    vectors = np.load(tmp_path / "set" / "embeddings.npy")
    np.save(tmp_path / "set" / "embeddings.npy", vectors[::-1])
    with pytest.raises(RefbenchError, match=r"embeddings\.npy is not the file that set\.json states"):
        audit_set(tmp_path / "set")
