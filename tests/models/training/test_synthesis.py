"""Synthesis of training pictures: energy kept, radii right, noise as theory says, repeatable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("skimage", reason="textures come with scikit-image, of the extras test and train")

from models.training.camera import draw_camera, expose, quantise
from models.training.lens import draw_blur, share_of, through_lens
from models.training.optics import Psf, defocus, disc_psf, equivalent_radius_px, motion_psf, pupil_psf, smear
from models.training.patterns import mosaic, patch, punctation, stained, wet, with_instrument, with_lettering
from models.training.plan import CHUNK
from models.training.samples import FULL, MARGIN, SIDE, TILE_PX, make_sample, stream, truth
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


@pytest.mark.parametrize("kind", ["gaussian", "disc"])
def test_defocus_adds_the_variance_of_a_disc_whichever_its_shape(kind: str) -> None:
    point = np.zeros((65, 65), np.float32)
    point[32, 32] = 1.0
    assert variance(defocus(point, 5.0, Psf(kind))) == pytest.approx(5.0**2 / 4, rel=0.06)


@pytest.mark.parametrize("cutoff", [0.35, 0.9, 1.5])
def test_a_pupil_diffracts_to_its_cutoff_and_defocuses_by_the_radius(cutoff: float) -> None:
    sharp, far = pupil_psf(0.0, cutoff), pupil_psf(8.0, cutoff)
    for kernel in (sharp, far):
        assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
        assert np.allclose(kernel, kernel[::-1, ::-1], atol=1e-6)
    assert variance(far) - variance(sharp) == pytest.approx(8.0**2 / 4, rel=0.1)
    transfer = np.abs(np.fft.rfft2(sharp, (256, 256)))
    beyond = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None]) > cutoff
    assert not beyond.any() or transfer[beyond].max() < 0.02  # the cut-off tails of the kernel ripple a little


def test_in_focus_a_pupil_transfers_what_theory_says() -> None:
    """Modulation of a round pupil without aberration (Goodman, 6.3), times that of a square pixel."""
    cutoff = 0.45  # below half a cycle per px: nothing folds back
    transfer = np.abs(np.fft.rfft(pupil_psf(0.0, cutoff).sum(0), 400))
    frequency = np.fft.rfftfreq(400)
    share = np.minimum(frequency / cutoff, 1.0)
    theory = 2 / np.pi * (np.arccos(share) - share * np.sqrt(1 - share**2)) * np.sinc(frequency)
    assert transfer == pytest.approx(theory, abs=0.04)


def test_spherical_aberration_tells_the_two_sides_of_focus_apart() -> None:
    assert np.allclose(pupil_psf(4.0, 0.9), pupil_psf(-4.0, 0.9), atol=1e-6)
    assert np.abs(pupil_psf(4.0, 0.9, 0.5) - pupil_psf(-4.0, 0.9, 0.5)).max() > 0.003


def test_a_lens_with_colours_blurs_them_differently_and_says_their_mean() -> None:
    rng = np.random.default_rng(5)
    scene = power_noise(rng, 128, 1.0)
    plain = replace(
        draw_blur(rng),
        psf=Psf("disc"),
        near_px=2.0,
        far_px=2.0,
        field="flat",
        motion_px=0.0,
        base_px=0.0,
        chroma_px=1.0,
    )
    picture, radius = through_lens(scene, plain, colour=True)
    red, green, blue = (picture[20:-20, 20:-20, channel].std() for channel in range(3))
    assert red < green < blue
    assert radius == pytest.approx(np.sqrt(0.299 * 9 + 0.587 * 4 + 0.114), abs=1e-4)
    grey, radius = through_lens(scene, plain, colour=False)
    assert grey.shape == scene.shape
    assert radius == pytest.approx(2.0)


@pytest.mark.parametrize("field", ["tilt", "curved"])
def test_blur_grows_over_the_field_from_near_to_far(field: str) -> None:
    rng = np.random.default_rng(6)
    blur = replace(draw_blur(rng), field=field, near_px=1.0, far_px=6.0, tilt_rad=0.0, centre=(-0.5, 0.0))
    blur = replace(blur, motion_px=0.0, base_px=0.0, chroma_px=0.0, psf=Psf("disc"))
    share = share_of(blur, 100)
    assert share is not None
    assert share.min() >= 0.0
    assert share.max() <= 1.0
    _, radius = through_lens(power_noise(rng, 100, 1.0), blur, colour=True)
    assert radius[50, 2] < radius[50, 50] < radius[50, 97]


@pytest.mark.parametrize("paint", [mosaic, punctation])
def test_patterns_of_vessels_stay_within_nothing_and_all(paint) -> None:  # type: ignore[no-untyped-def]
    found = paint(np.random.default_rng(3), 150)
    assert found.shape == (150, 150)
    assert 0.0 <= found.min() < 0.05
    assert 0.3 < found.max() <= 1.0


@pytest.mark.parametrize("change", [stained, with_instrument, with_lettering])
def test_what_lies_over_a_scene_changes_a_part_of_it(change) -> None:  # type: ignore[no-untyped-def]
    before = np.full((150, 150), 0.4, np.float32)
    changed = [change(np.random.default_rng(seed), before) for seed in range(6)]
    assert all(np.isfinite(after).all() and after.min() >= -0.01 for after in changed)
    assert sum(np.abs(after - before).max() > 0.05 for after in changed) >= 4


def test_a_wet_surface_shines_in_few_places_and_brightly() -> None:
    found = [wet(np.random.default_rng(seed), 200) for seed in range(10)]
    assert all(light.min() == 0.0 and 0.0 < (light > 0).mean() < 0.09 for light in found)
    assert np.median([light.max() for light in found]) > 1.0


def test_a_sharp_outline_is_sharp_and_a_soft_one_is_not() -> None:
    sharp, soft = (np.abs(np.diff(patch(np.random.default_rng(2), 200, sharp=kind))).max() for kind in (True, False))
    assert sharp > 3 * soft


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


def test_a_tile_is_as_blurred_as_what_there_is_to_see_in_it() -> None:
    rng = np.random.default_rng(1)
    radius = np.full((FULL, FULL), 0.5, np.float32)
    radius[:, MARGIN + TILE_PX // 2 :] = 8.0
    empty = np.full((FULL, FULL), 0.5, np.float32)
    of_area, within = truth(radius, empty)
    assert of_area[1, 0] == pytest.approx(4.25, abs=0.01)
    assert within[1, 0] == pytest.approx(0.5, abs=0.01)
    detailed = empty.copy()
    detailed[:, : MARGIN + TILE_PX // 2 - 12] += 0.2 * rng.standard_normal((FULL, MARGIN + TILE_PX // 2 - 12))
    of_detail, within = truth(radius, detailed)
    assert of_detail[1, 0] == pytest.approx(0.5, abs=0.05)
    assert (within[1, 0] > 0.99).all()
    assert (of_detail[:, 1:] == 8.0).all()
