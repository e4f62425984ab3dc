"""What a colposcopist meets besides plain mucosa: mosaic, punctation, patches of acetic acid and iodine, instruments,
lettering. All draw on linear light, float32 (size, size), sharp to the pixel; sizes are px of the scene."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

FINER = 2  # shapes are drawn at twice the size and reduced, so that their edges are sharp but not stepped
LETTERS = "ABCDEFGHKLMNPRSTUVXYZ0123456789:.-/%"
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)


def _reduced(canvas: Plane, size: int) -> Plane:
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)


def mosaic(rng: np.random.Generator, size: int) -> Plane:
    """Vessels around the cells of a random tiling (Voronoi), 8 to 40 px a cell, 0.5 to 2 px wide; 0 to 1."""
    side = size * FINER
    spacing = rng.uniform(8.0, 40.0) * FINER
    count = max(4, int((side / spacing) ** 2))
    seeds = np.full((side, side), 255, np.uint8)
    seeds[tuple(rng.integers(0, side, (2, count)))] = 0
    _, cells = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    border = np.zeros((side, side), np.uint8)
    border[:, 1:] |= cells[:, 1:] != cells[:, :-1]
    border[1:] |= cells[1:] != cells[:-1]
    width = int(rng.integers(1, 5))
    wide = cv2.dilate(border, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return _reduced(wide.astype(np.float32) * patch(rng, side, sharp=False), size)


def punctation(rng: np.random.Generator, size: int) -> Plane:
    """Ends of capillaries: fine or coarse dots, even or in clusters; 0 to 1."""
    side = size * FINER
    canvas = np.zeros((side, side), np.float32)
    spacing = rng.uniform(4.0, 25.0) * FINER
    coarse = int(rng.integers(1, 5))
    for x, y in rng.integers(0, side, (min(6000, int((side / spacing) ** 2)), 2)):
        reach = max(1, coarse + int(rng.integers(-1, 2)))
        cv2.circle(canvas, (int(x), int(y)), reach, float(rng.uniform(0.4, 1.0)), -1, cv2.LINE_AA)
    return _reduced(canvas * patch(rng, side, sharp=False), size)


def patch(rng: np.random.Generator, size: int, *, sharp: bool) -> Plane:
    """A region with a wandering outline: 1 inside, 0 outside; `sharp`: within a pixel, else over many."""
    coarse = cv2.resize(rng.normal(size=(8, 8)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(rng.normal(size=(48, 48)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    height = coarse + 0.12 * fine + rng.normal(0.0, 0.6)
    steepness = 120.0 if sharp else rng.uniform(1.0, 4.0)
    inside: Plane = (1.0 / (1.0 + np.exp(-np.clip(steepness * height, -30.0, 30.0)))).astype(np.float32)
    return inside


def occluder(rng: np.random.Generator, size: int) -> Plane:
    """The outline of something in front: blob, straight edge or bar, sharp to the pixel; 1 inside."""
    side, kind = size * FINER, rng.uniform()
    if kind < 0.4:
        return _reduced(patch(rng, side, sharp=True), size)
    angle, middle = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8, 2) * side
    y, x = np.mgrid[:side, :side].astype(np.float32)
    across = (x - middle[0]) * np.float32(np.sin(angle)) - (y - middle[1]) * np.float32(np.cos(angle))
    inside = across > 0 if kind < 0.7 else np.abs(across) < rng.uniform(0.02, 0.2) * side
    return _reduced(inside.astype(np.float32), size)


def wet(rng: np.random.Generator, size: int) -> Plane:
    """Highlights of a wet, uneven surface, in units of its white: where bumps of two sizes face the lamp. They cover
    0.1 to 8 % and are mostly brighter by far than a sensor can take."""
    height = np.zeros((size, size), np.float32)
    for _ in range(2):
        side = max(3, int(size / np.exp(rng.uniform(np.log(4.0), np.log(80.0)))))
        bumps = rng.normal(size=(side, side)).astype(np.float32)
        height += np.float32(rng.uniform(0.3, 1.0)) * cv2.resize(bumps, (size, size), interpolation=cv2.INTER_CUBIC)
    covered = np.exp(rng.uniform(np.log(0.001), np.log(0.08)))
    limit, spread = np.float32(np.quantile(height, 1 - covered)), height.std()
    slope = np.clip((height - limit) / (spread * np.float32(rng.uniform(0.05, 0.4))), 0.0, 1.0)
    return (slope * np.float32(np.exp(rng.uniform(np.log(0.8), np.log(16.0))))).astype(np.float32)


def stained(rng: np.random.Generator, tissue: Plane) -> Plane:
    """Acetowhite patches, brighter and flatter, or iodine's brown, darker, sparing some; outline sharp or soft."""
    inside = patch(rng, len(tissue), sharp=rng.uniform() < 0.6)
    if rng.uniform() < 0.5:  # dense acetowhite hides the vessels below it
        flat = np.float32(tissue.mean() * rng.uniform(1.1, 1.7))
        cover = np.float32(rng.uniform(0.3, 0.9))
        return tissue + inside * cover * (flat - tissue)
    return tissue * (1 - inside * np.float32(rng.uniform(0.3, 0.8)))


