"""What is too dark to be judged on one device, by its own noise at the gain of each exposure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from calibration.linear import FULL_SCALE_DN, Tone, linear_dn
from calibration.noise import GainResult, at_gain, darkest_dn
from calibration.profile import NoiseSection, Profile
from models.classifier import Judging

GAIN_STEP_DB = 0.1
"""Gains are told apart in these steps; the limit changes by one percent from one to the next."""


def dark_luma(noise: NoiseSection, tone: Tone, gain_db: float) -> float:
    """Mean luma, 0 to 255, below which noise leaves nothing to judge at this gain; see `noise.darkest_dn`.

    `tone`: the camera's curve between light and luma.
    """
    gains = [GainResult(each.gain_db, each.e_per_dn, each.read_noise_e, True) for each in noise.gains]
    level_dn = noise.black_level_dn + darkest_dn(at_gain(gains, gain_db))
    lumas = np.arange(int(FULL_SCALE_DN) + 1, dtype=np.uint8)
    return float(np.interp(level_dn, linear_dn(lumas, tone), lumas))


def judging_at(profile: Profile | None, judging: Judging) -> Callable[[float | None], Judging]:
    """How a frame of each analogue gain (1: none; None: unknown) is judged on this device.

    Without a noise model, or without a gain, it is always `judging`.
    """
    if profile is None or profile.noise is None:
        return lambda _gain: judging
    noise, tone = profile.noise, profile.tone or "linear"

    @lru_cache(maxsize=256)
    def at_step(step: int) -> Judging:
        return replace(judging, dark_luma=dark_luma(noise, tone, step * GAIN_STEP_DB))

    def at(gain: float | None) -> Judging:
        return judging if gain is None or gain <= 0.0 else at_step(round(20 * math.log10(gain) / GAIN_STEP_DB))

    return at
