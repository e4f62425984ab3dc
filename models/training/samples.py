"""Training samples: 3×3 tiles of one simulated picture, with the truth of each tile. Seeded; made in parallel."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.camera import FULL_SCALE, deliver, draw_camera, expose, quantise
from models.training.lens import before, draw_blur, layered, through_lens
from models.training.optics import EDGES_PX, Psf, defocus
from models.training.patterns import Plane, occluder, wet
from models.training.plan import CHUNK
from models.training.textures import KINDS, Photograph, Scene, draw_scene, photographs, source_sharpness

TILE_PX = 128
TILES = 3
SIDE = TILES * TILE_PX
MARGIN = 48  # px around the tiles, so that blur and resampling find something there
FULL = SIDE + 2 * MARGIN
UNKNOWN_RADIUS_PX = 99.0
SHARP_SOURCE = 9.0  # procedural scenes are sharp to the pixel
EMPTY_SHARE = 0.1  # pictures of nothing but noise
SPOTTED_SHARE, WET_SHARE = 0.2, 0.25  # pictures with round highlights, and with those of a wet, uneven surface
LAYERED_SHARE = 0.25  # something stands before something else, at another distance
SATURATED_LEVEL = 250.0
DETAIL_REACH_PX = 17
WHITE_SHARE = 0.985  # of a camera's white, which may lie below 250


@dataclass(frozen=True, slots=True)
class Samples:
    """`luma` uint8 (n, SIDE, SIDE); all else float32 (n, TILES, TILES), one value a tile, `within` K values.

    radius_px     radius of the disc with the second moment of all blur together, px of the picture; the tile's mean, in
                  which pixels count by the detail around them
    within        share of the tile's detail whose radius is at most each of EDGES_PX
    motion_px     length of the smear, px of the sensor
    source        source sharpness (`textures.SOURCE_SHARP`); large for procedural scenes
    visible       deviation of what can still be seen, below σ = 3 px, in levels
    detail        deviation of what a sharp picture would show, below σ = 1.2 px, in levels
    noise         deviation of noise and compression, in levels
    saturated     share of pixels at SATURATED_LEVEL or at this camera's white
    mean          mean level
    """

    luma: NDArray[np.uint8]
    radius_px: Plane
    within: Plane
    motion_px: Plane
    source: Plane
    visible: Plane
    detail: Plane
    noise: Plane
    saturated: Plane
    mean: Plane

    def __len__(self) -> int:
        return len(self.luma)

    def part(self, start: int, stop: int) -> Samples:
        """Samples `start` to `stop`."""
        return Samples(*(getattr(self, name)[start:stop] for name in self.__slots__))

    @classmethod
    def joined(cls, parts: list[Samples]) -> Samples:
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))


def _light(rng: np.random.Generator, scene: Plane) -> Plane:
    """Illumination: level, glare before any blur (so that it is blurred with the scene, then clips), vignetting."""
    overexposed = rng.uniform() < 0.1
    light = scene * np.float32(rng.uniform(1.5, 5.0) if overexposed else rng.uniform(0.3, 1.2))
    size, shines = len(light), rng.uniform()
    if shines < SPOTTED_SHARE:
        for _ in range(int(rng.integers(1, 25))):
            x, y = (int(value) for value in rng.integers(0, size, 2))
            axes = (int(rng.integers(1, 14)), int(rng.integers(1, 9)))
            brightness = float(rng.uniform(1.5, 12.0))
            cv2.ellipse(light, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, brightness, -1, cv2.LINE_AA)
    elif shines < SPOTTED_SHARE + WET_SHARE:
        light = light + wet(rng, size)
    if rng.uniform() < 0.3:
        axis = np.linspace(-1, 1, size, dtype=np.float32)
        x, y = rng.uniform(-1, 1, 2)
        distance = (axis[None] - np.float32(x)) ** 2 + (axis[:, None] - np.float32(y)) ** 2
        light = light * (1 - np.float32(rng.uniform(0.1, 0.8)) * np.clip(distance / 1.2, 0, 1))
    return light


def _tiles(plane: Plane) -> Plane:
    """Mean over each tile of the inner square."""
    inner = plane[MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE]
    return inner.reshape(TILES, TILE_PX, TILES, TILE_PX).mean((1, 3)).astype(np.float32)


def _deviation(picture: Plane, sigma_px: float) -> Plane:
    """Root mean square of what is finer than `sigma_px`, a tile, in levels."""
    fine = picture - cv2.GaussianBlur(picture, (0, 0), sigma_px)
    return np.sqrt(_tiles(fine**2)) * np.float32(FULL_SCALE)


def truth(radius_px: Plane, ideal: Plane) -> tuple[Plane, Plane]:
    """Radius of each tile, and the share of it within each of EDGES_PX, (TILES, TILES) and (TILES, TILES, K).

    `radius_px`, `ideal`: of each pixel, and what a sharp picture would show, 0 to 1, float32 (FULL, FULL). Nobody can
    tell how blurred an empty surface is: a tile is as blurred as what there is to see in it, so pixels count by the
    detail around them. Where there is none, all count alike.
    """
    fine = ideal - cv2.GaussianBlur(ideal, (0, 0), 1.2)
    there = cv2.blur(fine**2, (DETAIL_REACH_PX, DETAIL_REACH_PX)) + np.float32(1.0 / FULL_SCALE**2)
    of = _tiles(there)
    within = [_tiles((radius_px <= edge) * there) / of for edge in EDGES_PX]
    return _tiles(radius_px * there) / of, np.stack(within, axis=-1)


def make_empty(rng: np.random.Generator) -> Samples:
    """Nothing but noise: white or smoothed, faint to violent, over slow shading, often compressed.

    It must never be called sharp, so it counts as blurred beyond every edge, and as what cannot be known.
    """
    camera = draw_camera(rng)
    axis = np.linspace(-0.5, 0.5, FULL, dtype=np.float32)
    shading = rng.uniform(-0.3, 0.3) * axis[None] + rng.uniform(-0.3, 0.3) * axis[:, None]
    noise = rng.standard_normal((FULL, FULL), dtype=np.float32)
    if rng.uniform() < 0.5:
        noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.4, 1.4)).astype(np.float32)
    deviation = np.exp(rng.uniform(np.log(0.4), np.log(60.0))) / FULL_SCALE
    picture = rng.uniform(0.02, 0.98) + shading + deviation * noise / noise.std()
    levels = quantise(np.clip(picture, 0.0, 1.0).astype(np.float32), camera)
    inner = levels[MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE]
    tiles = (1, TILES, TILES)
    mean, saturated = (
        _tiles(plane)[None] for plane in (levels.astype(np.float32), (levels >= SATURATED_LEVEL).astype(np.float32))
    )
    return Samples(
        luma=inner[None],
        radius_px=np.full(tiles, UNKNOWN_RADIUS_PX, np.float32),
        within=np.zeros((*tiles, len(EDGES_PX)), np.float32),
        motion_px=np.zeros(tiles, np.float32),
        source=np.full(tiles, SHARP_SOURCE, np.float32),
        visible=np.zeros(tiles, np.float32),
        detail=np.full(tiles, FULL_SCALE, np.float32),
        noise=np.zeros(tiles, np.float32),
        saturated=saturated,
        mean=mean,
    )


def make_sample(rng: np.random.Generator, sources: list[Photograph], kinds: tuple[str, ...] = KINDS) -> Samples:
    """One sample of these kinds of texture, as Samples of length 1."""
    if rng.uniform() < EMPTY_SHARE:
        return make_empty(rng)
    camera, blur = draw_camera(rng), draw_blur(rng)
    colour = camera.balance is not None
    size = int(np.ceil(FULL / camera.resample))
    size += size % 2
    sharp, source = _surface(rng, draw_scene(rng, sources, size, kinds), blur.base_px)
    if rng.uniform() < LAYERED_SHARE:
        nearer, nearer_source = _surface(rng, draw_scene(rng, sources, size, kinds), blur.base_px)
        cover = occluder(rng, size)
        light, radius = layered((sharp, blur), (nearer, before(draw_blur(rng), blur)), cover, colour=colour)
        sharp = sharp + cover * (nearer - sharp)
        hidden = _tiles(cv2.resize(cover, (FULL, FULL), interpolation=cv2.INTER_AREA).astype(np.float32))
        source = source + hidden * (nearer_source - source)
    else:
        light, radius = through_lens(sharp, blur, colour=colour)
    noisy = deliver(expose(light, camera, rng), camera, FULL, rng.uniform(0.6, 1.5))
    in_focus = defocus(sharp, 0.0, blur.psf)
    clean, ideal = (deliver(expose(plane, camera, None), camera, FULL) for plane in (light, in_focus))
    picture = quantise(noisy, camera)
    clipped = min(SATURATED_LEVEL, WHITE_SHARE * FULL_SCALE * (camera.offset + camera.contrast))
    seen_px = _radius_in_picture(radius, size)
    values = (
        *truth(seen_px, ideal),
        np.full((TILES, TILES), blur.motion_px),
        source,
        _deviation(clean, 3.0),
        _deviation(ideal, 1.2),
        _deviation(picture.astype(np.float32) / np.float32(FULL_SCALE) - clean, 3.0),
        _tiles((picture >= clipped).astype(np.float32)),
        _tiles(picture.astype(np.float32)),
    )
    inner = picture[MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE]
    return Samples(inner[None], *(np.asarray(value, np.float32)[None] for value in values))


def _surface(rng: np.random.Generator, scene: Scene, base_px: float) -> tuple[Plane, Plane]:
    """The scene lit, behind the lens's own blur, (size, size), and how sharp its source is, a tile."""
    high, middle = (
        cv2.resize(plane, (FULL, FULL), interpolation=cv2.INTER_AREA).astype(np.float32)
        for plane in source_sharpness(scene)
    )
    known = _tiles(high) / (_tiles(middle) + 1e-12)
    source = known if scene.from_photograph else np.full((TILES, TILES), SHARP_SOURCE, np.float32)
    return defocus(_light(rng, scene.luma), base_px, Psf("gaussian")), source.astype(np.float32)