def with_instrument(rng: np.random.Generator, scene: Plane) -> Plane:
    """A blade or rod across the picture: smooth metal with highlights along it and a sharp edge, or matt plastic."""
    size = len(scene)
    side = size * FINER
    angle, half = rng.uniform(0, np.pi), rng.uniform(0.03, 0.35) * side
    middle = rng.uniform(0.1, 0.9, 2) * side
    y, x = np.mgrid[:side, :side].astype(np.float32)
    across = ((x - middle[0]) * np.float32(np.sin(angle)) - (y - middle[1]) * np.float32(np.cos(angle))) / half
    shade = np.float32(rng.uniform(0.05, 0.5)) * np.sqrt(np.clip(1 - across**2, 0.0, 1.0))
    for _ in range(int(rng.integers(0, 4))):
        place, width = rng.uniform(-0.9, 0.9), rng.uniform(0.01, 0.25)
        shade += np.float32(rng.uniform(0.1, 1.0)) * np.exp(-(((across - place) / width) ** 2))
    if rng.uniform() < 0.5:  # brushed, or scratched
        grain = cv2.resize(rng.normal(size=(side, 4)).astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        shade = shade * (1 + np.float32(rng.uniform(0.0, 0.15)) * grain)
    inside = (np.abs(across) < 1.0).astype(np.float32)
    cover, metal = (
        _reduced(np.asarray(inside, np.float32), size),
        _reduced(np.asarray(shade * inside, np.float32), size),
    )
    return scene * (1 - cover) + metal


def with_lettering(rng: np.random.Generator, scene: Plane) -> Plane:
    """Lines of print: a label, a ruler, a chart; dark on light or the other way round."""
    size = len(scene)
    canvas = np.zeros((size * FINER, size * FINER), np.uint8)  # the only depth that letters are drawn in
    scale, line = rng.uniform(0.3, 2.0) * FINER, 0
    while line < size * FINER:
        line += int(rng.uniform(28.0, 60.0) * scale)
        text = "".join(rng.choice(list(LETTERS), int(rng.integers(3, 30))))
        font, bold = FONTS[rng.integers(len(FONTS))], max(1, int(rng.uniform(0.6, 2.5) * scale))
        cv2.putText(canvas, text, (int(rng.integers(-20, size)), line), font, scale, 255, bold, cv2.LINE_AA)
    ink = _reduced(canvas.astype(np.float32) / np.float32(255), size) * np.float32(rng.uniform(0.3, 1.0))
    if rng.uniform() < 0.5:
        ink = ink * patch(rng, size, sharp=False)
    level = np.float32(0.02 if scene.mean() > 0.25 else rng.uniform(0.5, 1.0))
    return scene + ink * (level - scene)
