"""Upload of a site as a static Space, and of records as a data set, to the Hugging Face Hub."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ...builders.exchange.data_card import write_data_card
from ...errors import InvalidInputError, RefbenchError
from ...extras import optional
from ...files import StrPath, names_of
from ...records.record import SCORES_NAME
from ...records.reference_set import ReferenceSet
from ..rendering.site_folder import MANIFEST, site_files
from ..store.settings import read_settings
from ..store.store import Store

KEPT = frozenset({".gitattributes"})
SITE_WHOLE = "the site on disk is whole: push it again when the Hub can be reached"
AS_BEFORE = "nothing was changed on this machine: push again when the Hub can be reached"
HTTP_LIBRARIES = frozenset({"httpcore", "httpx", "httpx2", "requests", "urllib3"})
"""HTTP libraries of the Hub's client; which one it uses depends on its version."""


def push_site(
    site: StrPath, repo: str, token: str | None = None, *, private: bool = False, endpoint: str | None = None
) -> str:
    """Upload a published site as a static Space; returns its address.

    Only the files in ``site.json`` are uploaded; files of an earlier push are removed, all in one commit.

    Args:
        site: folder written by `publish_site`.
        repo: ``owner/name`` of the Space, created if new.
        token: of the Hub; None for that of ``hf auth login``.
        private: make a new Space private.
        endpoint: address of the Hub; None for the public one.

    Raises:
        InvalidInputError: ``site`` is not a published site, or ``repo`` is not of the form ``owner/name``.
        RefbenchError: the Hub cannot be reached or refuses.
    """
    site = Path(site)
    manifest = site / MANIFEST
    if not manifest.is_file():
        raise InvalidInputError(
            f"{site} is not a published site; make one with: refbench publish STORE --out {site}"
        )
    try:
        listed = sorted(site_files(site))
    except ValueError as error:
        raise InvalidInputError(f"{error}; publish again") from None
    files = {address: (site / address).read_bytes() for address in listed}
    title = _title(files["index.html"].decode("utf-8"))
    front = {"title": title[:60], "emoji": "🖼️", "sdk": "static", "app_file": "index.html", "pinned": False}
    files["README.md"] = _front(front, f"# {title}\n\nA leaderboard published with refbench.\n").encode(
        "utf-8"
    )
    return _push(
        "space",
        repo,
        files,
        message="Publish the leaderboard",
        token=token,
        private=private,
        endpoint=endpoint,
    )


def push_records(
    store: Store, repo: str, token: str | None = None, *, private: bool = False, endpoint: str | None = None
) -> str:
    """Upload the records of a store as a data set; returns its address.

    Each benchmark is a configuration that ``datasets.load_dataset`` reads.

    Args:
        store: of the records.
        repo: ``owner/name`` of the data set, created if new.
        token: of the Hub; None for that of ``hf auth login``.
        private: make a new data set private.
        endpoint: address of the Hub; None for the public one.

    Raises:
        InvalidInputError: the store is empty, or ``repo`` is not of the form ``owner/name``.
        RefbenchError: the store cannot be read; the Hub cannot be reached or refuses.
    """
    stored = store.stored()
    if not stored:
        raise InvalidInputError(f"{store.root} holds no record yet; make one with: refbench score")
    folders = [entry.folder for entry in stored]
    paths = sorted(path for folder in folders for path in folder.iterdir() if path.is_file())
    files = {path.relative_to(store.root).as_posix(): path.read_bytes() for path in paths}
    benchmarks = sorted({folder.parent.name for folder in folders})
    configs = [{"config_name": name, "data_files": f"{name}/*/{SCORES_NAME}"} for name in benchmarks]
    settings = read_settings(store.root)
    front: dict[str, Any] = {
        "pretty_name": settings.title,
        "tags": ["refbench", "face-restoration"],
        "configs": configs,
    }
    text = (
        f"# {settings.title}: records\n\nScores per image, as measured. Each folder is one submission on one "
        "benchmark: `record.json` says what was measured against what and by which code, `scores.parquet` "
        "has one row per image and protocol. A missing value is never zero; its row says why.\n"
    )
    files["README.md"] = _front(front, text).encode("utf-8")
    return _push(
        "dataset", repo, files, message="Add records", token=token, private=private, endpoint=endpoint
    )


