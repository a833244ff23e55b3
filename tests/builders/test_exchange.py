"""Exports and imports: Parquet, Croissant, data card, WebDataset shards, folders, LQ images."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refbench.builders.build import build_set
from refbench.builders.commands import app
from refbench.builders.exchange.exchange import FORMATS, export_set
from refbench.builders.exchange.parquet import read_parquet
from refbench.builders.review.audit import Audit, audit_set
from refbench.builders.settings.options import BuildOptions
from refbench.builders.verify import verify_set
from refbench.degradations.engine.degrade import degrade_image
from refbench.degradations.lq.degrade_set import degrade_set, verify_lq_of_set
from refbench.degradations.lq.options import DegradeOptions
from refbench.degradations.recipes.lookup import load_recipe
from refbench.errors import FaultListError, RefbenchError
from refbench.images import read_rgb, write_png
from refbench.records.lq_set import LqInfo, write_info
from refbench.records.reference_set import ReferenceSet, content_hash
from toys import patches, save_patch_recogniser
from typer.testing import CliRunner, Result


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for number in range(5):
        for photo in range(3):
            write_png(root / f"name{number}" / f"{photo}.png", patches(number, photo))
    return root


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_patch_recogniser(tmp_path_factory.mktemp("networks")))


@pytest.fixture(scope="module")
def built(photos: Path, network: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets") / "made-up"
    options = BuildOptions(
        aligned=True,
        recogniser=network,
        threshold=0.3,
        image_size=128,
        test=2,
        keys="hashes",
        licence="CC BY 4.0",
        consent="nobody is shown",
    )
    build_set(photos, out, options)
    found = ReferenceSet.read(out)
    for target in found.select("test"):
        write_png(out / "lq" / "blurred" / f"{target.key}.png", np.zeros((128, 128, 3), np.uint8))
    return out


def test_keys_from_hashes_reveal_no_names(built: Path) -> None:
    for target in ReferenceSet.read(built).targets:
        assert set(target.key) <= set("0123456789abcdef")
        assert "name" in target.source


def test_datasets_reads_the_export_with_pictures_inside(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    import datasets

    out = tmp_path / "out"
    export_set(built, out, "parquet", recipes=["blurred"])
    shutil.move(out, tmp_path / "moved")
    found = ReferenceSet.read(built)
    rows = datasets.load_dataset(str(tmp_path / "moved"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(part) for split, part in rows.items()} == {
        split: found.info.counts[f"{split}_images"] for split in ("train", "val", "test")
    }
    row, target = rows["test"][0], found.select("test")[0]
    assert row["key"] == target.key
    from refbench.images import read_rgb

    assert np.array_equal(np.asarray(row["hq"]), read_rgb(found.hq_path(target.key)))
    assert [np.asarray(picture).sum() for picture in row["references"]] == [
        read_rgb(found.hq_path(key)).sum() for key in target.references
    ]
    assert row["lq_blurred"].size == (128, 128)
    assert rows["train"][0]["lq_blurred"] is None
    assert "name" not in json.dumps([{k: str(v) for k, v in row.items()} for row in rows["train"]])


def test_the_parquet_export_comes_back_as_the_same_set(built: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        export_set(built, tmp_path / out, "parquet")
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert all(
        (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files
    )
    back = read_parquet(tmp_path / "one", tmp_path / "back")
    first = ReferenceSet.read(built)
    assert back.info.content_hash == first.info.content_hash
    assert verify_set(tmp_path / "back").is_valid
    for one, two in zip(first.targets, back.targets, strict=True):
        assert one.quality == two.quality
        assert one.references == two.references
    info = json.loads((tmp_path / "one" / "refbench.json").read_text())
    (tmp_path / "one" / "refbench.json").write_text(json.dumps(info | {"content_hash": "0" * 64}))
    with pytest.raises(FaultListError, match="content hash"):
        read_parquet(tmp_path / "one", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_croissant_is_valid_and_its_records_can_be_read(built: Path, tmp_path: Path) -> None:
    croissant = pytest.importorskip("mlcroissant")
    export_set(built, tmp_path / "out", "parquet", published=date(2024, 2, 29))
    described = croissant.Dataset(jsonld=str(tmp_path / "out" / "croissant.json"))
    assert not list(described.metadata.ctx.issues.errors)
    assert not list(described.metadata.ctx.issues.warnings)
    assert described.metadata.date_published.date() == date(2024, 2, 29)
    said = json.loads((tmp_path / "out" / "croissant.json").read_text())
    sets = {one["@id"]: one for one in said["recordSet"]}
    (pictures,) = (f for f in sets["test-00000-of-00001-references"]["field"] if f["name"] == "references")
    assert (pictures["dataType"], pictures["repeated"]) == ("sc:ImageObject", True)
    (record,) = list(described.records("test-00000-of-00001"))[:1]
    assert record["test-00000-of-00001/key"].decode() == ReferenceSet.read(built).select("test")[0].key
    assert record["test-00000-of-00001/hq"].size == (128, 128)


def test_the_card_states_licence_consent_counts_and_leaks(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "set")
    assert CliRunner().invoke(app, ["audit", str(tmp_path / "set")]).exit_code == 0
    export_set(tmp_path / "set", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    for words in (
        "license: cc-by-4.0",
        "nobody is shown",
        "| all | 15 | 15 | 5 |",
        "the same person",
        "data/test-*",
    ):
        assert words in card, words
    assert "name0" not in card


def test_a_stale_audit_and_one_of_another_set_stay_out_of_the_card(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = tmp_path / "set"
    shutil.copytree(built, chosen)
    none = "No audit of this content was made. `refbench audit SET` searches for leaks."
    own = audit_set(chosen)
    assert own.of == ReferenceSet.read(chosen).identification()
    states = {
        "0.1": replace(own, of={}),
        "content": replace(own, of={**own.of, "content_hash": "0" * 64}),
        "embeddings": replace(own, of={**own.of, "embeddings.npy": "0" * 64}),
        "compared": audit_set(chosen, built),
    }
    for name, audit in states.items():
        audit.write(chosen / "audit.json")
        export_set(chosen, tmp_path / name)
        assert none in (tmp_path / name / "README.md").read_text()
        assert f"refbench audit {chosen}" in capsys.readouterr().err
    own.write(chosen / "audit.json")
    export_set(chosen, tmp_path / "fresh")
    card = (tmp_path / "fresh" / "README.md").read_text()
    assert none not in card
    assert "Distance of every image to the nearest on the other side" in card
    assert "audit" not in capsys.readouterr().err


def test_a_comparison_with_another_set_has_a_file_of_its_own(built: Path, tmp_path: Path) -> None:
    chosen = tmp_path / "set"
    shutil.copytree(built, chosen)
    (tmp_path / "a list.txt").write_text("ab" * 32)
    words = [
        "audit",
        str(chosen),
        "--json",
        "--against",
        str(built),
        "--against",
        str(tmp_path / "a list.txt"),
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    found = ReferenceSet.read(chosen)
    digest = hashlib.sha256(b"ab" * 32).hexdigest()
    names = [
        "audit.json",
        f"audit-against-{found.info.name}-{found.info.content_hash[:8]}.json",
        f"audit-against-a_list.txt-{digest[:8]}.json",
    ]
    said = json.loads(done.stdout)
    assert said["files"] == [str(chosen / name) for name in names]
    assert said["against"] == [[found.info.name, found.info.content_hash], ["a list.txt", digest]]
    own, with_set, with_list = (Audit.read(chosen / name) for name in names)
    assert own == audit_set(chosen)
    assert own.is_of(found)
    assert not own.leaks
    assert with_set.counts["same_file"] == len(found.targets)
    assert not with_set.is_of(found)
    assert with_list.against == (("a list.txt", digest),)
    assert not list(built.glob("audit*"))


def test_the_import_of_an_export_has_its_lq_images(built: Path, tmp_path: Path) -> None:
    degrade_set(built, [load_recipe("refldm-moderate")], DegradeOptions(split="test"))
    for form in ("parquet", "folders", "ffhq-ref"):
        export_set(built, tmp_path / form, form, recipes="refldm-moderate")
    found = ReferenceSet.read(built)
    made = read_parquet(str(tmp_path / "parquet"), str(tmp_path / "again"))
    for name in sorted(path.name for path in found.lq_folder("refldm-moderate").iterdir()):
        if not name.startswith("."):
            mine = (found.lq_folder("refldm-moderate") / name).read_bytes()
            assert (made.lq_folder("refldm-moderate") / name).read_bytes() == mine, name
            assert (tmp_path / "folders" / "lq" / "refldm-moderate" / name).read_bytes() == mine
    (verified,) = verify_lq_of_set(tmp_path / "again", ["refldm-moderate"], "test")
    keys = {target.key for target in found.select("test")}
    assert set(verified.identical) == keys
    images = tmp_path / "ffhq-ref" / "test_images" / "refldm-moderate"
    assert {path.stem for path in images.iterdir()} == keys
    shutil.rmtree(tmp_path / "parquet" / "lq")
    other = read_parquet(tmp_path / "parquet", tmp_path / "old")
    info, was = (LqInfo.read(one.lq_folder("refldm-moderate")) for one in (other, found))
    assert (info.origin, info.lq_hash, info.seed) == ("imported", was.lq_hash, None)
    shutil.copytree(found.lq_folder("refldm-moderate"), tmp_path / "parquet" / "lq" / "refldm-moderate")
    write_info(tmp_path / "parquet" / "lq" / "refldm-moderate", info.model_copy(update={"lq_hash": "0" * 64}))
    with pytest.raises(FaultListError, match=r"does not belong to lq\.json"):
        read_parquet(tmp_path / "parquet", tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_refuses_lq_images_that_are_not_there(built: Path, tmp_path: Path, form: str) -> None:
    with pytest.raises(RefbenchError, match="has no LQ images of 'nosuch'; make them with: refbench degrade"):
        export_set(built, tmp_path / "out", form, recipes=["nosuch"])


def test_the_parquet_schema_is_one_that_datasets_2_to_5_read(built: Path, tmp_path: Path) -> None:
    export_set(built, tmp_path / "out")
    path = next((tmp_path / "out" / "data").glob("test-*.parquet"))
    said = json.loads(pq.read_schema(path).metadata[b"huggingface"])["info"]["features"]
    assert said["references"] == {"feature": {"_type": "Image"}, "_type": "Sequence"}
    kinds = {part["_type"] for part in said.values()}
    assert kinds == {"Value", "Image", "Sequence"}


def test_rows_that_hold_paths_alone(built: Path, tmp_path: Path) -> None:
    export_set(built, tmp_path / "out")
    found = ReferenceSet.read(built)
    for path in (tmp_path / "out" / "data").glob("*.parquet"):
        table = pq.read_table(path)
        rows = table.to_pylist()
        for row in rows:
            row["hq"] = {"bytes": None, "path": f"C:\\other\\place\\{row['hq']['path']}"}
        pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    with pytest.raises(FaultListError) as told:
        read_parquet(tmp_path / "out", tmp_path / "again")
    (fault,) = told.value.faults
    assert fault.startswith(f"{len(found.targets)} pictures are not in the files (")
    assert "embed_external_files=True" in fault
    assert not (tmp_path / "again").exists()
    for target in found.targets:
        shutil.copy(found.root / target.hq, tmp_path / "out" / "data" / f"{target.key}.png")
    assert read_parquet(tmp_path / "out", tmp_path / "again").info.content_hash == found.info.content_hash
    (tmp_path / "out" / "data" / f"{found.targets[0].key}.png").write_bytes(b"another picture")
    with pytest.raises(FaultListError, match="not the one that was exported"):
        read_parquet(tmp_path / "out", tmp_path / "wrong")


def test_damaged_and_foreign_parquet_is_one_sentence(built: Path, tmp_path: Path) -> None:
    export_set(built, tmp_path / "out")
    path = next((tmp_path / "out" / "data").glob("test-*.parquet"))
    whole = path.read_bytes()
    path.write_bytes(whole[:500] + bytes(400) + whole[900:])
    with pytest.raises(RefbenchError, match="damaged or no export"):
        read_parquet(tmp_path / "out", tmp_path / "again")
    path.write_bytes(whole)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["landmarks", "quality"]), path)
    with pytest.raises(FaultListError, match="has no column landmarks"):
        read_parquet(tmp_path / "out", tmp_path / "again")
    rows = table.to_pylist()
    rows[0]["key"] = "../../outside"
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    with pytest.raises(FaultListError, match="cannot name an image"):
        read_parquet(tmp_path / "out", tmp_path / "again")
    assert not list(tmp_path.rglob("outside*"))


def test_shards_hold_names_of_any_length(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "set")
    found = ReferenceSet.read(tmp_path / "set")
    first = found.select("test")[0]
    long = "k" * 107
    (tmp_path / "set" / first.hq).rename(tmp_path / "set" / "images" / f"{long}.png")
    renamed = [
        replace(
            target,
            key=long if target.key == first.key else target.key,
            hq=target.hq.replace(first.key, long),
            references=tuple(long if key == first.key else key for key in target.references),
        )
        for target in found.targets
    ]
    renamed.sort(key=lambda target: target.key)
    info = found.info.model_copy(update={"content_hash": content_hash(renamed)})
    ReferenceSet(tmp_path / "set", info, renamed).write()
    for out in ("one", "two"):
        export_set(tmp_path / "set", tmp_path / out, "webdataset", recipes=["blurred"])
    shard = tmp_path / "one" / "test-00000.tar"
    assert shard.read_bytes() == (tmp_path / "two" / "test-00000.tar").read_bytes()
    with tarfile.open(shard) as tar:
        assert {f"{long}.hq.png", f"{long}.json"} <= set(tar.getnames())
        assert all(member.mtime == 0 for member in tar)


def test_shards_have_complete_samples_and_equal_bytes(built: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        export_set(built, tmp_path / out, "webdataset", recipes=["blurred"])
    shard = tmp_path / "one" / "test-00000.tar"
    assert shard.read_bytes() == (tmp_path / "two" / "test-00000.tar").read_bytes()
    target = ReferenceSet.read(built).select("test")[0]
    with tarfile.open(shard) as tar:
        names = [name for name in tar.getnames() if name.startswith(target.key)]
        facts = json.load(tar.extractfile(f"{target.key}.json"))  # type: ignore[arg-type]
    assert names == [
        f"{target.key}.{part}" for part in ("hq.png", "lq_blurred.png", "ref0.png", "ref1.png", "json")
    ]
    assert facts["references"] == list(target.references)


def test_lq_images_made_elsewhere_are_checked_and_imported(built: Path, tmp_path: Path) -> None:
    out, source = tmp_path / "set", tmp_path / "severe_degrad"
    shutil.copytree(built, out, ignore=shutil.ignore_patterns("lq"))
    found = ReferenceSet.read(out)
    keys = [target.key for target in found.select("test")]
    for key in keys:
        made = degrade_image(read_rgb(found.hq_path(key)), load_recipe("refldm-moderate"), 0, key=key)
        write_png(source / f"{key}.png", made.pixels)

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, ["import-lq", str(out), str(source), *map(str, words)])

    done = run()
    assert done.exit_code == 0, done.output
    assert read_rgb(found.lq_path("severe_degrad", keys[0])).shape == (128, 128, 3)
    verified = CliRunner().invoke(app, ["verify", str(out)])
    assert f"{len(keys)} of {len(keys)} images as imported" in verified.output
    assert "not empty" in str(run().exception)
    assert isinstance(every := run("--name", "all", "--split", "all").exception, FaultListError)
    assert len(every.faults) == len(found.select("all")) - len(keys)
    write_png(source / f"{keys[0]}.png", np.zeros((64, 96, 3), np.uint8))
    write_png(source / "unrelated.png", np.zeros((128, 128, 3), np.uint8))
    assert isinstance(wrong := run("--name", "again").exception, FaultListError)
    assert [fault.partition(":")[2] for fault in sorted(wrong.faults)] == [
        " LQ is 96x64 pixels, HQ 128x128; an LQ image has the size of HQ, or is smaller in the same shape",
        " has no HQ image",
    ]
    assert "split 'rest'" in str(run("--name", "again", "--split", "rest").exception)
    assert "cannot name a file" in str(run("--name", "../up").exception)


def test_folders_are_read_back_by_a_build(built: Path, network: str, tmp_path: Path) -> None:
    export_set(built, tmp_path / "out", "folders")
    options = BuildOptions(
        aligned=True,
        recogniser=network,
        threshold=0.3,
        image_size=128,
        identities="folders",
        min_distance=0.0,
    )
    report = build_set(tmp_path / "out" / "test", tmp_path / "back", options)
    assert (report.counts["images"], report.counts["identities"]) == (6, 2)


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_never_overwrites_files(built: Path, tmp_path: Path, form: str) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RefbenchError, match="not an empty folder"):
        export_set(built, tmp_path, form)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_export_of_missing_images_is_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(RefbenchError, match="parquet, webdataset, ffhq-ref, folders"):
        export_set(built, tmp_path / "out", "zip")
    with pytest.raises(RefbenchError, match="no LQ images of 'severe'"):
        export_set(built, tmp_path / "out", "parquet", recipes=["severe"])
    shutil.copytree(built, tmp_path / "set")
    next((tmp_path / "set" / "images").glob("*.png")).write_bytes(b"changed")
    with pytest.raises(RefbenchError, match="refbench verify"):
        export_set(tmp_path / "set", tmp_path / "out", "parquet")
    with pytest.raises(RefbenchError, match="no set exported as Parquet"):
        read_parquet(tmp_path, tmp_path / "other")
