"""Names and versions of what restorers make: model, preset, settings; what the user says wins."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from refbench.errors import FaultListError, RefbenchError
from refbench.models.checkpoints.registry import load_restorer
from refbench.models.refldm.restorer import PRESETS
from refbench.models.restoration import restore_set
from refbench.models.restorers.options import RestoreOptions
from refbench.models.restorers.sampling import choose_sampling, version_with
from refbench.models.restorers.user_restorers import CommandRestorer
from refbench.records.card import read_card
from refbench.records.reference_set import ReferenceSet
from refbench.verbs import evaluate, score
from toys import write_noise_set

BROKEN = """
class Broken:
    def __init__(self, preset=None):
        self.facts = {}

    @property
    def card(self):
        return self.facts["card"]

    def restore(self, lq, references, generators):
        return lq
"""
FAILS = """
from refbench import RestorerCard

class Fails:
    card = RestorerCard(model="fails")

    def restore(self, lq, references, generators):
        return {}["face"]
"""


@pytest.fixture
def made(tmp_path: Path) -> ReferenceSet:
    return write_noise_set(tmp_path / "set")


@pytest.mark.parametrize(
    ("preset", "version"),
    [
        (None, "released"),
        ("paper", "released"),
        ("fast", "released+fast"),
        ("steps=20,solver=dpm++,demo", "released+fast"),
        ("demo,steps=20", "released+demo+steps-20"),
        ("noise=image,steps=99", "released+noise-image+steps-99"),
    ],
)
def test_a_version_says_preset_and_settings_however_they_are_written(
    preset: str | None, version: str
) -> None:
    assert version_with("released", PRESETS, choose_sampling(PRESETS, preset, "refldm")) == version


def test_two_presets_of_a_model_have_two_names() -> None:
    versions = {
        load_restorer("refldm-mini", preset).card.version for preset in (None, "null", "demo", "steps=5")
    }
    assert len(versions) == 4
    plain = load_restorer("refldm-mini").card
    assert load_restorer("refldm-mini", "mini").card == plain
    assert "+" not in plain.version


def test_commands_are_named_by_program_and_told_apart_by_all_words() -> None:
    commands = (
        "python a/GFPGAN/run.py {lq} {out}",
        "python a/CodeFormer/run.py -w 0.5 {lq} {out}",
        "python a/CodeFormer/run.py -w 0.7 {lq} {out}",
        "python -m codeformer {lq} {out}",
        "bin/restorer --strength 3 {lq} {out}",
        "run.py {lq} {out}",
    )
    cards = [CommandRestorer(command).card for command in commands]
    wanted = ["GFPGAN-run", "CodeFormer-run", "CodeFormer-run", "codeformer", "restorer", "run"]
    assert [card.model for card in cards] == wanted
    assert len({card.version for card in cards}) == len(cards)
    assert CommandRestorer(commands[-1]).card == cards[-1]


def test_a_name_and_a_version_of_ones_own(made: ReferenceSet, tmp_path: Path) -> None:
    out = tmp_path / "out"
    restore_set(made.root, "dim", "lq-copy", out=out, options=RestoreOptions(name="Mine"))
    assert read_card(out / "submission.yaml").model == "Mine"
    restore_set(made.root, "dim", "lq-copy", out=out, options=RestoreOptions(version="2"))
    card = read_card(out / "submission.yaml")
    assert (card.model, card.version) == ("Mine", "2")


def test_a_folder_of_0_1_is_taken_up_under_the_new_name(made: ReferenceSet, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = f'{sys.executable} -c "import shutil, sys; shutil.copy(*sys.argv[1:])" {{lq}} {{out}}'
    restore_set(made.root, "dim", command, out=out)
    written = json.loads((out / "restore.json").read_text())
    written["restorer"] |= {"model": "run", "version": "1"}
    (out / "restore.json").write_text(json.dumps(written))
    assert not restore_set(made.root, "dim", command, out=out).restored
    with pytest.raises(RefbenchError, match="another restorer"):
        restore_set(made.root, "dim", command.replace("copy", "copyfile"), out=out)


def test_a_name_that_another_submission_has_is_told_before_any_work(
    made: ReferenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    for folder, model, name in (
        ("a", "lq-copy", "Same"),
        ("b", "classical", "Same"),
        ("c", "classical", "C"),
    ):
        restore_set(made.root, "dim", model, out=tmp_path / folder, options=RestoreOptions(name=name))
    with pytest.raises(FaultListError, match=r"are both called 'Same 1'(.|\n)*--name or --version"):
        score(made.root, "dim", [tmp_path / "a", tmp_path / "b"], store, protocols="psnr/y-full")
    assert not list(store.glob("*/*/record.json"))
    score(made.root, "dim", [tmp_path / "a", tmp_path / "c"], store, protocols="psnr/y-full")
    assert len(list(store.glob("*/*/record.json"))) == 2
    monkeypatch.setattr("refbench.metrics.scoring.score.score_many", None)
    with pytest.raises(FaultListError, match="already holds a record of 'Same' whose images differ"):
        score(made.root, "dim", tmp_path / "b", store, protocols="psnr/y-full")
    with pytest.raises(FaultListError, match="already holds a record of 'Same' whose card differ"):
        evaluate(made.root, "dim", "reference-copy", tmp_path / "runs", store=store, name="Same")
    assert not list((tmp_path / "runs").rglob("*.png"))


def test_an_error_in_a_users_class_says_where(
    made: ReferenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken_one.py").write_text(BROKEN)
    (tmp_path / "fails_one.py").write_text(FAILS)
    (tmp_path / "import_one.py").write_text("{}['x']\n")
    with pytest.raises(RefbenchError, match=r"KeyError: 'card' \(.*broken_one.py, line 8, in card\)"):
        restore_set(made.root, "dim", "broken_one:Broken", out=tmp_path / "out")
    report = restore_set(made.root, "dim", "fails_one:Fails", out=tmp_path / "out")
    reason = next(iter(report.failures.values()))
    assert reason.startswith("KeyError: 'face' (")
    assert reason.endswith("fails_one.py, line 8, in restore)")
    with pytest.raises(RefbenchError, match=r"importing import_one fails: KeyError: 'x' \(.*line 1"):
        restore_set(made.root, "dim", "import_one:X", out=tmp_path / "out")
