"""A piece of mucosa with a cervix: light, colour and depth, painted procedurally from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from device.simulation.fields import Canvas, Plane, fractal_noise, ramp, smooth_noise
from device.simulation.relief import Outline, outline, relief_mm
from device.simulation.settings import WorldSettings
from device.simulation.tone import luma_weights, to_linear
from device.simulation.vessels import Mask, draw_punctation, draw_vessels

COARSE = 4
"""Colour and everything else that is smooth is painted with one sample to this many pixels."""

MEAN_RADIANCE = 0.26
"""Mean radiance of the lit tissue after exposure, 1 = full well: mid grey of 140 after the tone curve."""

GLARE_RADIANCE = 14.0
"""Wet highlights are an order of magnitude brighter than white tissue: saturated even when spread over a disc."""

# Surface colours as displayed, RGB 0 to 1; chosen by eye.
SQUAMOUS = (0.85, 0.575, 0.545)
COLUMNAR = (0.72, 0.31, 0.28)
ACETOWHITE = (0.93, 0.80, 0.755)
WALL = (0.76, 0.46, 0.44)
CANAL = (0.20, 0.055, 0.06)
MUCUS = (0.80, 0.66, 0.58)

DEEP_ABSORPTION, FINE_ABSORPTION, DOT_ABSORPTION = 0.55, 0.60, 0.50
"""Share of the light that a fully covered pixel loses in blood."""

BLOOD_TINT = (1.0, 0.52, 0.55)
"""What blood leaves of red, green and blue where it covers a pixel fully."""

TEXTURE = ((1.0, 0.050), (2.0, 0.050), (4.0, 0.045), (8.0, 0.035), (16.0, 0.030))
"""Size in px and relative contrast of the surface texture's octaves: detail at every scale down to the pixel."""

VILLI_PX, VILLI_CONTRAST = 11.0, 0.16
"""Grape-like villi of the columnar epithelium."""


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """What the lens looks at; all planes cover the same canvas.

    radiance   linear light with glare, float32 (H, W); 1 fills the sensor at the right exposure, glare exceeds it
    chroma     R'/Y' - 1 and B'/Y' - 1 of the displayed colour, float32 (H/2, W/2, 2)
    depth_mm   behind the plane of best focus, float32 (H/8, W/8): one sample to a block
    margin_px  from the corner of the planes to the corner of the frame while the hand is in the middle
    """

    radiance: Plane
    chroma: Plane
    depth_mm: Plane
    margin_px: int


@dataclass(frozen=True, slots=True)
class Paint:
    """Coarse planes of colour (…, 3) and of where the kinds of epithelium lie (0 to 1)."""

    colour: Plane
    columnar: Plane
    acetowhite: Plane
    canal: Plane


def paint_tissue(settings: WorldSettings) -> Tissue:
    """The tissue of a world; the same settings give the same bytes."""
    canvas = Canvas.of(settings)
    shapes = outline(settings, canvas, COARSE)
    paint = _paint(settings, canvas, shapes)
    rng = np.random.default_rng([settings.seed, 4])
    vessels = draw_vessels(rng, canvas)
    dots = draw_punctation(rng, canvas, paint.acetowhite)
    visible = _to_full(canvas, (1 - 0.75 * paint.acetowhite) * (1 - paint.canal))
    deep = _as_share(cv2.GaussianBlur(vessels.deep, (0, 0), 1.0)) * visible
    blood = 1 - DEEP_ABSORPTION * deep
    blood *= 1 - FINE_ABSORPTION * _as_share(vessels.fine) * visible
    blood *= 1 - DOT_ABSORPTION * _as_share(dots)
    displayed = paint.colour @ luma_weights()
    diffuse = _to_full(canvas, to_linear(displayed))
    diffuse *= blood
    diffuse *= _texture(settings, canvas, paint)
    x, y = canvas.coordinates(COARSE)
    field = x**2 + y**2 <= 1.0
    lit = float(cv2.resize(diffuse, field.shape[::-1], interpolation=cv2.INTER_AREA)[field].mean())
    radiance = diffuse * (MEAN_RADIANCE / lit) + _glare(settings, canvas, shapes)
    return Tissue(
        radiance=np.asarray(radiance, np.float32),
        chroma=_chroma(canvas, paint.colour, blood),
        depth_mm=relief_mm(settings, canvas),
        margin_px=canvas.margin_px,
    )


def _rgb(values: tuple[float, float, float]) -> Plane:
    return np.array(values, np.float32)


