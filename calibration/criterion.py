"""From what must be seen on the cervix to the blur radius this device may have: the criterion of its profile."""

from __future__ import annotations

import math

import numpy as np

from calibration.faults import CalibrationError

DETAIL_PERIOD_UM = 162.0
"""Spacing of the finest vessels that matter: the capillary loops that, seen end on, are fine punctation.

Source: "Noninvasive, in vivo assessment of the cervical microcirculation using incident dark field imaging" (abstract):
33.2 capillary loops per mm² under the squamous epithelium of healthy ectocervices, 95 % confidence 28.2 to 38.2. The
densest, 38.2 per mm², lie 1/√38.2 mm = 162 µm apart. In disease they lie farther apart, not closer."""

LEAST_CONTRAST = 0.5
"""Modulation left at that spacing, by lens, defocus and pixels together. An assumption, on the safe side: two points
are told apart from about 0.2 on (Rayleigh), but noise, scatter in the tissue and JPEG still follow."""

MOST_CRITERION_PX = 20.0
"""Largest criterion that a profile allows."""

BISECTIONS = 60


def criterion_px(
    um_per_px: float, *, detail_period_um: float = DETAIL_PERIOD_UM, least_contrast: float = LEAST_CONTRAST
) -> float:
    """Radius (px) of the largest blur disc that leaves `least_contrast` at `detail_period_um`.

    Solves |2·J1(x)/x| · sinc(f) = least_contrast with x = 2π·r·f and f = um_per_px / detail_period_um in cycles per px
    (Goodman, Introduction to Fourier Optics, 6.4; sinc: the square pixel). Raises CalibrationError where the pixels
    alone are too coarse.
    """
    frequency = um_per_px / detail_period_um
    pixel = float(np.sinc(frequency))
    if frequency >= 0.5 or pixel <= least_contrast:
        raise CalibrationError(
            f"pixels of {um_per_px:.0f} µm cannot resolve details {detail_period_um:.0f} µm apart with a contrast of "
            f"{least_contrast:g}; come closer, or set a coarser detail_period_um"
        )
    low, high = 0.0, 3.8317 / (2 * math.pi * frequency)  # the first zero of J1
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _jinc(2 * math.pi * middle * frequency) * pixel > least_contrast:
            low = middle
        else:
            high = middle
    return min(low, MOST_CRITERION_PX)


def _jinc(x: float) -> float:
    """2·J1(x)/x by Bessel's integral, 64 points."""
    if x < 1e-9:
        return 1.0
    t = (np.arange(64) + 0.5) * np.pi / 64
    return float(2 * np.cos(t - x * np.sin(t)).mean() / x)
