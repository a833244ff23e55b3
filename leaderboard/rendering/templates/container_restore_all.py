"""Restores every image of a kit: KIT/lq/KEY.png and its references become OUT/KEY.png.

    python restore_all.py KIT OUT

Write your model into `restore`; the rest may stay as it is. Images that are in OUT already are kept, so a
stopped run can be continued.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image


def restore(lq: np.ndarray, references: list[np.ndarray]) -> np.ndarray:
    """Restore one image; all are RGB uint8 (H, W, 3), the references in order of preference.

    Until it is edited, it returns the LQ image.
    """
    return lq


def read(path: Path) -> np.ndarray:
    """A PNG as RGB uint8 (H, W, 3)."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def main(kit: Path, out: Path) -> None:
    """Restore all images of ``references.json`` and copy the card beside them."""
    listed = json.loads((kit / "references.json").read_text("utf-8"))
    for number, (key, references) in enumerate(sorted(listed.items()), 1):
        path = out / f"{key}.png"
        if not path.exists():
            restored = restore(read(kit / "lq" / f"{key}.png"), [read(kit / name) for name in references])
            partial = out / f".{key}.part"
            Image.fromarray(restored).save(partial, "PNG")
            partial.replace(path)
        print(f"{number} of {len(listed)}: {key}", flush=True)
    shutil.copyfile(Path(__file__).with_name("submission.yaml"), out / "submission.yaml")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
