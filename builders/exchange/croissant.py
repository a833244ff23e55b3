"""Croissant metadata (JSON-LD) of a set's Parquet export, see https://docs.mlcommons.org/croissant."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ...files import sha256_file, write_json
from ...records.reference_set import ReferenceSet

CONFORMS = "http://mlcommons.org/croissant/1.0"
RAI = "http://mlcommons.org/croissant/RAI/1.0"
DESCRIPTIONS: dict[str, str] = {
    "key": "Name of the image.",
    "identity": "The person, by number.",
    "hq": "The aligned high-quality image.",
    "reference_keys": "Other images of the person, in order of preference.",
    "reference_distances": "Cosine distance of each reference to the image, by the recogniser of the build.",
    "references": "Pictures of other images of the person, in order of preference.",
    "landmarks": "Eyes, nose and mouth corners in the image, x and y in turn, in pixels.",
    "quality": "Measurements of the face by name, as JSON.",
    "hq_sha256": "SHA-256 of the image file.",
    "phash": "Perceptual hash of the image, 256 bits.",
    "licence": "Licence of the photo.",
    "width": "Pixels.",
    "height": "Pixels.",
}


def write_croissant(
    found: ReferenceSet, out: Path, files: Sequence[Path], *, published: date | None = None
) -> Path:
    """Write ``out/croissant.json`` for the Parquet ``files`` of an export in ``out``.

    The pictures of references are a record set of their own: mlcroissant (1.1) cannot decode lists of
    pictures, and reads everything else. No ``url`` is given, because the set has none before it is published.

    Args:
        found: the set.
        out: folder of the export.
        files: of the export.
        published: day of publication; None for today in UTC, or the day in ``SOURCE_DATE_EPOCH`` (seconds,
            reproducible-builds.org) where that is set.
    """
    tables = [path for path in files if path.suffix == ".parquet"]
    info = found.info
    value = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [CONFORMS, RAI],
        "name": info.name,
        "description": (
            f"{info.counts['images']} aligned face images of {info.counts['identities']} people with "
            "references of the same person, for reference-based face restoration."
        ),
        "datePublished": (published or _today()).isoformat(),
        "license": info.licence,
        "version": "1.0.0",
        "citeAs": f"Reference set {info.name}, content {info.content_hash[:16]}",
        "rai:personalSensitiveInformation": f"Faces. Consent: {info.consent}.",
        "rai:dataCollection": "Faces were found, aligned and grouped by identity with refbench.",
        "distribution": [_file(out, path) for path in tables],
        "recordSet": [records for path in tables for records in (_records(path), *_references(path))],
    }
    write_json(out / "croissant.json", value)
    return out / "croissant.json"


def _file(out: Path, path: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.relative_to(out).as_posix(),
        "encodingFormat": "application/x-parquet",
        "sha256": sha256_file(path),
    }


def _records(path: Path) -> dict[str, Any]:
    name = path.stem
    columns = ((field.name, str(field.type)) for field in pq.read_schema(path))
    fields = [
        _field(name, path.name, column, kind=kind) for column, kind in columns if column != "references"
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"Images of the split {name.partition('-')[0]}.",
        "key": {"@id": f"{name}/key"},
        "field": fields,
    }


def _references(path: Path) -> list[dict[str, Any]]:
    """The record set of the pictures of references; none in an export without them."""
    if "references" not in pq.read_schema(path).names:
        return []
    name = f"{path.stem}-references"
    return [
        {
            "@type": "cr:RecordSet",
            "@id": name,
            "name": name,
            "description": "Pictures of the references of every image, in order of preference.",
            "key": {"@id": f"{name}/key"},
            "field": [
                _field(name, path.name, "key", kind="string"),
                _field(name, path.name, "references", kind="list<struct<bytes, path>>"),
            ],
        }
    ]


def _today() -> date:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return now.date()


def _field(records: str, file: str, column: str, *, kind: str) -> dict[str, Any]:
    value: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{records}/{column}",
        "name": column,
        "description": DESCRIPTIONS.get(
            column, "The degraded image." if column.startswith("lq_") else column
        ),
        "dataType": _data_type(kind),
        "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
    }
    if kind.startswith("struct"):
        value["source"]["transform"] = {"jsonPath": "bytes"}
    if kind.startswith("list"):
        value["repeated"] = True
    return value


def _data_type(kind: str) -> str:
    if "bytes" in kind:
        return "sc:ImageObject"
    for word, name in (("double", "sc:Float"), ("int", "sc:Integer")):
        if word in kind:
            return name
    return "sc:Text"


CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
