"""Simulated pictures to look at: `python -m models.training.contact_sheet --out sheet.png`.

Each picture is one sample of training, under it the radius of its middle tile, px, and whether its blur can be known.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ExitCode, InputError
from models.training.losses import targets
from models.training.plan import CHUNK
from models.training.samples import UNKNOWN_RADIUS_PX, Samples, stream

CELL_PX = 256
CAPTION_PX = 20
SHEET_SEED = 31


def sheet_of(samples: Samples, columns: int) -> NDArray[np.uint8]:
    """The middle CELL_PX of each sample, uint8 (H, W), the last row filled with black."""
    _, weight, known = (target.numpy() for target in targets(samples))
    cells = []
    for number, luma in enumerate(samples.luma):
        start = (len(luma) - CELL_PX) // 2
        cell = np.zeros((CELL_PX + CAPTION_PX, CELL_PX), np.uint8)
        cell[:CELL_PX] = luma[start : start + CELL_PX, start : start + CELL_PX]
        radius = samples.radius_px[number, 1, 1]
        said = "noise" if radius == UNKNOWN_RADIUS_PX else f"{radius:.1f} px"
        said += f" weight {weight[number, 1, 1]:.1f}{'' if known[number, 1, 1] else ' unknowable'}"
        cv2.putText(cell, said, (4, CELL_PX + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1, cv2.LINE_AA)
        cells.append(cell)
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    rows = [np.hstack(cells[start : start + columns]) for start in range(0, len(cells), columns)]
    return np.vstack(rows)


def main(argv: list[str] | None = None) -> int:
    """Write a sheet. Returns an exit code; raises InputError if it cannot."""
    options = argparse.ArgumentParser(
        prog="python -m models.training.contact_sheet", description="Pictures to look at."
    )
    options.add_argument("--out", type=Path, default=Path("sheet.png"), help="picture to write")
    options.add_argument("--count", type=int, default=40, help=f"how many, 1 to {CHUNK}")
    options.add_argument("--columns", type=int, default=8)
    options.add_argument("--seed", type=int, default=SHEET_SEED)
    options.add_argument("--textures", type=Path, metavar="DIR", help="sharp photographs of your own")
    chosen = options.parse_args(argv)
    if not 1 <= chosen.count <= CHUNK or chosen.columns < 1:
        raise InputError(f"allowed: --count 1 to {CHUNK}, --columns from 1")
    (samples,) = stream(chosen.seed, CHUNK, workers=1, folder=chosen.textures)
    if not cv2.imwrite(str(chosen.out), sheet_of(samples.part(0, chosen.count), chosen.columns)):
        raise InputError(f"{chosen.out}: cannot be written; name a .png in a folder that exists")
    print(f"{chosen.out}: {chosen.count} pictures")
    return ExitCode.OK


if __name__ == "__main__":
    raise SystemExit(main())
