"""Nothing here runs without the packages of the training extra."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the study needs the extra 'train'")
pytest.importorskip("scipy", reason="the study needs the extra 'train'")
