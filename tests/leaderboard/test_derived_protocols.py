"""Protocols that are derived from ids in records are known to the board and to the check of a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from refbench.leaderboard.site.publish import declared_protocols
from refbench.leaderboard.store.store import Store
from refbench.metrics.catalogue import PROTOCOLS, protocols_of
from refbench.records.record import Record

OLD = Path(__file__).resolve().parents[1] / "fixtures" / "v0_1" / "store"
LOWER = "lpips/alex-v0.1+bf16"


def test_records_with_derived_ids_are_checked_and_shown(tmp_path: Path) -> None:
    (folder,) = (path.parent for path in OLD.glob("*/*/record.json"))
    record = Record.read(folder)
    name = "lpips/alex-v0.1"
    assert name in record.info.benchmark.protocols
    ids = tuple(LOWER if id == name else id for id in record.info.benchmark.protocols)
    benchmark = record.info.benchmark.model_copy(update={"protocols": ids})
    scores = record.scores.assign(protocol=record.scores["protocol"].replace(name, LOWER))
    scores.loc[scores["protocol"] == LOWER, "value"] = -1.0
    store = Store(tmp_path / "store")
    store.add(replace(record, info=record.info.model_copy(update={"benchmark": benchmark}), scores=scores))
    assert LOWER in store.protocol_ids()
    known = declared_protocols(None, store.stored())
    assert known[LOWER].compared_with == "hq"
    assert LOWER not in PROTOCOLS
    problems = [problem.what for problem in store.verify(protocols_of(store.protocol_ids()))]
    assert any(LOWER in what for what in problems), "a value below the bounds of LPIPS"
    assert not any(LOWER in problem.what for problem in store.verify(PROTOCOLS))
