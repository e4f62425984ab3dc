"""Photon transfer: what was put into pictures is found again, bent or straight; what cannot tell is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.noise import FlatPair, GainResult, at_gain, darkest_dn, noise_model, signal_to_noise
from models.errors import InputError

HEIGHT, WIDTH = 320, 400
EXPOSURES = (0.15, 0.45, 0.85)
Float = NDArray[np.float64]


def bent(signal: Float) -> Float:
    """A square-root curve through 0 and 255."""
    return np.asarray(255.0 * np.sqrt(np.clip(signal, 0.0, None) / 255.0), np.float64)


def unbent(level: Float) -> Float:
    return np.asarray(255.0 * (level / 255.0) ** 2, np.float64)


class Sensor:
    """Straight, or bent before rounding."""

    def __init__(self, seed: int, e_per_dn: float, read_e: float, black_dn: float, *, curve: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.e_per_dn, self.read_e, self.black_dn, self.curve = e_per_dn, read_e, black_dn, curve
        self.pattern = 1.0 + 0.01 * self.rng.standard_normal((HEIGHT, WIDTH))

    def picture(self, fill: float, gain_db: float) -> NDArray[np.uint8]:
        light = fill * np.linspace(0.6, 1.0, WIDTH)[None, :] * self.pattern
        e_per_dn = self.e_per_dn / 10 ** (gain_db / 20)
        electrons = self.rng.poisson(light * (255.0 - self.black_dn) * e_per_dn)
        signal = (electrons + self.read_e * self.rng.standard_normal((HEIGHT, WIDTH))) / e_per_dn + self.black_dn
        return np.clip(np.rint(bent(signal) if self.curve else signal), 0, 255).astype(np.uint8)

    def pairs(self, gain_db: float) -> list[FlatPair]:
        return [FlatPair(self.picture(fill, gain_db), self.picture(fill, gain_db)) for fill in EXPOSURES]

    def dark(self, gain_db: float) -> FlatPair:
        return FlatPair(self.picture(0.0, gain_db), self.picture(0.0, gain_db))


@pytest.mark.parametrize("seed", range(6))
def test_what_the_sensor_is_made_of_is_found_within_ten_percent(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    sensor = Sensor(seed, rng.uniform(5.0, 20.0), rng.uniform(2.0, 8.0), rng.uniform(5.0, 25.0))
    gains = (0.0, 12.0, 24.0)
    found = noise_model({g: sensor.pairs(g) for g in gains}, {g: sensor.dark(g) for g in gains})
    assert found.black_level_dn == pytest.approx(sensor.black_dn, abs=0.3)
    for each in found.gains:
        assert each.e_per_dn == pytest.approx(sensor.e_per_dn / 10 ** (each.gain_db / 20), rel=0.05)
        assert each.read_noise_e == pytest.approx(sensor.read_e, rel=0.1)
    assert found.gains[-1].read_noise_measured


@pytest.mark.parametrize("seed", range(8))
def test_read_noise_that_rounding_hides_is_taken_from_the_next_gain_that_shows_it(seed: int) -> None:
    sensor = Sensor(seed, 16.0, 2.0, 12.8)  # at 12 dB just below half a DN
    gains = (0.0, 12.0, 18.0)
    found = noise_model({g: sensor.pairs(g) for g in gains}, {g: sensor.dark(g) for g in gains})
    assert [each.read_noise_e for each in found.gains] == pytest.approx([2.0] * 3, rel=0.1)
    assert found.gains[-1].read_noise_measured
    assert not found.gains[0].read_noise_measured


def test_a_curve_that_is_known_changes_nothing() -> None:
    sensor = Sensor(1, 10.0, 6.0, 12.0, curve=True)
    gains = (6.0, 18.0)
    flats, darks = {g: sensor.pairs(g) for g in gains}, {g: sensor.dark(g) for g in gains}
    found = noise_model(flats, darks, unbend=unbent)
    for each in found.gains:
        assert each.e_per_dn == pytest.approx(10.0 / 10 ** (each.gain_db / 20), rel=0.1)


def test_a_curve_that_is_not_undone_is_noticed() -> None:
    sensor = Sensor(1, 10.0, 6.0, 12.0, curve=True)
    with pytest.raises(InputError, match="--tone"):
        noise_model({12.0: sensor.pairs(12.0)}, {12.0: sensor.dark(12.0)})


def test_the_field_alone_counts() -> None:
    sensor = Sensor(2, 10.0, 4.0, 12.0)
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[32:288, 32:368] = True
    pairs = sensor.pairs(18.0)
    for pair in pairs:
        pair.first[~inside] = sensor.rng.integers(20, 200, (~inside).sum())
    found = noise_model({18.0: pairs}, {18.0: sensor.dark(18.0)}, inside=inside)
    assert found.gains[0].e_per_dn == pytest.approx(10.0 / 10 ** (18.0 / 20), rel=0.05)


def test_hot_pixels_in_the_dark_pictures_change_nothing() -> None:
    sensor = Sensor(3, 10.0, 4.0, 12.0)
    dark = sensor.dark(18.0)
    for each in (dark.first, dark.second):
        each[::40, ::40] = sensor.rng.integers(60, 250, each[::40, ::40].shape)
    found = noise_model({18.0: sensor.pairs(18.0)}, {18.0: dark})
    assert found.gains[0].read_noise_e == pytest.approx(4.0, rel=0.1)
    assert found.black_level_dn == pytest.approx(12.0, abs=0.3)


def test_pictures_that_cannot_tell_are_refused_with_what_to_do() -> None:
    sensor = Sensor(4, 10.0, 4.0, 12.0)
    good, dark = sensor.pairs(12.0), sensor.dark(12.0)
    white = FlatPair(np.full((HEIGHT, WIDTH), 255, np.uint8), np.full((HEIGHT, WIDTH), 255, np.uint8))
    black = FlatPair(np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(InputError, match="light the white paper evenly"):
        noise_model({12.0: [white]}, {12.0: dark})
    with pytest.raises(InputError, match="use exposures from dark"):
        noise_model({12.0: [good[0]]}, {12.0: dark})
    with pytest.raises(InputError, match="cut off at 0"):
        noise_model({12.0: good}, {12.0: black})
    with pytest.raises(InputError, match="dark pair"):
        noise_model({12.0: good}, {})
    smooth = [FlatPair(pair.first, pair.first) for pair in good]
    with pytest.raises(InputError, match="denoising"):
        noise_model({12.0: smooth}, {12.0: FlatPair(dark.first, dark.first)})


def test_between_the_measured_gains_electrons_follow_the_gain() -> None:
    gains = (GainResult(0.0, 10.0, 3.0, read_noise_measured=True), GainResult(20.0, 1.1, 2.5, read_noise_measured=True))
    found = at_gain(gains, 14.0)
    assert found.e_per_dn == pytest.approx(1.1 * 10 ** (6 / 20))
    assert found.read_noise_e == 2.5
    assert signal_to_noise(gains[0], 100.0) == pytest.approx(1000 / np.sqrt(1009))
    assert signal_to_noise(gains[0], -1.0) == 0.0


@pytest.mark.parametrize(("read_noise_e", "least"), [(0.0, 2.0), (2.0, 2.0), (8.0, 2.0), (8.0, 5.0)])
def test_at_the_darkest_level_signal_to_noise_is_the_least(read_noise_e: float, least: float) -> None:
    result = GainResult(0.0, 12.0, read_noise_e, True)
    assert signal_to_noise(result, darkest_dn(result, least)) == pytest.approx(least)
