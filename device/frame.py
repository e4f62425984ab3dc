"""One exposure: the luma that is judged and the colour image of the very same pixels."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from models.focusmap import Luma

Rgb = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ExposureInfo:
    """What the camera said of the exposure; None where it does not say."""

    exposure_us: float | None = None
    analogue_gain: float | None = None
    f_number: float | None = None
    lens_position_dioptre: float | None = None
    sequence: int | None = None  # the sensor's own frame counter


class Frame:
    """One exposure, held until the last of its holders lets go.

    `luma` is uint8 of shape (H, W), possibly a strided view into the camera's own buffer; it is read-only and valid
    only while the frame is held. `exposed_ns` is the start of exposure on the monotonic clock. Whoever keeps a frame
    beyond the call that handed it over calls `hold()`, and closes it again (it is a context manager); at the last
    close `release` gives the buffer back to the camera.
    """

    __slots__ = ("_holders", "_lock", "_release", "_still", "exposed_ns", "id", "info", "luma")

    def __init__(
        self,
        *,
        id: int,  # noqa: A002 - the field's own word
        exposed_ns: int,
        luma: Luma,
        still: Callable[[], Rgb],
        info: ExposureInfo | None = None,
        release: Callable[[], None] | None = None,
    ) -> None:
        view = luma.view()
        view.flags.writeable = False
        self.id = id
        self.exposed_ns = exposed_ns
        self.luma = view
        self.info = info or ExposureInfo()
        self._still = still
        self._release = release
        self._holders = 1
        self._lock = threading.Lock()

    def still(self) -> Rgb:
        """The full-colour image of this exposure, uint8 RGB of shape (H, W, 3). Slow: not on the decision path."""
        if self._holders <= 0:
            raise RuntimeError("the frame was released; hold() it as long as it is needed")
        return self._still()

    def hold(self) -> Frame:
        """One more holder."""
        with self._lock:
            if self._holders <= 0:
                raise RuntimeError("the frame was released; hold() it before the last holder closes it")
            self._holders += 1
        return self

    def close(self) -> None:
        """One holder less; the last one gives the buffer back."""
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
            if self._holders < 0:
                raise RuntimeError("the frame was released more often than held")
        if last and self._release is not None:
            self._release()

    @property
    def released(self) -> bool:
        return self._holders <= 0

    def __enter__(self) -> Frame:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
