"""Export and import of a set as Parquet with the pictures inside, as ``datasets.load_dataset`` reads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import FaultListError, RefbenchError
from ...files import StrPath, canonical_json, replacing, sha256_bytes, write_bytes
from ...folder_lock import begin, finish, locks
from ...names import is_portable
from ...progress import track
from ...records.reference_set import ReferenceSet, SetInfo, Target, content_hash, image_path
from ..verify import manifest_faults
from .lq_exchange import LQ, adopt_lq, copy_lq_facts, lq_folders

ROWS_PER_FILE = 2000
ROWS_PER_GROUP = 50
INFO = "refbench.json"
LQ_PHOTOS = "lq/photos"
"""Where an import puts the photos of targets without HQ."""
TEXT = ("key", "identity", "hq_sha256", "phash", "licence")
PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write_parquet(
    found: ReferenceSet, out: Path, recipes: Sequence[str] = (), *, with_references: bool = True
) -> list[Path]:
    """Write ``out/data/SPLIT-00000-of-0000N.parquet`` and ``refbench.json``.

    A row has the HQ image, one LQ image per recipe (``lq_RECIPE``, null where there is none), the pictures of
    the references in order, and the columns of the manifest except ``source``: paths of photos may contain
    names of people.

    Args:
        found: the set.
        out: folder to write to.
        recipes: names of recipes whose LQ images are included.
        with_references: include the pictures of the references in each row; without, only their keys.

    Raises:
        RefbenchError: no LQ images of a recipe, or an image of the set that is missing or changed.
    """
    recipes = lq_folders(found, recipes)
    schema = parquet_schema(found, recipes, with_references=with_references)
    written = []
    for split in found.splits():
        inside = found.select(split, with_references=False)
        files = -(-len(inside) // ROWS_PER_FILE)
        for number in range(files):
            path = out / "data" / f"{split}-{number:05d}-of-{files:05d}.parquet"
            part = inside[number * ROWS_PER_FILE : (number + 1) * ROWS_PER_FILE]
            rows = (_row(found, target, schema=schema, recipes=recipes) for target in part)
            _write(path, schema, track(path.name, rows, len(part)))
            written.append(path)
    found.info.model_copy(update={"files": {}}).write(out / INFO)
    for recipe in recipes:
        written += copy_lq_facts(found, out, recipe)
    return [*written, out / INFO]


@locks("out")
def read_parquet(folder: StrPath, out: StrPath) -> ReferenceSet:
    """Import a set from the export of `write_parquet` in ``folder``, with the LQ images that it has.

    LQ images keep their recipe and draws where the export states them (``lq/RECIPE``), and come as imported
    ones else. Rows that hold the path of their picture alone are completed by files of that name beside them.

    Args:
        folder: of the export; it is only read.
        out: folder of the set to write; new.

    Raises:
        RefbenchError: not such a folder.
        FaultListError: pictures that are not those of the manifest, or a manifest that makes no sense.
    """
    folder, out = Path(folder), Path(out)
    try:
        info = SetInfo.read(folder / INFO)
        files = sorted((folder / "data").glob("*.parquet"))
        tables = [pq.ParquetFile(path) for path in files]
    except (OSError, ValueError, RefbenchError) as error:
        raise RefbenchError(f"{folder} holds no set exported as Parquet: {error}") from None
    if not begin(out, canonical_json(["import", info.content_hash])):
        raise RefbenchError(f"{out} is not an empty folder; name a new one")
    faults: list[str] = []
    targets: list[Target] = []
    without: list[str] = []
    recipes = sorted({name for table in tables for name in _recipes_in(table)})
    faults += (f"{name!r} cannot name a recipe" for name in recipes if not is_portable(name) or "/" in name)
    try:
        for path, table in zip(files, tables, strict=True):
            faults += (f"{path.name}: has no column {name}" for name in _missing(table, recipes))
            if faults:
                continue
            for row in _rows_of(table):
                if not is_portable(str(row["key"])) or "/" in row["key"]:
                    faults.append(f"{row['key']!r} cannot name an image")
                    continue
                target = _target(row, path.name.partition("-")[0], info)
                targets.append(target)
                pictures = {target.hq or target.lq: row["lq" if target.lq else "hq"]}
                pictures |= {
                    f"lq/{name}/{target.key}.png": row[f"lq_{name}"] for name in recipes if row[f"lq_{name}"]
                }
                for name, picture in pictures.items():
                    data = _bytes_of(picture, folder)
                    digest = (target.hq_sha256 or target.lq_sha256) if name in (target.hq, target.lq) else ""
                    if data is None:
                        without.append(target.key)
                    elif digest and sha256_bytes(data) != digest:
                        faults.append(f"{target.key}: its picture is not the one that was exported")
                    elif not faults:
                        write_bytes(out / name, data)
        targets.sort(key=lambda target: target.key)
        faults += _without_pictures(without)
        faults += manifest_faults(targets)
        if not faults and content_hash(targets) != info.content_hash:
            faults.append("the rows together do not have the content hash that refbench.json states")
        made = ReferenceSet(out, info, targets)
        for recipe in recipes:
            if not faults:
                faults += adopt_lq(made, folder / LQ / recipe, recipe)
    except (OSError, ValueError, TypeError, KeyError) as error:
        shutil.rmtree(out, ignore_errors=True)
        said = " ".join(str(error).split())[:200]
        raise RefbenchError(
            f"{folder}: the Parquet files are damaged or no export of refbench: {said}"
        ) from None
    if faults:
        shutil.rmtree(out, ignore_errors=True)
        raise FaultListError(str(folder), faults)
    made.write()
    finish(out)
    return ReferenceSet.read(out)


def _recipes_in(table: pq.ParquetFile) -> list[str]:
    """Names of the recipes of a file whose LQ images it has columns of."""
    names = table.schema_arrow.names
    return [name[3:] for name in names if name.startswith("lq_") and name not in ("lq_sha256", "lq_size")]


def _missing(table: pq.ParquetFile, recipes: Sequence[str]) -> list[str]:
    lists = ("reference_keys", "reference_distances", "landmarks", "quality")
    wanted = (*TEXT, "width", "height", "hq", *lists, *(f"lq_{recipe}" for recipe in recipes))
    return [name for name in wanted if name not in table.schema_arrow.names]


def _rows_of(table: pq.ParquetFile) -> Iterator[dict[str, Any]]:
    columns = [field.name for field in table.schema_arrow if field.name != "references"]
    for batch in table.iter_batches(ROWS_PER_GROUP, columns=columns):
        yield from batch.to_pylist()


def _bytes_of(picture: dict[str, Any] | None, folder: Path) -> bytes | None:
    """The bytes of a picture: in its row, or in a file of its name in or beside the data folder."""
    if picture is None:
        return None
    data = picture.get("bytes")
    if data is not None:
        return bytes(data)
    name = PurePath(str(picture.get("path") or "").replace("\\", "/")).name
    for place in (folder / "data" / name, folder / name, folder / "images" / name):
        if name and place.is_file():
            return place.read_bytes()
    return None


def _without_pictures(keys: Sequence[str]) -> list[str]:
    """One fault for all rows that hold the paths of their pictures alone."""
    if not keys:
        return []
    some = ", ".join(keys[:3]) + (" ..." if len(keys) > 3 else "")
    return [
        f"{len(keys)} pictures are not in the files ({some}): their rows hold paths alone, and no file of "
        "that name lies beside them; write the data set with its bytes (push_to_hub with "
        "embed_external_files=True, or datasets.table.embed_table_storage before Parquet is written), or put "
        "the PNGs beside the Parquet"
    ]


def parquet_schema(found: ReferenceSet, recipes: Sequence[str], *, with_references: bool) -> pa.Schema:
    """Columns of an export: the text columns, sizes, pictures (PNG bytes and name), lists, quality as JSON.

    ``lq`` and ``lq_sha256``, the photos of targets without HQ, are there only if the set has such targets.
    """
    numbers = pa.list_(pa.float64())
    real = any(not target.has_hq for target in found.targets)
    fields: list[tuple[str, pa.DataType]] = [(name, pa.string()) for name in TEXT]
    fields += [("lq_sha256", pa.string())] if real else []
    fields += [("width", pa.int32()), ("height", pa.int32()), ("hq", PICTURE)]
    fields += [("lq", PICTURE)] if real else []
    fields += [(f"lq_{recipe}", PICTURE) for recipe in recipes]
    fields += [("references", pa.list_(PICTURE))] if with_references else []
    fields += [("reference_keys", pa.list_(pa.string())), ("reference_distances", numbers)]
    fields += [("landmarks", numbers), ("quality", pa.string())]
    features = {name: _feature(kind) for name, kind in fields}
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if kind.equals(PICTURE):
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "Sequence"}  # datasets 2 to 5 read it
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}


def _row(found: ReferenceSet, target: Target, *, schema: pa.Schema, recipes: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(target, name) for name in (*TEXT, "width", "height")}
    row["hq"] = _picture(found, target, target.hq, digest=target.hq_sha256)
    if "lq" in schema.names:
        row["lq_sha256"] = target.lq_sha256
        row["lq"] = _picture(found, target, target.lq, digest=target.lq_sha256)
    for recipe in recipes:
        path = found.lq_path(recipe, target.key)
        row[f"lq_{recipe}"] = {"bytes": path.read_bytes(), "path": path.name} if path.is_file() else None
    if "references" in schema.names:
        others = [found[key] for key in target.references]
        row["references"] = [_picture(found, one, one.hq, digest=one.hq_sha256) for one in others]
    row["reference_keys"] = list(target.references)
    row["reference_distances"] = list(target.reference_distances)
    row["landmarks"] = [coordinate for point in target.landmarks for coordinate in point]
    row["quality"] = json.dumps(target.quality, sort_keys=True)
    return row


def _picture(found: ReferenceSet, target: Target, name: str, *, digest: str) -> dict[str, Any] | None:
    if not name:
        return None
    path = found.root / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RefbenchError(f"{path}: cannot be read: {error.strerror}; run refbench verify") from None
    if sha256_bytes(data) != digest:
        raise RefbenchError(f"{path}: is not the image of the manifest; run refbench verify")
    return {"bytes": data, "path": f"{target.key}.png"}


def _write(path: Path, schema: pa.Schema, rows: Iterator[dict[str, Any]]) -> None:
    with replacing(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        for row in rows:
            group.append(row)
            if len(group) == ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))


def _target(row: dict[str, Any], split: str, info: SetInfo) -> Target:
    flat = row["landmarks"]
    path = image_path(row["key"], info.image_folder_digits)
    digest = row.get("lq_sha256") or ""
    return Target(
        **{name: row[name] for name in (*TEXT, "width", "height")},
        split=split,
        hq="" if digest else path,
        references=tuple(row["reference_keys"]),
        reference_distances=tuple(row["reference_distances"]),
        landmarks=tuple(zip(flat[0::2], flat[1::2], strict=True)),
        quality=json.loads(row["quality"]),
        lq=f"{LQ_PHOTOS}/{row['key']}.png" if digest else "",
        lq_sha256=digest,
    )
