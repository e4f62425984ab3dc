"""What is too dark to be judged follows the noise of the device and the gain of the frame."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.darkness import dark_luma, judging_at
from calibration.linear import Tone, linear_dn
from calibration.noise import GainResult, signal_to_noise
from calibration.profile import GainNoise, NoiseSection, Profile
from models.classifier import Judging

NOISE = NoiseSection(
    black_level_dn=4.0,
    gains=(
        GainNoise(gain_db=0.0, e_per_dn=16.0, read_noise_e=5.0),
        GainNoise(gain_db=12.0, e_per_dn=4.0, read_noise_e=4.0),
    ),
)


@pytest.mark.parametrize("tone", ["linear", "srgb"])
@pytest.mark.parametrize(
    ("gain_db", "e_per_dn", "read_noise_e"), [(0.0, 16.0, 5.0), (12.0, 4.0, 4.0), (24.0, 1.0, 4.0)]
)
def test_the_limit_is_where_a_pixel_has_a_signal_to_noise_of_two(
    tone: Tone, gain_db: float, e_per_dn: float, read_noise_e: float
) -> None:
    luma = dark_luma(NOISE, tone, gain_db)
    lumas = np.arange(256, dtype=np.uint8)
    level_dn = float(np.interp(luma, lumas, linear_dn(lumas, tone))) - NOISE.black_level_dn
    noise = GainResult(gain_db, e_per_dn, read_noise_e, True)
    assert signal_to_noise(noise, level_dn) == pytest.approx(2.0, rel=0.01)


def test_more_gain_leaves_less_to_judge() -> None:
    at = judging_at(Profile(schema=1, name="unit 7", noise=NOISE), Judging(min_judged_percent=30))
    limits = [at(gain).dark_luma for gain in (1.0, 2.0, 4.0, 8.0, 16.0)]
    assert limits == sorted(limits)
    assert limits[-1] > 2 * limits[0] > 0.0
    assert at(4.0).min_judged_percent == 30


@pytest.mark.parametrize("gain", [None, 0.0, 1.0, 8.0])
def test_without_a_noise_model_the_manifest_decides(gain: float | None) -> None:
    judging = Judging(criterion_px=2.0)
    assert judging_at(None, judging)(gain) is judging
    assert judging_at(Profile(schema=1, name="unit 7"), judging)(gain) is judging


@pytest.mark.parametrize("gain", [None, 0.0, -1.0])
def test_an_unknown_gain_leaves_the_manifest_to_decide(gain: float | None) -> None:
    judging = Judging()
    assert judging_at(Profile(schema=1, name="unit 7", noise=NOISE), judging)(gain) is judging
