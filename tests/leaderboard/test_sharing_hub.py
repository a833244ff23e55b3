"""Pushing to the Hub, against a fake of it on this machine."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

import pytest
import yaml
from refbench.errors import InvalidInputError, RefbenchError
from refbench.leaderboard.examples.synthetic import SyntheticImages, make_synthetic_records
from refbench.leaderboard.sharing.hub import push_records, push_site
from refbench.leaderboard.site.publish import publish_site
from refbench.leaderboard.store.store import Store
from refbench.metrics.catalogue import PROTOCOLS
from refbench.verbs import publish
from toys import files_of, store_of

DECLARED = {name: PROTOCOLS[name] for name in ("psnr/rgb", "lpips/alex-v0.1")}


@dataclass
class FakeHub:
    """What a hub keeps: repositories by kind and name, and what was asked of it."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    created: list[dict[str, object]] = field(default_factory=list)
    commits: int = 0
    token: str = "hf_good"
    address: str = ""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    held = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self, status: int, content: object) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") != f"Bearer {held.token}":
                return self.answer(403, {"error": "Forbidden"})
            path = urlparse(self.path).path
            if path == "/api/repos/create":
                asked = json.loads(body)
                held.created.append(asked)
                name = f"{asked['type']}s/{asked['organization']}/{asked['name'].rpartition('/')[2]}"
                held.repositories.setdefault(name, {".gitattributes": b""})
                return self.answer(200, {"url": f"{held.address}/{name}"})
            if path == "/api/validate-yaml":
                return self.answer(200, {"errors": [], "warnings": []})
            parts = path.removeprefix("/api/").split("/")
            files = held.repositories.get("/".join(parts[:3]))
            if files is None:
                return self.answer(404, {"error": "Repository not found"})
            if parts[3:4] == ["tree"]:
                entries = [
                    {"type": "file", "path": n, "size": len(d), "oid": "0" * 40} for n, d in files.items()
                ]
                return self.answer(200, entries)
            if parts[3:4] == ["preupload"]:
                asked = json.loads(body)["files"]
                told = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]
                return self.answer(200, {"files": told})
            if parts[3:4] == ["commit"]:
                held.commits += 1
                for line in body.decode().splitlines():
                    entry = json.loads(line)
                    if entry["key"] == "file":
                        files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
                    elif entry["key"] == "deletedFile":
                        del files[entry["value"]["path"]]
                url = f"{held.address}/{'/'.join(parts[:3])}/commit/{held.commits:040d}"
                return self.answer(
                    200, {"commitUrl": url, "commitOid": f"{held.commits:040d}", "success": True}
                )
            info = {
                "id": "/".join(parts[1:3]),
                "sha": "0" * 40,
                "siblings": [{"rfilename": n} for n in files],
            }
            return self.answer(200, info)

        do_GET = do_POST = handle_any  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield held
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of(tmp_path / "store", make_synthetic_records(DECLARED, 2, SyntheticImages.make(12, 4)))


def test_a_site_becomes_a_static_space_and_stays_in_step(hub: FakeHub, store: Store, tmp_path: Path) -> None:
    site = publish_site(store, tmp_path / "site").parent
    address = push_site(site, "lab/board", token="hf_good", endpoint=hub.address)
    assert address.endswith("spaces/lab/board")
    assert hub.created[0]["sdk"] == "static"
    there = hub.repositories["spaces/lab/board"]
    on_disk = files_of(site)
    del on_disk["site.json"]
    assert {name: data for name, data in there.items() if name in on_disk} == on_disk
    front = yaml.safe_load(there["README.md"].decode().split("---\n")[1])
    assert (front["sdk"], front["app_file"]) == ("static", "index.html")
    gone = store.stored()[0].folder
    for path in gone.iterdir():
        path.unlink()
    publish_site(store, site)
    push_site(site, "lab/board", token="hf_good", endpoint=hub.address)
    kept = set(files_of(site)) - {"site.json"}
    assert set(there) == kept | {"README.md", ".gitattributes"}


def test_publish_pushes_what_it_wrote(
    hub: FakeHub,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    page = publish(store.root, tmp_path / "site", push="lab/board", private=True)
    assert hub.repositories["spaces/lab/board"]["index.html"] == page.read_bytes()
    assert hub.created[0].get("visibility", hub.created[0].get("private")) in ("private", True)
    assert "spaces/lab/board" in capsys.readouterr().err


def test_a_store_becomes_a_data_set_that_loads(hub: FakeHub, store: Store, tmp_path: Path) -> None:
    push_records(store, "lab/records", token="hf_good", endpoint=hub.address)
    there = hub.repositories["datasets/lab/records"]
    held = files_of(store.root)
    assert {name: there[name] for name in held} == held
    front = yaml.safe_load(there["README.md"].decode().split("---\n")[1])
    for config in front["configs"]:
        assert list(store.root.glob(config["data_files"]))
    assert len(front["configs"]) == 2


def test_refusals_and_absence_are_reported(hub: FakeHub, store: Store, tmp_path: Path) -> None:
    site = publish_site(store, tmp_path / "site").parent
    with pytest.raises(RefbenchError, match=r"refuses.*hf auth login"):
        push_site(site, "lab/board", token="hf_bad", endpoint=hub.address)
    with pytest.raises(RefbenchError, match=r"cannot be reached.*; the site on disk is whole"):
        push_site(site, "lab/board", token="hf_good", endpoint="http://127.0.0.1:9")
    with pytest.raises(RefbenchError, match=r"cannot be reached.*; nothing was changed") as told:
        push_records(store, "lab/records", token="hf_good", endpoint="http://127.0.0.1:9")
    assert "site" not in str(told.value)
    with pytest.raises(InvalidInputError, match="owner/name"):
        push_site(site, "board", token="hf_good", endpoint=hub.address)
    with pytest.raises(InvalidInputError, match="not a published site"):
        push_site(tmp_path, "lab/board", token="hf_good", endpoint=hub.address)
    (tmp_path / "none").mkdir()
    with pytest.raises(InvalidInputError, match="no record yet"):
        push_records(Store(tmp_path / "none"), "lab/records", token="hf_good", endpoint=hub.address)


def test_offline_means_offline(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    site = publish_site(store, tmp_path / "site").parent
    with pytest.raises(RefbenchError, match="HF_HUB_OFFLINE"):
        push_site(site, "lab/board", token="hf_good", endpoint="http://127.0.0.1:9")
