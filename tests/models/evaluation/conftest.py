"""Two scenes of pictures that the tiny model judges: dark squares are sharp to it, bright ones blurred."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.baselines.architecture import Architecture, Dense
from models.baselines.graph import model_of
from models.baselines.runtime import Baseline, Description, load_session

SQUARE_PX = 40


def square(mean: int, seed: int, side: int = SQUARE_PX) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Noise around a mean luma, enough of it to be judged by the tiny model."""
    noise = np.random.default_rng(seed).integers(-20, 21, (side, side))
    return np.clip(mean + noise, 0, 254).astype(np.uint8)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A table over two scenes of two images each; 4×3 squares of 40 px an image, every other one in focus.

    The tiny model calls a mean luma up to 48 in focus (1.5 px). In each image one square is labelled wrong, and one is
    flat, so that it cannot be judged.
    """
    lines = ["path\tx\ty\tsize\tlabel"]
    for scene in ("one", "two"):
        (tmp_path / scene).mkdir()
        for number in range(2):
            image = np.zeros((3 * SQUARE_PX, 4 * SQUARE_PX), np.uint8)
            for index in range(12):
                sharp = index % 2 == 0
                y, x = index // 4 * SQUARE_PX, index % 4 * SQUARE_PX
                pixels = square(30 if sharp else 150, index)
                if index == 5:
                    pixels[:] = 150
                image[y : y + SQUARE_PX, x : x + SQUARE_PX] = pixels
                label = "in" if sharp != (index == 11) else "out"
                lines.append(f"{scene}/{number}.png\t{x}\t{y}\t{SQUARE_PX}\t{label}")
            Image.fromarray(image).save(tmp_path / scene / f"{number}.png")
    table = tmp_path / "tiles.tsv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


@pytest.fixture
def dark_is_sharp() -> Baseline:
    """A network of 32 px whose p is .5 at a mean luma of 128 - 38.4, and higher where darker."""
    architecture = Architecture("dark", "dark is sharp", 32, (Dense(1),), (2.5,))
    weights = [np.full((1, 32 * 32), -10.0 / 32**2, np.float32), np.array([-6.0], np.float32)]
    description = Description(
        name="dark",
        title="dark is sharp",
        input_px=32,
        edges_px=(2.5,),
        criterion_px=2.5,
        in_focus_classes=1,
        tiles_seen=0,
        held_out_auc=None,
        cpu_s=0.0,
        training={},
    )
    return Baseline(description, load_session(model_of(architecture, weights)))
