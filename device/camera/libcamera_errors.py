"""What picamera2 and libcamera say when they fail, in words that help."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from models.errors import one_line

NO_CAMERA = "no camera is found; check the cable, then 'rpicam-hello --list-cameras'"
BUSY = "is used by another program; end it ('fuser -v /dev/media*' names it)"
NO_MEMORY = "there is not enough contiguous memory; end other camera programs, or add cma=128M to the kernel's line"
NO_PERMISSION = "no permission; add this user to the group video, and see that the udev rules are installed"
NO_HEAP = "no /dev/dma_heap may be opened; see that the udev rules are installed and this user is in the group video"

_BY_ERRNO = {
    errno.EBUSY: BUSY,
    errno.ENOMEM: NO_MEMORY,
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
    errno.ENODEV: NO_CAMERA,
    errno.ENXIO: NO_CAMERA,
}

# Texts of picamera2 0.3.12 to 0.3.38 and of libcamera's Python bindings, in lower case.
_BY_WORDS = (
    ("dmaheap device", NO_HEAP),
    ("cannot allocate memory", NO_MEMORY),
    ("failed to allocate", NO_MEMORY),
    ("resource busy", BUSY),
    ("acquire", BUSY),
    ("permission denied", NO_PERMISSION),
    ("not found", NO_CAMERA),
    ("no such device", NO_CAMERA),
    ("no camera", NO_CAMERA),
)


def explained(error: BaseException) -> str:
    """`error`, or the first of its causes that is understood, as one phrase that ends with what to do."""
    chain = list(_causes(error))
    for each in chain:
        if isinstance(each, OSError) and each.errno in _BY_ERRNO:
            return _BY_ERRNO[each.errno]
    text = " / ".join(str(each) for each in chain).lower()
    for words, meaning in _BY_WORDS:
        if words in text:
            return meaning
    deepest = one_line(f"{type(chain[-1]).__name__}: {chain[-1]}", 140)
    return f"failed ({deepest}); it is restarted; 'journalctl -u focusgate' has libcamera's own words"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, what caused it, what caused that; a ring ends where it closes."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__
