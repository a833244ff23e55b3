"""Uploading a set to the Hub, against a fake of its client: the card first, then the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from refbench.errors import InvalidInputError, RefbenchError
from refbench.leaderboard.sharing.hub import push_set
from refbench.records.reference_set import ReferenceSet
from toys import write_cartoon_set

datasets = pytest.importorskip("datasets")
pytest.importorskip("huggingface_hub")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What was asked of the Hub, in order."""
    made: list[tuple[str, Any]] = []

    class FakeApi:
        def __init__(self, token: str | None = None) -> None:
            made.append(("sign in", token))

        def create_repo(self, repo: str, *, repo_type: str, private: bool, exist_ok: bool) -> str:
            made.append(("create", (repo, repo_type, private, exist_ok)))
            return f"https://hub.example/datasets/{repo}"

        def create_commit(self, repo: str, operations: Any, *, commit_message: str, repo_type: str) -> None:
            files = {one.path_in_repo: one.path_or_fileobj for one in operations}
            made.append(("commit", (repo, repo_type, files)))

    def push(self: Any, repo: str, *, token: str | None, private: bool, commit_message: str) -> None:
        rows = {split: rows.to_dict() for split, rows in self.cast_images().items()}
        made.append(("push", (repo, token, private, rows)))

    def cast_images(self: Any) -> Any:
        return self.cast_column("hq", datasets.Image(decode=False))

    monkeypatch.setattr("huggingface_hub.HfApi", FakeApi)
    monkeypatch.setattr(datasets.DatasetDict, "cast_images", cast_images, raising=False)
    monkeypatch.setattr(datasets.DatasetDict, "push_to_hub", push)
    return made


@pytest.fixture
def found(tmp_path: Path) -> ReferenceSet:
    toy = write_cartoon_set(tmp_path / "set", ["train", "test"])
    counts = {"images": 4, "identities": 2, "images_with_references": 4}
    info = toy.info.model_copy(update={"counts": counts, "licence": "CC BY 4.0", "consent": "signed forms"})
    ReferenceSet(toy.root, info, toy.targets).write()
    return ReferenceSet.read(toy.root)


def test_the_card_with_licence_and_consent_goes_before_the_pictures(
    found: ReferenceSet, calls: list[tuple[str, Any]]
) -> None:
    address = push_set(found, "me/faces", "hf_x", private=True)
    assert address == "https://hub.example/datasets/me/faces"
    assert [name for name, _ in calls] == ["sign in", "create", "commit", "push"]
    assert calls[0][1] == "hf_x"
    assert calls[1][1] == ("me/faces", "dataset", True, True)
    repo, kind, files = calls[2][1]
    assert (repo, kind, list(files)) == ("me/faces", "dataset", ["README.md"])
    text = files["README.md"].decode("utf-8")
    front = yaml.safe_load(text.split("---")[1])
    assert front["license"] == "cc-by-4.0"
    assert [entry["split"] for entry in front["configs"][0]["data_files"]] == ["train", "test"]
    assert "signed forms" in text
    repo, token, private, rows = calls[3][1]
    assert (repo, token, private, list(rows)) == ("me/faces", "hf_x", True, ["train", "test"])
    keys = rows["train"]["key"]
    assert keys == [target.key for target in found.select("train")]
    assert [Path(picture["path"]) for picture in rows["train"]["hq"]] == [
        found.hq_path(key).resolve() for key in keys
    ]


def test_nothing_is_asked_of_the_hub_for_a_name_or_recipe_that_cannot_be(
    found: ReferenceSet, calls: list[tuple[str, Any]]
) -> None:
    with pytest.raises(InvalidInputError, match="owner/name"):
        push_set(found, "faces")
    with pytest.raises(RefbenchError, match="no LQ images of 'severe'"):
        push_set(found, "me/faces", recipes=["severe"])
    assert calls == []


@pytest.mark.usefixtures("calls")
def test_a_hub_that_cannot_be_reached_is_told_in_one_line(
    found: ReferenceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host\nmore")

    monkeypatch.setattr(datasets.DatasetDict, "push_to_hub", broken)
    with pytest.raises(RefbenchError, match=r"cannot be reached \(no route to host\)"):
        push_set(found, "me/faces")
