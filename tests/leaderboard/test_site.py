"""The site: whole, self-contained, the same for the same inputs, safe against what submissions say."""

from __future__ import annotations

import errno
import html
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
import refbench as rb
import yaml
from refbench.errors import FaultListError, InvalidInputError, RefbenchError
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.examples.synthetic import SyntheticImages, make_synthetic_records
from refbench.leaderboard.figures.axes import Axis
from refbench.leaderboard.figures.plots import Point, pareto_front, scatter
from refbench.leaderboard.pages.pictures import PictureOptions, choose_keys, shrink
from refbench.leaderboard.rendering.site_folder import MANIFEST, UNFINISHED, Site
from refbench.leaderboard.site.publish import publish_site
from refbench.leaderboard.statistics.ranking import make_board
from refbench.leaderboard.statistics.statistics import means_with_intervals
from refbench.leaderboard.store.flags import Flag, write_flags
from refbench.leaderboard.store.settings import BoardSettings
from refbench.leaderboard.store.store import Store, StoredRecord
from refbench.metrics.catalogue import OFFLINE, PROTOCOLS
from refbench.records.record import Record
from refbench.records.reference_set import ReferenceSet
from toy_boards import uneven_records
from toys import files_of, store_of, with_card

DECLARED = {name: PROTOCOLS[name] for name in OFFLINE}
Scene = tuple[Store, ReferenceSet, list[Path]]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return write_example(tmp_path_factory.mktemp("scene"), DECLARED, models=4, identities=8, size=48)


