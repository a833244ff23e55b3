"""Data files of the comparison page: keys, people, references and scores, as scripts that open from disk."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from ..rendering.rendering import script_json
from ..rendering.site_folder import Site
from ..store.names import safe_name
from ..tables.board import Table
from .pictures import Album, Source

GROUPS = {
    "disputed": ("Most disputed", "Images where the metrics disagree most about which model is best."),
    "worst": (
        "Worst",
        "Images with the worst mean score of the ranked models over the metrics of the composite.",
    ),
    "best": (
        "Best",
        "Images with the best mean score of the ranked models over the metrics of the composite.",
    ),
}


def write_album_data(table: Table, album: Album, site: Site) -> None:
    """Write the data of the comparison page's script: one file for the album, one of scores per model."""
    columns = [c for c in table.columns if c.id in table.values and c.protocol]
    names = [safe_name(key) for key in album.keys]
    people = sorted({table.identity_of[key] for key in album.keys})
    shown = sorted(album.reference_files)
    reference_number = {key: i for i, key in enumerate(shown)}
    place = {key: i for i, key in enumerate(album.keys)}
    any_reference = next(iter(album.reference_files.values()), "")
    data = {
        "slug": table.slug,
        "total": len(table.keys),
        "keys": " ".join(album.keys),
        "files": "" if names == list(album.keys) else " ".join(names),
        "people": people,
        "person": [people.index(table.identity_of[key]) for key in album.keys],
        "references": [[reference_number[r] for r in album.references[key]] for key in album.keys],
        "referenceNames": [safe_name(key) for key in shown],
        "referenceFolder": f"../{PurePosixPath(any_reference).parent}/" if any_reference else "",
        "thumbnailFolder": f"../{PurePosixPath(album.thumbnails[album.keys[0]]).parent}/",
        "metrics": [
            {"title": c.title, "arrow": c.arrow, "up": c.protocol.higher_is_better, "decimals": c.decimals}
            for c in columns
            if c.protocol
        ],
        "groups": {kind: [place[k] for k in getattr(album.galleries, kind) if k in place] for kind in GROUPS},
        "sources": [_source(table, album, source) for source in album.sources],
    }
    site.text(f"compare/{table.slug}/album.js", f"window.refbenchAlbum = {script_json(data)};\n")
    rows = {key: i for i, key in enumerate(table.keys)}
    pick = [rows[key] for key in album.keys]
    for source in album.sources:
        if source.kind != "model":
            continue
        at = table.row_numbers[source.name]
        numbers = [
            [None if v != v else round(v * 10**c.decimals) for v in table.values[c.id][pick, at].tolist()]
            for c in columns
        ]
        target = f"(window.refbenchScores = window.refbenchScores || {{}})[{script_json(source.name)}]"
        site.text(f"compare/{table.slug}/{source.name}.js", f"{target} = {script_json(numbers)};\n")


def _source(table: Table, album: Album, source: Source) -> dict[str, Any]:
    files = [album.files.get((source.name, key), "") for key in album.keys]
    folder = next((str(PurePosixPath(file).parent) for file in files if file), "")
    entry: dict[str, Any] = {
        "name": source.name,
        "label": source.label,
        "kind": source.kind,
        "folder": f"../{folder}/",
    }
    if gaps := [i for i, file in enumerate(files) if not file]:
        entry["gaps"] = gaps
    if source.kind == "model":
        entry["scores"] = f"{source.name}.js"
    return entry
