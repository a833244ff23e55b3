"""The release files of FFHQ-Ref and CelebA-Test-Ref: parsed, never evaluated; every fault listed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refbench.builders.build import build_set
from refbench.builders.exchange.ffhq_ref import parse_list, read_release, write_release
from refbench.builders.exchange.import_release import import_release
from refbench.builders.exchange.release import SplitCounts
from refbench.builders.rebuild import rebuild_set
from refbench.builders.settings.options import BuildOptions, ImportOptions
from refbench.builders.verify import verify_set
from refbench.errors import FaultListError, RefbenchError
from refbench.images import write_png
from refbench.records.reference_set import ReferenceSet
from toys import patches, save_patch_recogniser

TRAIN = "gt_image,ref_image\n00001.png,\"['00002.png', '00003.png']\"\n00002.png,\"['00001.png']\"\n"
TEST = """gt_image,lq_image,ref_image
00010.png,00010.png,"['00011.png']"
00011.png,00011.png,"['00010.png']"
"""


def release(root: Path, **files: str) -> Path:
    """A release folder; ``train``, ``val``, ``test`` are mappings, ``train_list`` and so on lists."""
    for name, text in files.items():
        split, _, listing = name.partition("_")
        path = (
            f"id_based_ffhq_split/{split}_image.txt"
            if listing
            else f"reference_mapping/{split}_references.csv"
        )
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_lists_are_parsed() -> None:
    assert parse_list("['02293.png', '17651.png']") == ("02293.png", "17651.png")
    assert parse_list('["it\'s.png"]') == ("it's.png",)
    assert parse_list(" [ 'a.png' , \"b.png\", ] ") == ("a.png", "b.png")
    assert parse_list("[]") == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.png",
        "['a.png'",
        "['a.png' 'b.png']",
        "[['a.png']]",
        "[a.png]",
        "[1]",
        "['a' + 'b']",
        "['a\\x2e.png']",
        "__import__('os').system('true')",
        "[__import__('os').getcwd()]",
        "['a.png'] or 1",
        "('a.png',)",
        "[,]",
        "['a\n']",
        "[" * 5000,
    ],
)
def test_what_is_no_plain_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a list"):
        parse_list(text)


names = st.text(st.characters(exclude_characters="'\\\"\n", exclude_categories=["C", "Z"]), min_size=1)


@given(st.lists(names, max_size=6))
def test_every_list_that_python_writes_is_read(given_names: list[str]) -> None:
    assert parse_list(str(given_names)) == tuple(given_names)


def test_identities_are_connected_components(tmp_path: Path) -> None:
    """Lists are not transitive: 1-2, 2-3 and 3-4 make one person of four images."""
    rows = "".join(f"{a}.png,\"['{b}.png']\"\n" for a, b in ((1, 2), (3, 2), (3 + 1, 3), (8, 9)))
    found = read_release(release(tmp_path, train="gt_image,ref_image\n" + rows))
    identities = found.identities()
    assert len({identities[f"{n}.png"] for n in (1, 2, 3, 4)}) == 1
    assert identities["8.png"] == identities["9.png"] != identities["1.png"]
    assert found.counts() == {"train": SplitCounts(4, 2, None)}


def test_counts_are_compared_with_the_published_ones(tmp_path: Path) -> None:
    found = read_release(release(tmp_path, test=TEST, test_list="00010.png\n00011.png\n"))
    lines = found.differences_from_published("ffhq-ref")
    assert "ffhq-ref: test has 2 with references, published were 857" in lines
    assert "ffhq-ref: test has 1 identities, published were 150" in lines
    assert "ffhq-ref: the split train is missing" in lines
    assert found.differences_from_published("celeba-test-ref") == [
        "celeba-test-ref: test has 2 with references, published were 2,533"
    ]
    with pytest.raises(RefbenchError, match="ffhq-ref, celeba-test-ref"):
        found.differences_from_published("nothing")


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    train = (
        "gt_image,ref_image\n"
        "1.png,['2.png'\n"
        "2.png,\"['../../secret.png']\"\n"
        "3.png,\"['/etc/../x']\"\n"
        "4.png,\"['4.png']\"\n"
        "5.png,\"['6.png', '6.png']\"\n"
        "7.png\n"
        "8.png,\"['9.png']\"\n"
        "8.png,\"['9.png']\"\n"
        "A.png,\"['a.png']\"\n"
        "b.png,\"['10.png']\"\n"
    )
    test = "gt_image,lq_image,ref_image\n10.png,10.png,\"['11.png']\"\n"
    with pytest.raises(FaultListError) as refusal:
        read_release(release(tmp_path, train=train, test=test, train_list="8.png\n8.png\n..\\x.png\n"))
    text = str(refusal.value)
    for words in (
        "train_references.csv, line 2: not a list",
        "line 3: '../../secret.png' leads out",
        "line 4: '/etc/../x' leads out",
        "line 5: 4.png is its own reference",
        "line 6: the list names a reference twice",
        "line 7: has 1 cells; the first line names",
        "8.png is a target 2 times",
        "A.png and a.png differ only in case",
        "10.png is in several splits: test, train",
        "8.png is listed 2 times in train",
        "leads out of the folder",
        "but in no list of images",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"train": "image,refs\n"}, "the first line must name the columns gt_image"),
        ({"train": ""}, "the first line must name the columns gt_image"),
        ({"train": 'gt_image,ref_image\n"a.png,[]\n'}, "line"),
        ({}, "is not a release"),
    ],
)
def test_what_is_no_release_is_refused(tmp_path: Path, files: dict[str, str], words: str) -> None:
    with pytest.raises(RefbenchError, match=words):
        read_release(release(tmp_path, **files))


def test_a_weight_column_and_a_byte_order_mark_are_accepted(tmp_path: Path) -> None:
    found = read_release(
        release(tmp_path, train="\ufeffgt_image,ref_image,weight\n1.png,\"['2.png']\",0.5\n")
    )
    assert found.rows["train"][0].references == ("2.png",)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_patch_recogniser(tmp_path_factory.mktemp("networks")))


@pytest.fixture
def options(network: str) -> ImportOptions:
    return ImportOptions(recogniser=network, image_size=128, name="adopted")


def test_a_set_goes_out_as_a_release_and_comes_back_the_same(
    tmp_path: Path, network: str, options: ImportOptions
) -> None:
    for number in range(8):
        for photo in range(3):
            write_png(tmp_path / "photos" / f"{number}{photo}.png", patches(number, photo))
    write_png(tmp_path / "photos" / "99.png", patches(99, 0))
    chosen = BuildOptions(aligned=True, recogniser=network, threshold=0.3, image_size=128, test=0.4)
    build_set(tmp_path / "photos", tmp_path / "set", chosen)
    first = ReferenceSet.read(tmp_path / "set")
    assert len(write_release(first, tmp_path / "release")) == 6
    everything = options.model_copy(update={"everything": True})
    report = import_release(
        tmp_path / "release", tmp_path / "set" / "images", tmp_path / "back", options=everything
    )
    second = ReferenceSet.read(tmp_path / "back")
    assert report.lines == ()
    for one, two in zip(first.targets, second.targets, strict=True):
        for part in ("key", "split", "hq_sha256", "references", "identity", "phash"):
            assert getattr(one, part) == getattr(two, part), part
        assert one.reference_distances == pytest.approx(two.reference_distances, abs=1e-6)
    assert verify_set(tmp_path / "back").is_valid
    with pytest.raises(RefbenchError, match="was imported"):
        rebuild_set(tmp_path / "back", tmp_path / "photos")
    linked = import_release(
        tmp_path / "release", tmp_path / "set" / "images", tmp_path / "fewer", options=options
    )
    assert linked.counts["images"] == 24


def test_missing_images_are_all_listed_and_the_rest_goes_on(tmp_path: Path, options: ImportOptions) -> None:
    published = release(tmp_path / "release", train=TRAIN, test=TEST)
    for name, number in (("00001", 1), ("00002", 1), ("10/00010", 2), ("11/00011", 2), ("twice/00010", 2)):
        write_png(tmp_path / "images" / f"{name}.png", patches(number, int(name[-5:])))
    report = import_release(published, tmp_path / "images", tmp_path / "set", options=options)
    reasons = {line.source: line.reason for line in report.lines}
    assert reasons["00003.png"] == "is missing"
    assert reasons["00001.png"] == "1 of 2 references are missing: 00003.png"
    assert reasons["00010.png"].startswith("there are 2 files of this name")
    assert reasons["00011.png"] == "1 of 1 references are missing: 00010.png"
    found = ReferenceSet.read(tmp_path / "set")
    assert {target.key: target.references for target in found.targets} == {
        "00001": ("00002",),
        "00002": ("00001",),
        "00011": (),
    }
    shutil.rmtree(tmp_path / "images")
    (tmp_path / "images").mkdir()
    with pytest.raises(RefbenchError, match="none of the 5 images"):
        import_release(published, tmp_path / "images", tmp_path / "other", options=options)


def test_a_single_csv_is_a_test_split_and_other_suffixes_will_do(
    tmp_path: Path, options: ImportOptions
) -> None:
    (tmp_path / "celeba.csv").write_text(TEST.replace("png", "jpg"))
    for name in ("00010", "00011"):
        write_png(tmp_path / "images" / f"{name}.png", patches(1, int(name)))
    import_release(tmp_path / "celeba.csv", tmp_path / "images", tmp_path / "set", options=options)
    assert [t.split for t in ReferenceSet.read(tmp_path / "set").targets] == ["test", "test"]


@pytest.mark.parametrize(
    "names",
    [
        ("/data/ffhq/00000/a.png", "/data/ffhq/01000/a.png", "/data/ffhq/01000/b"),
        ("D:/ffhq/00000/a.png", "D:/ffhq/01000/a", "D:/ffhq/01000/b.jpg"),
        ("00000/a.png", "01000/a.png", "b"),
        ("00000/a", "01000/a", "01000/b.v2"),
    ],
    ids=["absolute", "windows", "nested", "suffixless"],
)
def test_names_may_be_absolute_nested_or_without_suffix(
    tmp_path: Path, options: ImportOptions, names: tuple[str, str, str]
) -> None:
    last = "b.v2.png" if names[2].endswith("v2") else "b.png"
    for number, file in enumerate(("00000/a.png", "01000/a.png", f"01000/{last}")):
        write_png(tmp_path / "images" / file, patches(1, number))
    rows = "".join(
        f"{name};/elsewhere/lq/{number}.png;\"['{names[number - 1]}']\"\n"
        for number, name in enumerate(names)
    )
    (tmp_path / "list.csv").write_text(f"gt_image;lq_image;ref_image\n{rows}")
    report = import_release(tmp_path / "list.csv", tmp_path / "images", tmp_path / "set", options=options)
    assert not [line for line in report.lines if line.dropped]
    found = ReferenceSet.read(tmp_path / "set")
    assert sorted(target.source for target in found.targets) == [
        "00000/a.png",
        "01000/a.png",
        f"01000/{last}",
    ]
    assert all(len(target.references) == 1 for target in found.targets)
    assert not any(word in target.key for target in found.targets for word in ("data", "ffhq", "D"))
