"""What is rendered against what is due: blur measured on the picture, layers, noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from device.clock import SECOND
from device.simulation.render import HALF_FROM_PX, HEADROOM, QUARTER_FROM_PX, RADII_PX, STRIP_PX, Shot, _layer
from device.simulation.render import noise_deviation as noise_due
from device.simulation.settings import WorldSettings
from device.simulation.tone import to_linear
from device.simulation.world import SimulatedWorld
from models.focusmap import Luma

FLAT = WorldSettings(
    seed=4, width=512, height=448, tilt_mm=0.0, dome_mm=0.0, os_depth_mm=0.0, folds_mm=0.0, hand=0.0, glare_percent=0.0
)
NOISELESS = replace(FLAT, full_well_e=1e7, read_noise_e=0.0, adc_bits=16)
HELD_NS = 6 * SECOND
SIDE_PX = 192
FRINGE_SHARE = 0.9
"""Share of the disc's first zero up to which its transfer function is compared: all that matters for sharpness."""

RADII_TRIED_PX = np.arange(0.05, 25.0, 0.01)


@pytest.fixture(scope="module")
def noiseless() -> Iterator[SimulatedWorld]:
    made = SimulatedWorld(NOISELESS)
    yield made
    made.close()


def _uniform(world: SimulatedWorld, radius_px: float, **changes: float) -> Luma:
    """The frame in which every block has this blur radius."""
    margin = world._tissue.margin_px
    radius = np.full(world._tissue.depth_mm.shape, radius_px, np.float32)
    shot = Shot(radius, margin, margin, changes.get("smear_x_px", 0.0), 0.0, 1.0, 1.0, 1)
    return world._renderer.luma(shot)


