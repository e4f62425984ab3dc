"""What stands in for a model that cannot be used: it judges nothing and says why, so that an override still works."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NoReturn

from calibration.profile import Profile
from device.supervision.faults import FOREIGN_PROFILE, coded
from models.classifier import Classifier, Judging
from models.errors import InputError, ModelError
from models.focusmap import Luma

log = logging.getLogger("focusgate")

NO_MODEL = "0" * 64


@dataclass(slots=True)  # not frozen: the protocol has plain attributes
class NoClassifier:
    """Implements `models.classifier.Classifier`. `why` is one line with its code."""

    why: str
    name: str = "none"
    sha256: str = NO_MODEL
    tile_px: int = 1
    criterion_px: float = 1.0

    def judge(self, luma: Luma, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> NoReturn:
        """Raises ModelError for every frame (H×W, uint8): the gate stays closed by a fault."""
        del luma, judging, frame_id, exposed_ns
        raise ModelError(self.why)


def fitting(
    classifier: Classifier, profile: Profile | None, camera_id: str, *, patient: bool
) -> tuple[Classifier, Profile | None]:
    """The two, if they are made for each other and for this camera (H12).

    If not, nothing is judged and an override still works; unless `patient`, InputError.
    """
    if profile is None or isinstance(classifier, NoClassifier):  # without a model there is nothing to calibrate
        return classifier, None
    try:
        profile.check_matches(camera_id, classifier.sha256)
    except InputError as error:
        if not patient:
            raise
        why = coded(FOREIGN_PROFILE, error)
        log.warning("%s; the gate stays closed, an override works", why)
        return NoClassifier(why), None
    return classifier, profile
