"""What the optics do to one picture: blur that varies over it, in three colours, with hand motion; and its radius."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.training.camera import LUMA_B, LUMA_G, LUMA_R
from models.training.optics import Psf, defocus, equivalent_radius_px, smear
from models.training.patterns import Plane

FARTHEST_PX = 36.0  # the far wall behind the cervix, a blade before it


@dataclass(frozen=True, slots=True)
class Blur:
    """One lens, one moment. Radii of defocus in px of the sensor; below 0 is the far side of focus.

    base_px             blur of the lens itself, a Gaussian
    near_px, far_px     defocus where `share` is 0 and where it is 1
    field               how it varies: "flat", "tilt" (towards `tilt_rad`) or "curved" (with the square of the distance
                        from `centre`, in widths of the picture)
    chroma_px           defocus of red above, of blue below that of green: longitudinal chromatic aberration
    motion_px, motion_rad   a straight smear
    """

    psf: Psf
    base_px: float
    near_px: float
    far_px: float
    field: str
    tilt_rad: float
    centre: tuple[float, float]
    chroma_px: float
    motion_px: float
    motion_rad: float


def draw_psf(rng: np.random.Generator) -> Psf:
    """A quarter diffraction at a pupil, a fifth Gaussian, else discs, three in five of these with a brighter rim."""
    kind = rng.uniform()
    if kind < 0.25:
        # 0.55 µm, f/2 to f/8, pixels of 1.12 to 3 µm: 0.3 to 2.5 cycles per px; above 1.5 nothing is left of it
        return Psf("pupil", cutoff_per_px=rng.uniform(0.35, 1.5), spherical_waves=rng.normal(0.0, 0.25))
    if kind < 0.45:
        return Psf("gaussian")
    return Psf("disc", ring=(0.0, 0.0, 0.5, 1.0, 2.0)[rng.integers(5)])


def draw_blur(rng: np.random.Generator) -> Blur:
    """Three in ten nearly sharp, four in ten up to 4 px, two in ten up to 9 px, one far out; one in seven moves. One
    lens in three has next to no blur of its own."""
    psf, kind = draw_psf(rng), rng.uniform()
    near = rng.uniform(0.0, 0.8 if kind < 0.3 else 4.0 if kind < 0.7 else 9.0)
    if kind > 0.9:
        near = np.exp(rng.uniform(*np.log((9.0, FARTHEST_PX))))
    varies = kind >= 0.3 and rng.uniform() < 0.4
    far = near + rng.normal(0.0, 0.8 if kind < 0.7 else 1.8) if varies else near
    side = -1.0 if rng.uniform() < 0.5 else 1.0
    x, y = rng.uniform(-1.0, 1.0, 2)
    return Blur(
        psf=psf,
        base_px=rng.uniform(0.0, 0.3) if rng.uniform() < 0.35 else abs(rng.normal(0.55, 0.3)) + 0.15,
        near_px=side * near,
        far_px=side * far,
        field="flat" if not varies else "tilt" if rng.uniform() < 0.6 else "curved",
        tilt_rad=rng.uniform(0.0, 2 * np.pi),
        centre=(float(x), float(y)),
        chroma_px=rng.normal(0.0, 0.5) if rng.uniform() < 0.3 else 0.0,
        motion_px=rng.uniform(0.5, 14.0) if rng.uniform() < 0.15 else 0.0,
        motion_rad=rng.uniform(0.0, np.pi),
    )


def share_of(blur: Blur, size: int) -> Plane | None:
    """How far each pixel is on the way from `near_px` to `far_px`, 0 to 1, (size, size); None: nowhere."""
    if blur.field == "flat":
        return None
    axis = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    if blur.field == "tilt":
        share = 0.5 + np.cos(blur.tilt_rad) * axis[None] + np.sin(blur.tilt_rad) * axis[:, None]
    else:
        x, y = blur.centre
        share = (axis[None] - np.float32(x)) ** 2 + (axis[:, None] - np.float32(y)) ** 2
    return np.clip(share, 0.0, 1.0).astype(np.float32)


def _seen(sharp: Plane, blur: Blur, shift_px: float, share: Plane | None) -> tuple[Plane, Plane]:
    """One colour of the scene behind the lens, and the squared radius of its defocus at every pixel, px²."""
    near = defocus(sharp, blur.near_px + shift_px, blur.psf)
    near_squared = np.float32((blur.near_px + shift_px) ** 2)
    if share is None:
        return near, np.full(sharp.shape, near_squared, np.float32)
    far = defocus(sharp, blur.far_px + shift_px, blur.psf)
    far_squared = np.float32((blur.far_px + shift_px) ** 2)  # a mixture's second moment is the mixture of theirs
    return near + share * (far - near), near_squared + share * (far_squared - near_squared)


def through_lens(sharp: Plane, blur: Blur, *, colour: bool) -> tuple[Plane, Plane]:
    """The scene behind the lens, (H, W), or (H, W, 3) red, green, blue if these differ; and the radius of all blur
    together at every pixel, px (`equivalent_radius_px`), weighted over the colours as luma is.

    `sharp` is linear light already blurred by `base_px`; `colour` False: a monochrome sensor sees one mean.
    """
    share = share_of(blur, len(sharp))
    if blur.chroma_px == 0.0 or not colour:
        picture, squared = _seen(sharp, blur, 0.0, share)
    else:
        planes = [_seen(sharp, blur, shift, share) for shift in (blur.chroma_px, 0.0, -blur.chroma_px)]
        picture = np.dstack([plane for plane, _ in planes])
        weights = (LUMA_R, LUMA_G, LUMA_B)
        squared = sum((w * found for w, (_, found) in zip(weights, planes, strict=True)), np.zeros_like(sharp))
    if blur.motion_px:
        picture = smear(picture, blur.motion_px, blur.motion_rad)
    base_px = float(np.hypot(blur.base_px, blur.psf.least_px))
    return picture, equivalent_radius_px(np.sqrt(squared), base_px, blur.motion_px)


def before(front: Blur, behind: Blur) -> Blur:
    """The blur of a nearer or farther layer, seen by the lens and at the moment of another."""
    return replace(
        front,
        psf=behind.psf,
        base_px=behind.base_px,
        chroma_px=behind.chroma_px,
        motion_px=behind.motion_px,
        motion_rad=behind.motion_rad,
    )


def layered(
    behind: tuple[Plane, Blur], front: tuple[Plane, Blur], cover: Plane, *, colour: bool
) -> tuple[Plane, Plane]:
    """Two layers behind the lens, as `through_lens`: where `cover` is 1 the front one hides the other.

    Each is blurred with its own radius, the outline with that of the front one (matting: light that the blurred cover
    lets past comes from behind).
    """
    (far, far_blur), (near, near_blur) = behind, front
    background, far_px = through_lens(far, far_blur, colour=colour)
    covered, near_px = through_lens(near * cover, near_blur, colour=colour)
    hidden, _ = through_lens(cover, near_blur, colour=colour)
    nearer = (hidden[..., 1] if hidden.ndim == 3 else hidden) > 0.5
    return np.asarray(covered + (1 - hidden) * background, np.float32), np.where(nearer, near_px, far_px)