def _to_full(canvas: Canvas, plane: Plane) -> Plane:
    full = cv2.resize(plane, (canvas.width, canvas.height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full, np.float32)


def _as_share(mask: Mask | cv2.typing.MatLike) -> Plane:
    return np.asarray(mask, np.float32) / np.float32(255)


def _paint(settings: WorldSettings, canvas: Canvas, shapes: Outline) -> Paint:
    """Colours from the outside in: wall, squamous epithelium, acetowhite patch, columnar epithelium, canal."""
    rng = np.random.default_rng([settings.seed, 3])
    shape = canvas.shape(COARSE)
    radius = canvas.radius_px / COARSE
    x, y = canvas.coordinates(COARSE)
    ragged = fractal_noise(rng, shape, 0.16 * radius, 5, 0.62)
    hue = fractal_noise(rng, shape, 0.5 * radius, 4, 0.6)
    shade = fractal_noise(rng, shape, 0.45 * radius, 5, 0.6)
    wall = ramp(shapes.cervix + 0.015 * ragged, 0.97, 1.07)
    columnar = ramp(shapes.cervix + 0.045 * ragged, 0.40, 0.30)
    side = rng.uniform(0, 2 * np.pi)
    patch = np.hypot(x - 0.27 * np.cos(side), y - 0.27 * np.sin(side)) / 0.26
    acetowhite = ramp(patch + 0.13 * ragged, 1.0, 0.88) * (1 - 0.6 * columnar)
    canal = ramp(shapes.os + 0.10 * ragged, 1.15, 0.55)
    colour = np.broadcast_to(_rgb(SQUAMOUS), (*shape, 3)).copy()
    for where, paint in ((wall, WALL), (acetowhite * 0.9, ACETOWHITE), (columnar * 0.85, COLUMNAR), (canal, CANAL)):
        colour += where[..., None] * (_rgb(paint) - colour)
    mucus = ramp(fractal_noise(rng, shape, 0.12 * radius, 3), 1.2, 1.9) * ramp(shapes.os, 2.6, 1.2) * 0.5
    colour += mucus[..., None] * (_rgb(MUCUS) - colour)
    groove = np.exp(-((shapes.cervix - 1.0) ** 2) / (2 * 0.045**2))
    folds = np.sin(28 * np.hypot(x, y) + 2.2 * ragged + 3 * hue) * wall
    light = 1 + 0.055 * shade - 0.30 * groove + 0.07 * folds - 0.12 * ramp(shapes.os, 2.2, 0.9)
    colour *= light[..., None]
    colour *= 1 + hue[..., None] * _rgb((0.015, -0.045, -0.030))
    return Paint(np.clip(colour, 0.01, 0.99).astype(np.float32), columnar, acetowhite, canal)


def _texture(settings: WorldSettings, canvas: Canvas, paint: Paint) -> Plane:
    """Relative brightness of the surface's fine structure, around 1."""
    rng = np.random.default_rng([settings.seed, 5])
    texture = np.ones(canvas.shape(), np.float32)
    for scale_px, contrast in TEXTURE:
        texture += contrast * smooth_noise(rng, canvas.shape(), scale_px)
    villi = np.abs(smooth_noise(rng, canvas.shape(), VILLI_PX)) - np.float32(
        0.8
    )  # ridges where the noise crosses zero: dark clefts around pale grapes
    texture += VILLI_CONTRAST * _to_full(canvas, paint.columnar) * villi
    return np.maximum(texture, 0.2)


def _glare(settings: WorldSettings, canvas: Canvas, shapes: Outline) -> Plane:
    """Specular reflections of the lamps on the wet surface, where small bumps face half way between lamp and lens.

    Bumps of three sizes; the brightest reflections come where the dome itself faces the lens. The threshold is set so
    that `glare_percent` of the field shines.
    """
    if settings.glare_percent <= 0:
        return np.zeros((1, 1), np.float32)
    rng = np.random.default_rng([settings.seed, 6])
    half = canvas.shape(2)
    facing = np.zeros(half, np.float32)
    for scale_px, weight in ((60.0, 1.0), (22.0, 0.7), (7.0, 0.45)):
        facing += weight * smooth_noise(rng, half, scale_px / 2)
    towards = np.exp(-((shapes.cervix - 0.45) ** 2) / 0.06) + 0.5 * np.exp(-((shapes.cervix - 1.2) ** 2) / 0.02)
    facing += 1.6 * cv2.resize(towards.astype(np.float32), half[::-1], interpolation=cv2.INTER_LINEAR)
    x, y = canvas.coordinates(2)
    limit = float(np.percentile(facing[x**2 + y**2 <= 1.0], 100 - settings.glare_percent))
    return np.asarray(GLARE_RADIANCE * ramp(_to_full(canvas, facing), limit - 0.05, limit + 0.12), np.float32)


def _chroma(canvas: Canvas, colour: Plane, blood: Plane) -> Plane:
    """Colour relative to luma, at half size; blood turns it red."""
    size = (canvas.width // 2, canvas.height // 2)
    rgb = cv2.resize(colour, size, interpolation=cv2.INTER_LINEAR)
    loss = 1 - cv2.resize(blood, size, interpolation=cv2.INTER_AREA)
    rgb = rgb * (1 - loss[..., None] * (1 - _rgb(BLOOD_TINT)))
    luma = rgb @ luma_weights()
    return np.stack([rgb[..., 0] / luma - 1, rgb[..., 2] / luma - 1], axis=-1).astype(np.float32)
