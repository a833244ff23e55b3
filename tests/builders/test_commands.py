"""Commands of reference sets: results and exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from refbench.builders.commands import app
from refbench.errors import RefbenchError
from refbench.images import write_png
from toys import EACH, PEOPLE, patches
from typer.testing import CliRunner


def test_the_commands_work_and_end_with_their_codes(built: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    shutil.copytree(built, out)

    def run(*words: object) -> tuple[int, str]:
        done = CliRunner().invoke(app, [str(word) for word in words])
        return done.exit_code, done.output

    write_png(out / "lq" / "blurred" / "once--0.png", patches(0, 0))
    code, text = run("verify", out)
    assert code == 1
    assert "blurred is not a whole LQ folder: it has no lq.json" in " ".join(text.split())
    shutil.rmtree(out / "lq")
    code, text = run("inspect", out, "--page", tmp_path / "page.html", "--json")
    assert code == 0
    assert json.loads(text[text.index("{") :])["info"]["counts"]["images"] == PEOPLE * EACH + 1
    assert (tmp_path / "page.html").is_file()
    assert run("verify", out)[0] == 0
    assert run("review", out)[0] == 0
    assert run("audit", out, "--strict")[0] == 0
    assert run("audit", out, "--strict", "--against", out)[0] == 1
    assert run("export", out, "--out", tmp_path / "parquet")[0] == 0
    assert run("import", tmp_path / "parquet", "--out", tmp_path / "imported")[0] == 0
    assert run("rebuild", out, "--from", folder, "--out", tmp_path / "again")[0] == 0
    assert run("export", out, "--out", tmp_path / "lists", "--to", "ffhq-ref")[0] == 0
    done = CliRunner().invoke(app, ["import", str(tmp_path / "lists"), "--out", str(tmp_path / "x")])
    assert isinstance(done.exception, RefbenchError)
    assert "--images" in str(done.exception)
    done = CliRunner().invoke(app, ["import", str(tmp_path / "absent"), "--out", str(tmp_path / "x")])
    assert "absent: there is no such folder or file" in str(done.exception)
    next((out / "images").glob("*.png")).unlink()
    code, text = run("verify", out)
    assert code == 1
    assert "is missing" in text
