"""The configuration: TOML in, frozen settings out. Unknown keys, wrong types and values out of range are refused."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo

from device.config_base import Section
from device.config_board import (
    ApertureConfig,
    AssistConfig,
    FixedApertureConfig,
    PiCameraConfig,
    RpiPinsConfig,
    table_of,
    travel_of,
)
from device.config_calibrate import CalibrateConfig, ProfileConfig
from device.gate import MS, GateSettings
from device.pins.reserve import check_claims
from models.errors import InputError, one_line


class SimulatedCameraConfig(Section):
    kind: Literal["simulated"] = "simulated"
    seed: int = Field(1, ge=0, le=2**31 - 1, description="seed of tissue, hand and noise")
    fps: float = Field(10.0, ge=1.0, le=60.0, description="frames a second")
    width: int = Field(2592, ge=256, le=4096, description="frame width, px")
    height: int = Field(1944, ge=256, le=4096, description="frame height, px")


class FilesCameraConfig(Section):
    kind: Literal["files"] = "files"
    path: str = Field(description="a folder of images, one image, or a video")
    rate_hz: float = Field(10.0, ge=0.5, le=60.0, description="frames a second")
    loop: bool = Field(True, description="start again at the end")


class V4l2CameraConfig(Section):
    kind: Literal["v4l2"] = "v4l2"
    device: int = Field(0, ge=0, le=63, description="N of /dev/videoN")
    width: int = Field(2592, ge=256, le=8192, description="frame width asked for, px")
    height: int = Field(1944, ge=256, le=8192, description="frame height asked for, px")
    fps: float = Field(15.0, ge=1.0, le=120.0, description="frames a second asked for")


CameraConfig = Annotated[
    SimulatedCameraConfig | FilesCameraConfig | V4l2CameraConfig | PiCameraConfig, Field(discriminator="kind")
]


class GateConfig(Section):
    percent: int = Field(90, ge=90, le=100, description="share of the judged tiles that must be in focus, %")
    min_judged_percent: int = Field(40, ge=10, le=100, description="share of the field that must be judged, %")
    passes_to_open: int = Field(3, ge=3, le=100, description="consecutive passing frames that open the gate")
    max_evidence_age_ms: int = Field(300, ge=50, le=300, description="evidence older than this is none, ms")
    press_window_ms: int = Field(500, ge=100, le=2000, description="a press waits this long for its frame, ms")
    override_hold_ms: int = Field(1500, ge=1000, le=10_000, description="hold of the override button that arms, ms")
    override_armed_ms: int = Field(10_000, ge=1000, le=30_000, description="an armed override expires after, ms")
    stuck_ms: int = Field(10_000, ge=5000, le=60_000, description="a button held longer is taken for stuck, ms")

    def settings(self) -> GateSettings:
        """The same in the gate's own units."""
        return GateSettings(
            passes_to_open=self.passes_to_open,
            max_evidence_age_ns=self.max_evidence_age_ms * MS,
            press_window_ns=self.press_window_ms * MS,
            override_hold_ns=self.override_hold_ms * MS,
            override_armed_ns=self.override_armed_ms * MS,
            stuck_ns=self.stuck_ms * MS,
        )


class ModelConfig(Section):
    manifest: str | None = Field(None, description="manifest of the model; none: the one that is shipped")
    trusted_keys: str | None = Field(
        None, description="folder of public keys (PEM) whose signature on a model is trusted besides the shipped one's"
    )
    threads: int = Field(1, ge=1, le=4, description="threads of the classifier")
    criterion_px: float | None = Field(
        None, gt=0.0, le=20.0, description="largest blur radius that is in focus, px; none: the model's own"
    )


class StoreConfig(Section):
    folder: str | None = Field(None, description="where captures are kept; none: FOCUSGATE_STORE, else the user's data")
    seal_to: str | None = Field(
        None,
        description="public key (PEM) of 'focusgate seal keygen', whose owner alone can open the images; none: plain",
    )
    queue: int = Field(4, ge=1, le=16, description="captures that may wait to be saved")


class SimulatedPinsConfig(Section):
    kind: Literal["simulated"] = "simulated"


PinsConfig = Annotated[SimulatedPinsConfig | RpiPinsConfig, Field(discriminator="kind")]


class Config(Section):
    """All of it. Every section may be left out."""

    camera: CameraConfig = Field(SimulatedCameraConfig(), description="where frames come from")
    gate: GateConfig = Field(GateConfig(), description="when the shutter may open")
    model: ModelConfig = Field(ModelConfig(), description="what judges the frames")
    profile: ProfileConfig = Field(ProfileConfig(), description="what was measured about this device")
    pins: PinsConfig = Field(SimulatedPinsConfig(), description="buttons, lamp, buzzer, shutter")
    aperture: ApertureConfig = Field(FixedApertureConfig(), description="the iris; a simulated camera has its own")
    assist: AssistConfig = Field(AssistConfig(), description="when the aperture moves by itself")
    store: StoreConfig = Field(StoreConfig(), description="where captures go")
    calibrate: CalibrateConfig = Field(CalibrateConfig(), description="how 'focusgate calibrate' works, and its limits")


def load_config(path: Path | None) -> Config:
    """The configuration in `path`, or the defaults for None. Raises InputError: one line with file, key and range."""
    if path is None:
        return Config()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot read the configuration ({error.strerror}); name an existing TOML file"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: the configuration is not UTF-8 text; write it as TOML") from None
    if not text.strip():
        raise InputError(f"{path}: the configuration is empty; leave --config out to use the defaults")
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets thousands deep
        raise InputError(f"{path}: not valid TOML: {one_line(error)}") from None
    return parse_config(values, str(path))


