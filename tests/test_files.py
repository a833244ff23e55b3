from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refbench.files import canonical_json, replacing, sha256_file, write_json, write_table, write_text

pytestmark = pytest.mark.core


def test_a_failed_write_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    target = tmp_path / "table.txt"
    write_text(target, "old")

    def interrupted() -> None:
        with replacing(target) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.txt"]


@given(
    st.dictionaries(st.text(), st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False))
)
def test_canonical_json_ignores_the_order_of_keys(value: dict[str, object]) -> None:
    shuffled = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(shuffled)


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"value": math.nan})
    assert not list(tmp_path.iterdir())


def test_equal_tables_have_equal_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"key": ["a", "b"], "value": [1.0, math.nan], "references": [["x"], []]})
    write_table(tmp_path / "1.parquet", frame)
    write_table(tmp_path / "2.parquet", frame.copy())
    assert sha256_file(tmp_path / "1.parquet") == sha256_file(tmp_path / "2.parquet")
    pd.testing.assert_series_equal(pd.read_parquet(tmp_path / "1.parquet")["value"], frame["value"])
