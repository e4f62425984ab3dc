"""picamera2 imports pykms for its preview on a screen, which a headless device never opens; Debian has no pykms."""

from __future__ import annotations


class PixelFormat:
    RGB888 = BGR888 = XRGB8888 = XBGR8888 = YUV420 = YVU420 = YUYV = NV12 = MJPEG = None


class Card:
    def __init__(self, *_arguments: object) -> None:
        raise RuntimeError("no screen here")


class ResourceManager:
    pass