def push_set(
    reference_set: ReferenceSet,
    repo: str,
    token: str | None = None,
    *,
    recipes: Sequence[str] | str = (),
    private: bool = False,
) -> str:
    """Upload a reference set as a data set that `datasets.load_dataset` reads; returns its address.

    The data card goes first, so that licence and consent are there before any picture. The pictures are
    streamed from disk by `datasets.DatasetDict.push_to_hub`. Uploading a set again replaces its files.

    Args:
        reference_set: the set, see `ReferenceSet.to_dataset`.
        repo: ``owner/name`` of the data set, created if new.
        token: of the Hub; None for that of ``hf auth login``.
        recipes: names of recipes whose LQ images are included.
        private: make a new data set private.

    Raises:
        InvalidInputError: ``repo`` is not of the form ``owner/name``.
        RefbenchError: no LQ images of a recipe, the extra ``hub`` is not installed, the Hub cannot be reached
            or refuses.
    """
    recipes = names_of(recipes)
    _check_name(repo)
    rows = reference_set.to_dataset(recipes)
    with optional("huggingface_hub", "sending to the Hub"):
        from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(token=token)
    with TemporaryDirectory() as folder, _hub_errors(repo, AS_BEFORE):
        card = write_data_card(reference_set, Path(folder), recipes).read_bytes()
        address = api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        api.create_commit(
            repo,
            [CommitOperationAdd("README.md", card)],
            commit_message="Add the data card",
            repo_type="dataset",
        )
        rows.push_to_hub(repo, token=token, private=private, commit_message="Add the images")
    return str(address)


def _front(front: Mapping[str, Any], body: str) -> str:
    return f"---\n{yaml.safe_dump(dict(front), sort_keys=False, allow_unicode=True)}---\n\n{body}"


def _title(page: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page)
    return re.sub(r"<[^>]+>|&[a-z#0-9]+;", "", found.group(1)) if found else "Leaderboard"


def _push(
    kind: str,
    repo: str,
    files: Mapping[str, bytes],
    *,
    message: str,
    token: str | None,
    private: bool,
    endpoint: str | None,
) -> str:
    _check_name(repo)
    with optional("huggingface_hub", "sending to the Hub"):
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(endpoint=endpoint, token=token)
    sdk = "static" if kind == "space" else None
    with _hub_errors(repo, SITE_WHOLE if kind == "space" else AS_BEFORE):
        address = api.create_repo(repo, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk)
        there = set(api.list_repo_files(repo, repo_type=kind))
        added = [CommitOperationAdd(name, data) for name, data in files.items()]
        removed = [CommitOperationDelete(name) for name in sorted(there - files.keys() - KEPT)]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*commit a data file.*")
            api.create_commit(repo, [*added, *removed], commit_message=message, repo_type=kind)
    return str(address)


def _check_name(repo: str) -> None:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise InvalidInputError(f"a repository on the Hub is named owner/name; got {repo!r}")


@contextmanager
def _hub_errors(repo: str, state: str) -> Iterator[None]:
    """Errors of the Hub's client in one line each; ``state`` is told where the Hub is out of reach."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled:
        raise RefbenchError("HF_HUB_OFFLINE is set; unset it to push") from None
    except HfHubHTTPError as error:
        raise RefbenchError(_refusal(error, repo)) from None
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in HTTP_LIBRARIES:
            raise
        reason = str(error).split("\n")[0] or type(error).__name__
        raise RefbenchError(f"the Hub cannot be reached ({reason}); {state}") from None


def _refusal(error: Any, repo: str) -> str:
    status = getattr(error.response, "status_code", 0)
    if status in (401, 403):
        fix = "sign in with `hf auth login`, or give a token that may write"
        return f"the Hub refuses to write to {repo} ({status}): {fix}"
    return f"the Hub answered {status} for {repo}: {str(error).strip().splitlines()[-1][:200]}"