def _radius_in_picture(radius_px: Plane, size: int) -> Plane:
    """Sensor px to px of the picture; interpolation adds a blur of about 0.6 px of the sensor's (0.3 when reducing)."""
    if size == FULL:
        return radius_px
    scale = FULL / size
    added = 0.6 * scale if scale > 1.0 else 0.3
    radius = cv2.resize(radius_px, (FULL, FULL)) * scale
    return np.sqrt(radius**2 + added**2).astype(np.float32)


@lru_cache(maxsize=1)
def _sources(folder: Path | None) -> list[Photograph]:
    cv2.setNumThreads(1)
    return photographs(folder)


def _chunk(
    seed: tuple[int, int],
    count: int,
    folder: Path | None,
    keep: tuple[int, int] | None,
    kinds: tuple[str, ...] = KINDS,
) -> Samples:
    """`count` samples of chunk `seed`; `keep` (k, n): only every n-th source, the k-th of each n left out."""
    sources = _sources(folder)
    if keep is not None:
        held, of = keep
        sources = [source for number, source in enumerate(sources) if (number % of == held) == (seed[0] == 0)]
    rng = np.random.default_rng(seed)
    return Samples.joined([make_sample(rng, sources, kinds) for _ in range(count)])


def stream(
    seed: int,
    count: int,
    *,
    workers: int,
    folder: Path | None = None,
    held_out: tuple[int, int] | None = None,
    kinds: tuple[str, ...] = KINDS,
    ahead: int = 0,
) -> Iterator[Samples]:
    """`count` samples in chunks, the same for any number of workers; `ahead` are made before they are asked for.

    held_out (k, n): of every n sources the k-th is used by seed 0 (validation) only, and the others by all other seeds.
    """
    tasks = [(seed, number) for number in range((count + CHUNK - 1) // CHUNK)]
    same = (CHUNK, folder, held_out, kinds)
    waiting: deque[Future[Samples]] = deque()
    # Not by fork: torch and OpenCV have threads by now, whose locks a forked child would hold for ever.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for task in tasks:
            waiting.append(pool.submit(_chunk, task, *same))
            if len(waiting) > max(2 * workers, ahead // CHUNK):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
