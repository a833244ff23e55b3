"""Scores one submission on Codabench: INPUT/ref is the private data, INPUT/res the submission."""

import json
import os
import sys
from pathlib import Path


def main(given: Path, output: Path) -> int:
    """Write ``scores.json`` and the record; 1 with every fault on stderr if the submission is faulty."""
    held = given / "ref"
    os.environ.setdefault("REFBENCH_WEIGHTS", str(held / "weights"))
    os.environ["HF_HUB_OFFLINE"] = "1"
    settings = json.loads((Path(__file__).parent / "settings.json").read_text("utf-8"))

    from refbench import RefbenchError, ReferenceSet
    from refbench.leaderboard import check_submission, column_key
    from refbench.metrics import score_images

    output.mkdir(parents=True, exist_ok=True)
    try:
        chosen = ReferenceSet.read(held / "set")
        checked = check_submission(given / "res", chosen, settings["split"])
        if checked.faults or checked.submission is None:
            print("The submission is faulty:", *checked.faults, sep="\n  - ", file=sys.stderr)
            return 1
        found = checked.submission
        record = score_images(
            chosen,
            settings["recipe"],
            found.images,
            card=found.card,
            split=settings["split"],
            protocols=settings["protocols"],
            references="all",
            device="cpu",
        )
    except RefbenchError as error:
        print(error, file=sys.stderr)
        return 1
    record.write(output / "record")
    means = record.scores.groupby("protocol")["value"].mean().to_dict()
    means.update({name: score.value for name, score in record.info.set_scores.items()})
    scores = {column_key(str(name)): value for name, value in means.items() if value is not None}
    (output / "scores.json").write_text(json.dumps(scores, indent=2, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
