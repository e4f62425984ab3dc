"""Synthesis of training pictures: energy kept, radii right, noise as theory says, repeatable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("skimage", reason="textures come with scikit-image, of the extras test and train")

from models.training.camera import draw_camera, expose, quantise
from models.training.optics import defocus, disc_psf, equivalent_radius_px, motion_psf, smear
from models.training.samples import CHUNK, SIDE, make_sample, stream
from models.training.textures import dead_leaves, mucosa, photographs, power_noise, vessels


def variance(kernel: np.ndarray) -> float:  # type: ignore[type-arg]
    """Second moment about the middle, averaged over both axes, px²."""
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - kernel.shape[0] // 2
    return float((kernel * (x**2 + y**2)).sum() / 2)


@pytest.mark.parametrize("radius_px", [0.5, 1.0, 2.5, 4.0, 8.0])
def test_a_disc_keeps_the_energy_and_has_its_radius(radius_px: float) -> None:
    kernel = disc_psf(radius_px)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    pixel = 1 / 12  # sampling by area widens the disc by up to a pixel's own variance
    assert radius_px**2 / 4 - 0.07 <= variance(kernel) <= radius_px**2 / 4 + pixel + 0.05


def test_a_bright_rim_widens_a_disc() -> None:
    assert variance(disc_psf(4.0, ring=2.0)) > variance(disc_psf(4.0))


@pytest.mark.parametrize("gaussian", [True, False])
def test_defocus_adds_the_variance_of_a_disc_whichever_its_shape(gaussian: bool) -> None:
    point = np.zeros((65, 65), np.float32)
    point[32, 32] = 1.0
    assert variance(defocus(point, 5.0, gaussian=gaussian)) == pytest.approx(5.0**2 / 4, rel=0.06)


def test_a_smear_has_the_variance_of_a_line_and_joins_the_radius() -> None:
    kernel = motion_psf(12.0, 0.7)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    assert 2 * variance(kernel) == pytest.approx(12.0**2 / 12, rel=0.2)
    flat = np.zeros((4, 4), np.float32)
    assert equivalent_radius_px(flat, 0.0, 6.0)[0, 0] == pytest.approx(6.0 / np.sqrt(6.0))
    assert smear(np.ones((40, 40), np.float32), 9.0, 0.3) == pytest.approx(1.0, abs=1e-4)


def test_photon_and_read_noise_have_the_variance_of_theory() -> None:
    rng = np.random.default_rng(4)
    plain = replace(
        draw_camera(rng),
        full_well_e=1000.0,
        read_noise_e=5.0,
        exposure=1.0,
        balance=None,
        denoise="none",
        sharpen=0.0,
        gamma=1.0,
        offset=0.0,
        contrast=1.0,
    )
    light = np.full((400, 400), 0.4, np.float32)
    found = expose(light, plain, rng)
    assert found.mean() == pytest.approx(0.4, abs=0.001)
    assert found.var() == pytest.approx(0.4 / 1000 + (5 / 1000) ** 2, rel=0.03)
    assert expose(light, plain, None) == pytest.approx(0.4)


def test_one_field_of_an_interlaced_frame_fills_the_other() -> None:
    rng = np.random.default_rng(1)
    camera = replace(draw_camera(rng), interlace="doubled", jpeg_quality=None)
    picture = rng.uniform(size=(16, 16)).astype(np.float32)
    levels = quantise(picture, camera)
    assert np.array_equal(levels[0::2], levels[1::2])


def test_photographs_of_the_wheel_are_linear_light_and_free() -> None:
    found = photographs()
    assert len(found) >= 10
    assert all(source.licence.startswith("CC0") for source in found)
    assert all(source.luma.min() >= 0.0 and source.luma.max() <= 1.0 for source in found)


@pytest.mark.parametrize("paint", [dead_leaves, mucosa, vessels])
def test_procedural_scenes_have_detail_and_are_repeatable(paint) -> None:  # type: ignore[no-untyped-def]
    one, two = (paint(np.random.default_rng(7), 160) for _ in range(2))
    assert np.array_equal(one, two)
    assert one.std() > 0.01


def test_power_noise_falls_with_frequency_as_asked() -> None:
    noise = power_noise(np.random.default_rng(3), 256, 1.5)
    power = np.abs(np.fft.rfft2(noise)) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None])
    low, high = (power[(frequency > at * 0.9) & (frequency < at * 1.1)].mean() for at in (0.05, 0.2))
    assert np.log(low / high) / np.log(4) == pytest.approx(3.0, abs=0.3)


def test_a_sample_is_whole_and_the_same_for_the_same_seed() -> None:
    sources = photographs()
    one, two = (make_sample(np.random.default_rng(11), sources) for _ in range(2))
    assert one.luma.shape == (1, SIDE, SIDE)
    for name in one.__slots__:
        assert np.array_equal(getattr(one, name), getattr(two, name))
        assert np.isfinite(getattr(one, name)).all()


def test_held_out_photographs_are_seen_by_validation_only() -> None:
    names = [source.name for source in photographs()]
    held, of = 2, 5
    seen = {name for number, name in enumerate(names) if number % of == held}
    assert seen
    assert seen.isdisjoint({name for number, name in enumerate(names) if number % of != held})
    (chunk,) = stream(0, CHUNK, workers=1, held_out=(held, of))
    assert len(chunk) == CHUNK
