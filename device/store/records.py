"""What is known of one capture, as it stands inside the image itself: the schema of the XMP record, version 1."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from models.focusmap import Cause, FocusMap
from models.verdict import VerdictKind

CaptureId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]  # 128 bits, the size of EXIF's ImageUniqueID
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]  # nothing that moves a cursor
Count = Annotated[int, Field(ge=0)]
Size = Annotated[int, Field(ge=1, le=65_535)]  # px; JPEG's own limit
Percent = Annotated[int, Field(ge=1, le=100)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


def new_capture_id() -> str:
    """A random name: it says nothing of the patient, the time or the number of captures."""
    return secrets.token_hex(16)


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
        protected_namespaces=(),
    )


class TileMap(_Part):
    """The judgement of every tile, row by row.

    p_in_focus   one byte a tile, round(255 · p)
    cause        one byte a tile, `models.focusmap.Cause`
    in_focus     one bit a tile, first tile in the highest bit: exact, where p_in_focus is rounded
    """

    width: Size
    height: Size
    rows: Size
    columns: Size
    p_in_focus: bytes
    cause: bytes
    in_focus: bytes

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        tiles = self.rows * self.columns
        if len(self.p_in_focus) != tiles or len(self.cause) != tiles or len(self.in_focus) != (tiles + 7) // 8:
            raise ValueError("the tile map has not one entry a tile")
        _, cause, in_focus = self.arrays()
        if cause.max() > max(Cause) or (in_focus & (cause != Cause.JUDGED)).any():
            raise ValueError("the tile map says in focus where nothing was judged")
        return self

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
        """p_in_focus (0 to 255), cause and in_focus, each of shape (rows, columns)."""
        shape = (self.rows, self.columns)
        bits = np.unpackbits(np.frombuffer(self.in_focus, np.uint8), count=self.rows * self.columns)
        p, cause = (np.frombuffer(data, np.uint8).reshape(shape) for data in (self.p_in_focus, self.cause))
        return p, cause, bits.astype(np.bool_).reshape(shape)


class Evidence(_Part):
    """What the classifier said of the saved pixels, and by which rule."""

    model_name: Line
    model_sha256: Line
    criterion_px: Positive
    threshold: Annotated[float, Field(ge=0.0, le=1.0)]
    min_judged_percent: Percent
    in_focus: Count
    judged_tiles: Count
    total: Count
    tiles: TileMap

    @classmethod
    def of(cls, focus_map: FocusMap) -> Self:
        """The evidence in `focus_map`."""
        grid = focus_map.grid
        return cls(
            model_name=focus_map.model_name,
            model_sha256=focus_map.model_sha256,
            criterion_px=focus_map.criterion_px,
            threshold=focus_map.threshold,
            min_judged_percent=focus_map.min_judged_percent,
            in_focus=focus_map.in_focus,
            judged_tiles=focus_map.judged_tiles,
            total=focus_map.total,
            tiles=TileMap(
                width=grid.width,
                height=grid.height,
                rows=grid.rows,
                columns=grid.columns,
                p_in_focus=np.rint(focus_map.p_in_focus * 255).astype(np.uint8).tobytes(),
                cause=focus_map.cause.tobytes(),
                in_focus=np.packbits(focus_map.sharp).tobytes(),
            ),
        )

    @model_validator(mode="after")
    def _counts_its_tiles(self) -> Self:
        _, cause, in_focus = self.tiles.arrays()
        counted = (int(in_focus.sum()), int((cause == Cause.JUDGED).sum()), int((cause != Cause.OUTSIDE).sum()))
        if counted != (self.in_focus, self.judged_tiles, self.total):
            raise ValueError("the counts are not those of the tile map")
        return self

    @property
    def fraction(self) -> float | None:
        """In-focus share of what was judged; None where nothing was."""
        return self.in_focus / self.judged_tiles if self.judged_tiles else None

    def verdict(self, percent: int) -> VerdictKind:
        """The integer rule of `FocusMap.passes`, applied to what is written here."""
        if not self.judged_tiles or 100 * self.judged_tiles < self.min_judged_percent * self.total:
            return VerdictKind.CANNOT_JUDGE
        return VerdictKind.PASS if 100 * self.in_focus >= percent * self.judged_tiles else VerdictKind.FAIL


class CaptureRecord(_Part):
    """One capture. A record that calls an image in focus without its evidence cannot be made, nor read.

    verdict, reason, evidence  of these very pixels; all None if an override took them before any score was known
    exposed_ns, press_ns       monotonic clock of boot `boot_id`; `sequence` counts the captures of the store
    wall_time                  start of exposure by the wall clock, which is wrong unless `wall_synchronised`
    profile_id                 None: the device is not calibrated
    """

    schema_version: Literal[1] = 1
    capture_id: CaptureId
    session_id: CaptureId | None = None
    sequence: Count
    boot_id: Line
    exposed_ns: Count
    press_ns: Count
    wall_time: AwareDatetime
    wall_synchronised: bool
    width: Size
    height: Size
    override: bool
    required_percent: Percent
    verdict: VerdictKind | None
    reason: Line | None
    evidence: Evidence | None
    profile_id: Line | None = None
    profile_sha256: Sha256 | None = None
    camera_id: Line = ""
    exposure_us: Positive | None = None
    analogue_gain: Positive | None = None
    f_number: Positive | None = None
    software: Line

    @model_validator(mode="after")
    def _does_not_lie(self) -> Self:
        due = self.evidence.verdict(self.required_percent) if self.evidence else None
        if self.verdict != due:
            raise ValueError(f"the verdict {self.verdict} is not what its evidence says ({due})")
        if self.verdict is not VerdictKind.PASS and not self.override:
            raise ValueError("only an override keeps an image that did not pass")
        if self.evidence is not None:
            tiles = self.evidence.tiles
            if tiles.rows * tiles.height > self.height or tiles.columns * tiles.width > self.width:
                raise ValueError("the tile map is larger than the image")
        return self