def parse_config(values: dict[str, Any], where: str) -> Config:
    """`values` as a Config. Raises InputError naming the first thing that is wrong, and how many more there are."""
    try:
        _check_texts(values)
        config = Config.model_validate(values)
        _check_whole(config)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first = problems[0]
        rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(
            f"{where}: {_explain(first['loc'], first['type'], first['msg'], first['input'])}{rest}"
        ) from None
    return config


def _check_texts(value: object, key: str = "") -> None:
    """No text is blank, which would be taken for one that was left out, or holds what no path and no message may."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_texts(inner, f"{key}.{_word(name)}" if key else _word(name))
    elif isinstance(value, str) and (not value.strip() or any(sign < " " or sign == "\x7f" for sign in value)):
        raise InputError(
            f"{key} = {one_line(repr(value), 60)} is not possible; allowed: text on one line, or no such key"
        )


def _check_whole(config: Config) -> None:
    """What no section shows by itself: no line is wanted twice, and the aperture's table fits its travel."""
    pins = config.pins.pins().claims() if isinstance(config.pins, RpiPinsConfig) else ()
    check_claims((*pins, *config.aperture.claims()))
    if isinstance(config.camera, PiCameraConfig):
        config.camera.settings()
    if not isinstance(config.aperture, FixedApertureConfig):
        travel_of(config.aperture).check(table_of(config.aperture))


def _word(name: object) -> str:
    """A key as it can be shown: on one line, and not endless."""
    return one_line("".join(sign if sign.isprintable() else "�" for sign in str(name)), 60)


def _explain(location: tuple[int | str, ...], kind: str, message: str, value: object) -> str:
    """One validation error as: key, value, what is allowed, what to do."""
    names = [_word(part) for part in location if str(part) not in _KINDS or part == location[-1]]
    key = ".".join(names)
    shown = one_line(repr(value), 60)
    if kind == "extra_forbidden":
        others = ", ".join(_siblings(names, location))
        return f"unknown key {key} (= {shown}); allowed: {others}; see 'focusgate config explain'"
    if kind == "missing":
        return f"the key {key} is missing; 'focusgate config explain' says what it takes"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        kinds = [entry.kind for entry in explain() if entry.key == f"{key}.kind"]
        return f"{key}.kind is missing or unknown; allowed: {', '.join(map(repr, kinds))}; {shown} is not possible"
    if kind == "value_error":
        return f"{key} = {shown} is not possible; allowed: values that {message.removeprefix('Value error, must ')}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{key} is not a section; write it as a table: [{key}]; {shown} is not possible"
    whole = ".".join(name for name in names if not name.isdecimal())  # an item of a list is as the list allows
    entry = next((item for item in explain() if item.key == whole and _same_union(item, location)), None)
    allowed = f"allowed: {entry.allowed}" if entry else one_line(message)
    return f"{key} = {shown} is not possible; {allowed}"


def _siblings(names: list[str], location: tuple[int | str, ...]) -> list[str]:
    """The keys that there are where the last of `names` is not one."""
    if len(names) == 1:
        return list(Config.model_fields)
    entries = (entry.key.split(".") for entry in explain() if _same_union(entry, location))
    return [each[-1] for each in entries if each[:-1] == names[:-1]]


_KINDS = ("simulated", "files", "v4l2", "picamera2", "rpi", "fixed", "servo", "stepper")


def _same_union(entry: Entry, location: tuple[int | str, ...]) -> bool:
    return entry.kind is None or entry.kind in location


class Entry(Section):
    """One line of `focusgate config explain`."""

    key: str
    kind: str | None
    default: str
    allowed: str
    meaning: str


def explain() -> Iterator[Entry]:
    """Every key with its allowed values, default and meaning (which names the unit)."""
    for name, info in Config.model_fields.items():
        for section in _sections(info.annotation):
            union = "kind" in section.model_fields
            kind = section.model_fields["kind"].default if union else None
            for key, item in section.model_fields.items():
                yield Entry(
                    key=f"{name}.{key}",
                    kind=kind,
                    default=_default(item),
                    allowed=_allowed(item),
                    meaning=item.description or "which back end",
                )


def _sections(annotation: Any) -> tuple[type[Section], ...]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return (annotation,)
    return tuple(part for part in get_args(annotation) if isinstance(part, type) and issubclass(part, Section))


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    if info.default is None:
        return "none"
    return str(info.default).lower() if isinstance(info.default, bool) else str(info.default)


def _parts(annotation: Any) -> Iterator[Any]:
    """An annotation and everything inside it: unions, Annotated, tuples, their limits."""
    yield annotation
    if get_origin(annotation) is tuple:
        yield tuple
    for part in get_args(annotation):
        yield from _parts(part)
    yield from getattr(annotation, "metadata", ())


def _allowed(info: FieldInfo) -> str:
    parts = [part for each in (info.annotation, *info.metadata) for part in _parts(each)]
    choices = [part for part in parts if isinstance(part, str)]
    if choices:
        return ", ".join(repr(value) for value in choices)
    name = {tuple: "list of", int: "whole number", float: "number", bool: "true or false", str: "text"}
    kinds = [words for kind, words in name.items() if kind in parts]
    bounds = []
    for limit in parts:
        match limit:
            case Ge(ge=value):
                bounds.append(f"from {value}")
            case Gt(gt=value):
                bounds.append(f"above {value}")
            case Le(le=value):
                bounds.append(f"to {value}")
            case Lt(lt=value):
                bounds.append(f"below {value}")
            case MultipleOf(multiple_of=value):
                bounds.append(f"in steps of {value}")
            case _:
                continue
    return " ".join(filter(None, (*kinds, *dict.fromkeys(bounds))))