def _disc_transfer(radius_px: float, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Transfer function of a uniform disc, from its chords: the mean of cos(2*pi*f*x) over the disc."""
    x = (np.arange(400) + 0.5) / 400
    chord = np.sqrt(1 - x**2)
    waves = np.cos(2 * np.pi * radius_px * x[None, :] * frequency[:, None])
    return np.asarray((waves * chord).sum(axis=1) / chord.sum())


def _transfer(blurred: Luma, sharp: Luma) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequency (cycles/px) and how much of the sharp picture's contrast the blurred one keeps, in the middle."""
    top, left = (sharp.shape[0] - SIDE_PX) // 2, (sharp.shape[1] - SIDE_PX) // 2
    taper = np.hanning(SIDE_PX)[:, None] * np.hanning(SIDE_PX)[None, :]
    spectra = []
    for picture in (blurred, sharp):
        middle = picture[top : top + SIDE_PX, left : left + SIDE_PX].astype(np.float64)
        spectra.append(np.fft.fft2((middle - middle.mean()) * taper))
    frequency = np.hypot(np.fft.fftfreq(SIDE_PX)[:, None], np.fft.fftfreq(SIDE_PX)[None, :]).ravel()
    ring = np.digitize(frequency, np.arange(0.01, 0.5, 0.01))
    kept = np.bincount(ring, (spectra[0] * spectra[1].conj()).real.ravel())
    power = np.bincount(ring, (np.abs(spectra[1]) ** 2).ravel())
    where = np.bincount(ring, frequency) / np.bincount(ring)
    return where[1:-1], (kept / power)[1:-1]


def measured_radius_px(blurred: Luma, sharp: Luma, about_px: float) -> float:
    """Radius of the disc whose transfer function is nearest to the measured one, by least squares."""
    frequency, kept = _transfer(blurred, sharp)
    first_zero = 3.8317 / (2 * np.pi * about_px)
    seen = frequency < min(0.5, FRINGE_SHARE * first_zero)
    tried = RADII_TRIED_PX[(0.5 * about_px < RADII_TRIED_PX) & (1.5 * about_px > RADII_TRIED_PX)]
    errors = [((_disc_transfer(radius, frequency[seen]) - kept[seen]) ** 2).sum() for radius in tried]
    return float(tried[int(np.argmin(errors))])


@pytest.mark.parametrize(
    "radius_px", [0.75, 1.0, 1.25, 1.375, 1.5, 1.6, 1.75, 2.0, 2.4, 3.0, 4.7, 5.4, 7.0, 10.0, 13.0]
)
def test_the_blur_of_the_picture_is_the_blur_of_the_truth(noiseless: SimulatedWorld, radius_px: float) -> None:
    """Between two layers 8-bit rounding favours the nearer one (up to 5 %); small discs on the pixel grid keep their
    second moment, but pass a little more contrast than a true disc (up to 0.1 px)."""
    found = measured_radius_px(_uniform(noiseless, radius_px), _uniform(noiseless, 0.0), radius_px)
    assert found == pytest.approx(radius_px, rel=0.06, abs=0.1)


@pytest.mark.parametrize(("at_s", "f_number"), [(1.2, 1.4), (1.5, 2.8), (1.7, 2.0), (2.0, 2.8), (2.6, 4.0), (6.0, 5.6)])
def test_frames_of_the_approaching_hand_are_blurred_as_the_truth_says(
    noiseless: SimulatedWorld, at_s: float, f_number: float
) -> None:
    at_ns = round(at_s * SECOND)
    _, radius = noiseless._view(at_ns, f_number)
    rows, columns = radius.shape[0] // 2, radius.shape[1] // 2
    true_px = float(np.sqrt((radius[rows - 8 : rows + 8, columns - 8 : columns + 8].astype(np.float64) ** 2).mean()))
    seen = noiseless.expose(at_ns, f_number)
    assert seen.exposure.level == pytest.approx(1.0)
    assert measured_radius_px(seen.luma, _uniform(noiseless, 0.0), true_px) == pytest.approx(true_px, rel=0.06, abs=0.1)


def test_a_smear_blurs_along_itself_only(noiseless: SimulatedWorld) -> None:
    sharp, smeared = _uniform(noiseless, 0.0).astype(np.float64), _uniform(noiseless, 0.0, smear_x_px=6.0)
    middle = (slice(150, 300), slice(180, 330))

    def steps(picture: NDArray[np.float64], axis: int) -> float:
        return float(np.var(np.diff(picture[middle], axis=axis)))

    along, across = (steps(smeared.astype(np.float64), axis) / steps(sharp, axis) for axis in (1, 0))
    assert along < 0.15
    assert across > 2 * along


@pytest.mark.parametrize("radius_px", [radius for radius in RADII_PX if radius >= 1.0])
def test_every_layer_spreads_a_point_by_the_second_moment_of_its_disc(radius_px: float) -> None:
    """Also at half and at a quarter of the size. A point dim enough not to saturate, on 8 bits: hence 5 %."""
    point = np.zeros((192, 192), np.float32)
    point[92:100, 92:100] = HEADROOM * 0.8
    spread = _variance_px2(_layer(point, radius_px)) - _variance_px2(_layer(point, 0.0))
    assert spread == pytest.approx(radius_px**2 / 4, rel=0.05)


def test_layers_of_every_size_are_tried() -> None:
    assert RADII_PX[-1] > QUARTER_FROM_PX > HALF_FROM_PX > RADII_PX[3]


def _variance_px2(layer: NDArray[np.uint8]) -> float:
    """Second moment of a layer's light about its middle along one axis, averaged over both, px²."""
    weight = to_linear(layer.astype(np.float64) / 255).astype(np.float64)
    weight /= weight.sum()
    y, x = np.mgrid[: layer.shape[0], : layer.shape[1]].astype(np.float64)
    return float((weight * ((x - (weight * x).sum()) ** 2 + (y - (weight * y).sum()) ** 2)).sum() / 2)


@pytest.mark.parametrize(("light", "gain"), [(1.0, 1.0), (0.1, 6.25), (0.05, 12.5)])
def test_the_noise_is_that_of_photons_and_read_out_at_the_gain(light: float, gain: float) -> None:
    world = SimulatedWorld(replace(FLAT, light=light))
    seen, other = world.expose(HELD_NS), world.expose(HELD_NS + 1)  # the same picture, other noise
    assert seen.exposure.gain == pytest.approx(gain)
    difference = seen.luma.astype(np.float64) - other.luma
    level = (seen.luma.astype(np.float64) + other.luma) / 2
    due = noise_due(world.settings, seen.exposure.gain)
    for low in (90, 110, 130):
        there = (level >= low) & (level < low + 8)
        assert there.sum() > 5000
        assert difference[there].std() / np.sqrt(2) == pytest.approx(np.hypot(due[low + 4], np.sqrt(1 / 12)), rel=0.06)
    world.close()


def test_noise_follows_the_photon_law_worked_by_hand() -> None:
    """Signal 0.2159 of 4000 e: 864 e, deviation 29.45 e with 1.6 e of read noise and 1.1 e of the converter; at display
    value 128 the slope of the tone curve is 1.0753: 255 × 1.0753 × 29.45/4000 = 2.019 levels. At gain 4, of 1000 e:
    216 e, deviation 14.78 e, 4.053 levels."""
    assert noise_due(WorldSettings(), 1.0)[128] == pytest.approx(2.019, rel=0.001)
    assert noise_due(WorldSettings(), 4.0)[128] == pytest.approx(4.053, rel=0.001)


def test_noise_is_fresh_in_every_frame_and_in_every_strip() -> None:
    world = SimulatedWorld(replace(FLAT, light=0.1))
    frames = [world.expose(HELD_NS + number).luma.astype(np.float64) for number in range(4)]
    first, second = frames[0] - frames[1], frames[2] - frames[3]
    middle = slice(100, 400)
    assert abs(_correlation(first[:, middle], second[:, middle])) < 0.02
    assert abs(_correlation(first[20:STRIP_PX, middle], first[STRIP_PX + 20 : 2 * STRIP_PX, middle])) < 0.03
    assert abs(_correlation(first[:, middle], np.roll(first, 1, axis=1)[:, middle])) < 0.03  # white, too
    world.close()


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
