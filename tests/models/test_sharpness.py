"""Classical measures fall when a picture is blurred, agree with their definitions, and know nothing of position."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import InputError
from models.sharpness import MEASURES, Measure, high_frequency_ratio, reblur_loss, tenengrad, variance_of_laplacian

TILE_PX = 64
each_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


def texture(height: int = 130, width: int = 200) -> NDArray[np.uint8]:
    """Smooth noise with detail down to the pixel."""
    fine = np.random.default_rng(3).normal(0, 30, (height, width))
    return np.clip(128 + fine + cv2.GaussianBlur(fine, (0, 0), 3) * 5, 0, 255).astype(np.uint8)


@each_measure
def test_the_more_blur_the_lower_the_score(measure: Measure) -> None:
    sharp = texture()
    scores = [measure(cv2.GaussianBlur(sharp, (0, 0), sigma), TILE_PX) for sigma in (0.3, 0.8, 1.5)]
    for sharper, softer in pairwise(scores):
        assert (sharper > softer).all()


@each_measure
def test_there_is_one_score_for_every_whole_tile(measure: Measure) -> None:
    assert measure(texture(), TILE_PX).shape == (2, 3)
    assert measure(texture(64, 64), TILE_PX).shape == (1, 1)


@each_measure
def test_a_strided_view_scores_like_its_copy(measure: Measure) -> None:
    view = texture(260, 400)[::2, 10:330]
    assert np.array_equal(measure(view, TILE_PX), measure(view.copy(), TILE_PX))


@each_measure
def test_an_image_smaller_than_a_tile_is_refused(measure: Measure) -> None:
    with pytest.raises(InputError, match="smaller than a tile"):
        measure(texture(63, 200), TILE_PX)


@each_measure
def test_a_flat_tile_has_a_finite_score_below_any_texture(measure: Measure) -> None:
    flat = measure(np.full((64, 64), 90, np.uint8), TILE_PX).item()
    assert 0.0 <= flat < measure(texture(64, 64), TILE_PX).item()


def test_the_variance_of_the_laplacian_is_just_that() -> None:
    luma = texture(64, 64)
    by_hand = cv2.Laplacian(luma, cv2.CV_64F).var()
    assert variance_of_laplacian(luma, 64).item() == pytest.approx(by_hand, rel=1e-9)


def test_tenengrad_of_a_ramp_is_its_squared_slope() -> None:
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 2, (64, 1))
    inner = (2 * 8.0) ** 2  # the Sobel kernel sums to 8 over a step of 1; its two border columns see no slope
    assert tenengrad(ramp, 64).item() == pytest.approx(inner * 62 / 64)


@pytest.mark.parametrize(("cycles_per_px", "expected"), [(0.1, 0.0), (0.4, 1.0), (0.5, 1.0)])
def test_a_wave_is_all_low_or_all_high(cycles_per_px: float, expected: float) -> None:
    wave = 128 + 100 * np.cos(2 * np.pi * cycles_per_px * np.arange(64))
    luma = np.tile(np.round(wave).astype(np.uint8), (64, 1))
    assert high_frequency_ratio(luma, 64).item() == pytest.approx(expected, abs=0.01)


def test_the_share_of_high_frequencies_of_white_noise_is_that_of_the_plane() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (512, 512)).astype(np.uint8)
    outside = 1 - np.pi * 0.25**2  # of the unit square of frequencies, all but the disc of radius 1/4
    assert high_frequency_ratio(noise, 512).item() == pytest.approx(outside, abs=0.01)


@pytest.mark.parametrize("sigma_px", [0.0, 0.7, 2.0])
def test_the_loss_by_a_second_blur_is_the_blur_effect_of_scikit_image(sigma_px: float) -> None:
    measure = pytest.importorskip("skimage.measure", reason="compared with scikit-image where it is installed")
    luma = texture(64, 128)
    luma = cv2.GaussianBlur(luma, (0, 0), sigma_px) if sigma_px else luma
    expected = [1.0 - measure.blur_effect(luma[:, left : left + 64]) for left in (0, 64)]
    assert reblur_loss(luma, 64)[0] == pytest.approx(expected, abs=1e-5)


def test_a_picture_that_is_blurred_along_one_axis_has_little_to_lose() -> None:
    sharp = texture(64, 64)
    shaken = cv2.blur(sharp, (9, 1))
    assert reblur_loss(shaken, 64).item() < 0.6 * reblur_loss(sharp, 64).item()
    assert reblur_loss(shaken.T.copy(), 64).item() == pytest.approx(reblur_loss(shaken, 64).item(), abs=1e-6)


def test_contrast_alone_hardly_moves_what_is_its_own_reference() -> None:
    sharp = texture(64, 64)
    pale = np.round(128 + (sharp.astype(float) - 128) / 2).astype(np.uint8)
    assert reblur_loss(pale, 64).item() == pytest.approx(reblur_loss(sharp, 64).item(), rel=0.1)
    assert tenengrad(pale, 64).item() < 0.3 * tenengrad(sharp, 64).item()