@pytest.fixture(scope="module")
def site(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store, chosen, folders = scene
    return publish_site(store, tmp_path_factory.mktemp("site") / "out", [chosen], submissions=folders).parent


class Links(HTMLParser):
    """Collects what a page refers to, its ids, and the tags left open."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name in ("href", "src") and value is not None:
                self.links.append(value)
            if name == "id" and value:
                self.ids.append(value)
            assert not name.startswith("on"), f"an inline handler: {name}"


def pages(site: Path) -> Iterator[tuple[Path, Links, str]]:
    for path in sorted(site.rglob("*.html")):
        text = path.read_text("utf-8")
        parser = Links()
        parser.feed(text)
        yield path, parser, text


def test_every_link_leads_somewhere_and_none_leaves_the_site(site: Path) -> None:
    anchors = {path: set(parser.ids) for path, parser, _ in pages(site)}
    seen = 0
    for path, parser, _ in pages(site):
        for link in parser.links:
            if link.startswith("https://arxiv.org/"):
                continue
            assert not re.match(r"[a-z]+:|//", link), f"{path.name} refers to {link}"
            address, _, fragment = link.partition("#")
            target = (path.parent / unquote(address)).resolve() if address else path
            assert target.is_file(), f"{path}: {link} leads nowhere"
            if fragment and target.suffix == ".html" and "=" not in fragment:
                assert fragment in anchors[target], f"{path}: {link} has no such place"
            seen += 1
    assert seen > 200


def test_nothing_is_asked_of_any_server(site: Path) -> None:
    for name, data in files_of(site).items():
        if name.endswith((".css", ".js")):
            assert b"http" not in data.replace(b"http://www.w3.org", b""), name
            assert b"@import" not in data
            assert b"fetch(" not in data
            assert b"localStorage" not in data


def test_ids_are_unique_on_every_page(site: Path) -> None:
    for path, parser, _ in pages(site):
        assert len(parser.ids) == len(set(parser.ids)), path


def test_the_same_inputs_give_the_same_bytes(scene: Scene, site: Path, tmp_path: Path) -> None:
    store, chosen, folders = scene
    again = publish_site(store.root, tmp_path / "out", [chosen.root], submissions=folders[::-1]).parent
    assert files_of(again) == files_of(site)


def test_publishing_again_makes_nothing_anew_and_removes_what_is_gone(scene: Scene, tmp_path: Path) -> None:
    store, chosen, folders = scene
    out = tmp_path / "out"
    publish_site(store, out, [chosen], submissions=folders)
    before = files_of(out)
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*.webp")}
    publish_site(store, out, [chosen], submissions=folders)
    assert files_of(out) == before
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.webp")} == stamps
    publish_site(store, out)
    assert not list(out.rglob("*.webp"))
    assert not (out / "pictures").exists()
    assert (out / "index.html").is_file()


def test_a_folder_of_someone_else_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("precious")
    with pytest.raises(InvalidInputError, match="not a site made here"):
        publish_site(scene[0], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_a_damaged_picture_is_made_again(scene: Scene, tmp_path: Path) -> None:
    store, chosen, folders = scene
    out = tmp_path / "out"
    publish_site(store, out, [chosen], submissions=folders)
    picture = next(out.rglob("*.webp"))
    held = picture.read_bytes()
    picture.unlink()
    publish_site(store, out, [chosen], submissions=folders)
    assert picture.read_bytes() == held


def test_inputs_are_never_written_to(scene: Scene, tmp_path: Path) -> None:
    store, chosen, folders = scene
    roots = [store.root, chosen.root, *folders]
    before = [files_of(root) for root in roots]
    publish_site(store, tmp_path / "out", [chosen], submissions=folders)
    assert [files_of(root) for root in roots] == before


HEAD = re.compile(r'data-first="(\w+)" title="([^"]+)"><span>([^<]+)</span><i>(.)</i>')
CELL = re.compile(
    r'<td data-v="([^"]+)" data-r="(\d+) \d+ \d+"[^>]*>([^<]+)(?:<sup>[^<]*</sup>)?(?:<small>([^<]+))?'
)


def value_of(record: Record, name: str) -> float:
    if name in record.info.set_scores:
        return float(record.info.set_scores[name].value or 0.0)
    return float(record.scores.loc[record.scores["protocol"] == name, "value"].mean())


def check_row(row: str, mine: list[Record], record: Record) -> None:
    """The row of ``record`` shows what the records of its benchmark, ``mine``, say on every protocol."""
    cells = CELL.findall(row)
    assert len(cells) == len(DECLARED)
    for (exact, rank, text, interval), (name, protocol) in zip(cells, DECLARED.items(), strict=True):
        value = value_of(record, name)
        others = [value_of(each, name) for each in mine]
        better = [other > value if protocol.higher_is_better else other < value for other in others]
        rounding = 0.51 * 10**-protocol.decimals
        assert float(exact) == pytest.approx(value, rel=1e-12)
        assert float(text.replace("−", "-")) == pytest.approx(value, abs=rounding)
        assert int(rank) == 1 + sum(better)
        assert bool(interval) != protocol.is_set_metric
        if interval:
            scores = record.scores[record.scores["protocol"] == name]
            found = means_with_intervals(scores[["value"]].to_numpy(), scores["identity"].to_numpy())
            bounds = np.clip([found.low[0], found.high[0]], *protocol.bounds)
            shown = [float(end.replace("−", "-")) for end in re.split("–| to ", interval)]
            assert shown == pytest.approx(list(bounds), abs=rounding)


def test_tables_show_values_places_and_intervals(site: Path, scene: Scene) -> None:
    text = (site / "index.html").read_text("utf-8")
    sections = {part.split('"')[1]: part for part in text.split('<section class="benchmark" ')[1:]}
    by_benchmark: dict[str, list[StoredRecord]] = {}
    for entry in scene[0].stored():
        by_benchmark.setdefault(entry.folder.parent.name, []).append(entry)
    assert sections.keys() == by_benchmark.keys()
    heads = [
        (name, protocol.title, "descending↑" if protocol.higher_is_better else "ascending↓")
        for name, protocol in DECLARED.items()
    ]
    for slug, mine in by_benchmark.items():
        found = HEAD.findall(sections[slug])
        assert [(name, html.unescape(title), first + arrow) for first, name, title, arrow in found] == heads
        assert f"recipe {mine[0].record.info.benchmark.recipe}" in sections[slug]
        for entry in mine:
            link = f'href="models/{entry.name}.html"'
            row = next(part for part in sections[slug].split("<tr") if link in part)
            check_row(row, [each.record for each in mine], entry.record)


def test_what_a_submission_says_cannot_become_part_of_the_page(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    record = make_synthetic_records(DECLARED, 1, SyntheticImages.make(6, 3), recipes=("refldm-severe@1",))[0]
    hostile = with_card(
        record,
        model=evil,
        team=evil,
        url="javascript:alert(1)",
        paper='https://x/"onmouseover="x',
        notes=evil,
        licence=evil,
    )
    folder = Store(tmp_path / "store").add(hostile)
    write_flags(folder, [Flag(kind=evil, text=evil)])
    site = publish_site(tmp_path / "store", tmp_path / "out").parent
    for path, parser, text in pages(site):
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text
        assert not [link for link in parser.links if link.startswith("javascript")]
        assert parser.scripts <= 3


def test_script_data_cannot_close_its_script(scene: Scene, site: Path) -> None:
    for path in site.rglob("album.js"):
        assert "<" not in path.read_text("utf-8")


def test_incomplete_entries_and_flags_are_shown_with_their_reason(tmp_path: Path) -> None:
    records = make_synthetic_records(DECLARED, 3, SyntheticImages.make(12, 6), recipes=("refldm-severe@1",))
    scores = records[0].scores.copy()
    scores.loc[scores["key"] == scores["key"].iloc[0], ["value", "reason"]] = [
        np.nan,
        "no image was submitted",
    ]
    store = Store(tmp_path / "store")
    folder = store.add(replace(records[0], scores=scores))
    write_flags(folder, [Flag(kind="copy of HQ", text="2 of 12 outputs are a copy of HQ", images=2, of=12)])
    store.add(records[1])
    text = publish_site(store, tmp_path / "out").read_text("utf-8")
    assert "1 of 12 images unscored: no image was submitted" in text
    assert "copy of HQ" in text


def test_copies_found_while_publishing_are_flagged(scene: Scene, tmp_path: Path) -> None:
    store, chosen, folders = scene
    import shutil

    from refbench.files import sha256_file
    from refbench.leaderboard.submission.submission import submission_hash

    own = tmp_path / "copy"
    shutil.copytree(folders[-1], own)
    for target in chosen.select("test"):
        shutil.copy(chosen.hq_path(target.key), own / f"{target.key}.png")
    digests = {t.key: sha256_file(own / f"{t.key}.png") for t in chosen.select("test")}
    record = next(r for r in store.records() if r.info.benchmark.recipe.startswith("refldm-severe"))
    info = with_card(record, model="Too good").info.model_copy(
        update={"submission_hash": submission_hash(digests, digests)}
    )
    mine = Store(tmp_path / "store")
    mine.import_records(store.root)
    mine.add(Record(info, record.scores))
    text = publish_site(mine, tmp_path / "out", [chosen], submissions=[own]).read_text("utf-8")
    count = len(digests)
    assert f"{count} of {count} outputs are a copy of HQ" in text


def test_the_page_of_protocols_says_what_each_number_is(site: Path) -> None:
    text = (site / "how.html").read_text("utf-8")
    for protocol in DECLARED.values():
        assert protocol.id in text
        assert protocol.definition.split("'")[0].split('"')[0] in text


def test_an_empty_store_still_makes_a_page(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    text = publish_site(tmp_path / "store", tmp_path / "out").read_text("utf-8")
    assert "There are no records yet" in text
    with pytest.raises(RefbenchError, match="not a folder"):
        publish_site(tmp_path / "absent", tmp_path / "elsewhere")


def test_pictures_are_capped_with_the_galleries_first(scene: Scene, tmp_path: Path) -> None:
    store, chosen, folders = scene
    out = publish_site(
        store, tmp_path / "out", [chosen], submissions=folders, pictures=PictureOptions(most=5)
    ).parent
    shown = {path.stem for path in out.rglob("thumb/*.webp")}
    assert 5 <= len(shown) <= 10
    assert len(list(out.rglob("lq-refldm-severe/*.webp"))) == 5


def test_chosen_keys_keep_their_order_and_number() -> None:
    from refbench.leaderboard.pages.galleries import Galleries

    keys = [f"k{n:03d}" for n in range(100)]
    found = choose_keys(keys, Galleries(best=("k050",), worst=("k051",), disputed=("k099",)), 10)
    assert len(found) == 10
    assert list(found) == sorted(found)
    assert {"k050", "k051", "k099", "k000"} <= set(found)
    assert choose_keys(keys, Galleries(), 100) == tuple(keys)


def test_pictures_shrink_and_never_grow() -> None:
    pixels = np.zeros((40, 80, 3), dtype=np.uint8)
    assert shrink(pixels, 20).shape == (10, 20, 3)
    assert shrink(pixels, 200) is pixels


def test_the_pareto_front_known_answer() -> None:
    def point(label: str, x: float, y: float) -> Point:
        return Point(label, "#", x, y, (x, x), (y, y))

    up, down = Axis("up", True), Axis("down", False)
    points = [point("a", 1, 5), point("b", 2, 3), point("c", 1, 3), point("d", 3, 6), point("e", 0, 6)]
    assert [p.label for p in pareto_front(points, up, down)] == ["b", "d"]
    assert [p.label for p in pareto_front(points, up, up)] == ["d"]
    twins = [point("a", 1, 1), point("b", 1, 1)]
    assert len(pareto_front(twins, up, up)) == 2


def test_plots_escape_labels() -> None:
    points = [Point("<b>&", "#", 1, 2, (1, 1), (2, 2)), Point("c", "#", 2, 1, (2, 2), (1, 1))]
    svg = scatter(points, Axis("x & y", True), Axis("z", None), title="t")
    assert "<b>" not in svg
    assert "x &amp; y" in svg


def test_the_mean_is_named_wherever_an_interval_stands(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", uneven_records())
    for over, other in (("images", "people"), ("people", "images")):
        site = rb.publish(store.root, tmp_path / over, mean=over).parent
        front, model = ((site / name).read_text("utf-8") for name in ("index.html", "models/Model-A@1.html"))
        assert front.index(f"Means are over {over}") < front.index(f"Means are over {other}")
        assert "6 people weigh like 4.6 of equal size, so see the mean over people too" in front
        assert f"Value (mean over {over})" in model
        assert f"Mean over {other}</th>" in model
        assert all(f"means over {over}" in caption for caption in re.findall("<figcaption>.*?<", front))
        (table,) = make_board(store.stored(), PROTOCOLS, BoardSettings(), over=over).tables
        named = site / "downloads" / f"{table.slug}.json"
        assert json.loads(named.read_text("utf-8"))["mean_over"] == over
        other_csv = (site / "downloads" / f"{table.slug}-{other}.csv").read_text("utf-8")
        assert {line.rpartition(",")[2] for line in other_csv.splitlines()[1:]} == {other, ""}
        pairs = pd.read_csv(site / "downloads" / f"{table.slug}-pairs.csv")
        assert ((pairs["p"] < 0.05) == ((pairs["low"] > 0) | (pairs["high"] < 0))).all()
        assert set(pairs["mean_over"]) == {over}


@pytest.mark.slow
def test_fifty_models_stay_light(tmp_path: Path) -> None:
    """50 models x 857 images: what the front page needs before any picture is under 300 kB."""
    store = Store(tmp_path / "store")
    for record in make_synthetic_records(
        DECLARED, 50, SyntheticImages.make(857, 150), recipes=("refldm-severe@1",)
    ):
        store.add(record)
    site = publish_site(store, tmp_path / "out").parent
    needed = [site / "index.html", *(site / "assets").iterdir()]
    assert sum(path.stat().st_size for path in needed) < 300_000


def test_the_hub_reads_the_model_card(site: Path, scene: Scene) -> None:
    from huggingface_hub import ModelCardData
    from huggingface_hub.repocard_data import model_index_to_eval_results

    text = (site / "downloads" / "model-index" / "Model-A@1.md").read_text("utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    name, results = model_index_to_eval_results(front["model-index"])
    assert name == "Model A"
    assert len(results) == 2 * len(DECLARED)
    exact = {(r.metric_type, r.dataset_config): r.metric_value for r in results}
    record = scene[0].records()[0]
    mean = record.scores.query("protocol == 'psnr/rgb'")["value"].mean()
    assert exact["psnr/rgb", record.info.benchmark.recipe] == pytest.approx(mean, rel=1e-12)
    assert ModelCardData(model_name=name, eval_results=results).to_dict()["model-index"]


def test_a_folder_without_site_json_is_not_a_whole_site_and_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "site"
    first = Site.open(out)
    assert not (out / MANIFEST).exists()
    first.text("a.html", "one")
    first.text("gone.html", "old")
    first.keep_or_make("p.webp", "f1", lambda: b"picture 1")
    first.finish()
    assert not (out / UNFINISHED).exists()

    killed = Site.open(out)
    assert not (out / MANIFEST).exists()
    os.utime(out / UNFINISHED, (2_000_000_000, 2_000_000_000))  # what is written from here on is newer
    killed.keep_or_make("p.webp", "f2", lambda: b"picture 2")
    os.utime(out / "p.webp", (2_000_000_009, 2_000_000_009))

    again = Site.open(out)
    again.text("a.html", "one")
    again.keep_or_make("p.webp", "f1", lambda: b"picture 1")
    assert (out / "p.webp").read_bytes() == b"picture 1"
    again.finish()
    assert sorted(path.name for path in out.iterdir()) == ["a.html", "p.webp", MANIFEST]


def test_a_study_on_a_full_disk_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    site = Site.open(tmp_path / "study")
    monkeypatch.setattr("refbench.leaderboard.rendering.site_folder.write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        site.text("index.html", "page")
    assert not (tmp_path / "study" / MANIFEST).exists()


def test_settings_that_name_unknown_protocols_are_refused_before_the_site_is_touched(tmp_path: Path) -> None:
    records = make_synthetic_records({name: PROTOCOLS[name] for name in OFFLINE}, 2)
    store = Store(tmp_path / "store")
    for record in records:
        store.add(record)
    (store.root / "board.yaml").write_text(
        "composite: [psnr/y-ful, lpips/nowhere]\nplots: [[psnr/y-full, ssim/y-ful]]\n"
    )
    with pytest.raises(FaultListError) as refused:
        publish_site(store, tmp_path / "site")
    said = str(refused.value)
    assert "board.yaml: 3 faults" in said
    assert "composite: no such protocol 'psnr/y-ful'; did you mean 'psnr/y-full'?" in said
    assert "plots: no such protocol 'ssim/y-ful'; did you mean 'ssim/y-full" in said
    assert not (tmp_path / "site").exists()
    (store.root / "board.yaml").write_text("composite: [psnr/y-full]\n")
    assert publish_site(store, tmp_path / "site").is_file()
