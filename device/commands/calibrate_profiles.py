"""The actions of `focusgate calibrate` that read and write profiles and reports, without a camera."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from calibration.limits import checks, passed
from calibration.profile import load_profile
from calibration.profile_file import differences, encode_profile, expiry_line, facts, sign_profile
from device.calibrated import profile_in_force
from device.calibrating.finish import profile_of
from device.calibrating.report import page_of
from device.calibrating.work import Work, default_work
from device.config import Config, load_config
from device.profile_store import install_profile, previous
from device.store.origin import Origin
from models.errors import ExitCode, InputError
from models.manifest import load_manifest
from models.onnx_classifier import shipped_manifest
from models.signing import key_id, load_private_key

PROFILE = "profile.json"


def profile_path(named: Path | None, config: Config, work: Path | None = None) -> Path:
    """The profile that is meant: named, of the configuration, or in the working folder."""
    if named is not None:
        return named
    return Path(config.profile.file) if config.profile.file else (work or default_work()) / PROFILE


def finish_profile(arguments: argparse.Namespace, config: Config, work: Work) -> None:
    """Make, sign and install the profile; say what is still wrong with the device."""
    now = datetime.now(UTC).replace(microsecond=0)
    profile = profile_of(work, operator=arguments.operator, now=now, expiry_days=config.calibrate.expiry_days)
    content = encode_profile(profile)
    key = load_private_key(arguments.key) if arguments.key else None
    signature = sign_profile(content, key) if key is not None else None
    path = profile_path(arguments.profile, config, work.folder)
    new = install_profile(path, content, signature)
    device = work.device
    found = checks(profile, config.calibrate.limits(), width=device["width"], height=device["height"])
    for check in found:
        if not check.ok:
            print(f"FAILED {check.name}: {check.value} ({check.limit})")
    signed = f"signed by key {key_id(key.public_key())}" if key is not None else "not signed (--key)"
    print(f"{new}: {'passes' if passed(found) else 'FAILS'} the limits; {signed}; {expiry_line(profile, now)}")
    if not config.profile.file:
        print(f'name it in the configuration:\n[profile]\nfile = "{path}"')


def write_report(path: Path, config: Config, work: Work) -> None:
    """Write the page. Raises InputError if the file cannot be written."""
    page = page_of(work, config.calibrate.limits())
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot write the report ({error.strerror}); name a file of yours") from None
    print(f"{path}: written, {len(page) >> 10} KiB")


def finish(arguments: argparse.Namespace) -> int:
    """The profile of all steps."""
    config = load_config(arguments.config)
    finish_profile(arguments, config, Work(arguments.work or default_work()))
    return ExitCode.OK


def report(arguments: argparse.Namespace) -> int:
    """The page."""
    write_report(arguments.out, load_config(arguments.config), Work(arguments.work or default_work()))
    return ExitCode.OK


def show(arguments: argparse.Namespace) -> int:
    """Everything in a profile, and what lies beside it."""
    path = profile_path(arguments.profile, load_config(arguments.config))
    profile = load_profile(path)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts(profile):
        table.add_row(Text(key, "bold"), Text(value))
    table.add_row(Text("holds", "bold"), Text(expiry_line(profile, datetime.now(UTC))))
    before = [each.name for each in previous(path) if each != path.resolve()]
    table.add_row(Text("before", "bold"), Text(", ".join(before) or "none"))
    Console().print(table)
    return ExitCode.OK


def diff(arguments: argparse.Namespace) -> int:
    """What differs, a line for each value; exit code 1 if anything does."""
    found = list(differences(load_profile(arguments.before), load_profile(arguments.after)))
    table = Table("", str(arguments.before.name), str(arguments.after.name), box=None, pad_edge=False)
    for row in found:
        table.add_row(*map(Text, row))
    if not found:
        print("no difference")
        return ExitCode.OK
    Console().print(table)
    return ExitCode.NOT_PASSED


def check(arguments: argparse.Namespace) -> int:
    """As the device does at its start: signature, device, dates, model. Raises InputError where it would refuse."""
    config = load_config(arguments.config)
    path = profile_path(arguments.profile, config)
    origin = Origin()
    found = profile_in_force(config, path, origin.wall_now(), clock_is_set=origin.synchronised())
    profile = found.profile
    manifest = load_manifest(Path(config.model.manifest) if config.model.manifest else shipped_manifest())
    profile.check_matches(profile.camera_id or "", manifest.sha256)
    for _, line in found.notices:
        print(line)
    print(f"{path}: {profile.name} may be used with model {manifest.name} {manifest.version}; "
          f"{expiry_line(profile, origin.wall_now())}; the camera is looked at when it is opened")  # fmt: skip
    return ExitCode.OK
