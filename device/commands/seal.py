"""`focusgate seal keygen|open`: captures that only the clinic can open, and opening them there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ExitCode, FocusgateError, InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

EXAMPLES = """\
examples:
  focusgate seal keygen --out ~/clinic-key     a pair of keys; only the public one goes onto the device
  focusgate seal open /media/usb/today --key ~/clinic-key/seal-private.pem --out images
                                               at the clinic: every sealed capture of a folder, as JPEG files

on the device, in the configuration:
  [store]
  seal_to = "/etc/focusgate/seal-public.pem"
"""
PRIVATE, PUBLIC = "seal-private.pem", "seal-public.pem"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `seal` to the command line."""
    seal = subparsers.add_parser(
        "seal",
        help="keys that captures are sealed to, and opening sealed captures",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = seal.add_subparsers(title="actions", metavar="ACTION", required=True)
    keygen = actions.add_parser("keygen", help="make a pair of keys", description="Make a pair of X25519 keys.")
    keygen.add_argument("--out", type=Path, required=True, metavar="DIR", help=f"folder for {PRIVATE} and {PUBLIC}")
    keygen.set_defaults(run=_keygen)
    opening = actions.add_parser("open", help="open sealed captures", description="Open sealed captures.")
    opening.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="sealed captures, or folders of them")
    opening.add_argument("--key", type=Path, required=True, metavar="FILE", help="the clinic's private key (PEM)")
    opening.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the JPEG files")
    opening.set_defaults(run=_open)


def _keygen(arguments: argparse.Namespace) -> int:
    from device.store.sealing import new_pair

    private, public = arguments.out / PRIVATE, arguments.out / PUBLIC
    identity = new_pair(private, public)
    print(f"{private}: without it no image can be opened: keep it at the clinic, twice, and off the device")
    print(f"{public}: key {identity}; on the device, name it as store.seal_to")
    return ExitCode.OK


def _open(arguments: argparse.Namespace) -> int:
    """Opens all that can be opened, and says in one line each what could not."""
    from device.commands.captures import progress_bar
    from device.store.files import POSIX, make_folder, storage_errors
    from device.store.sealing import load_opener

    key = load_opener(arguments.key)
    found = sorted(set(_sealed(arguments.paths)))
    if not found:
        raise InputError(f"{arguments.paths[0]}: no sealed captures there; they are called NAME.sealed")
    with storage_errors("make the folder", arguments.out, "nothing was opened"):
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        make_folder(POSIX, arguments.out)
    opened, already, worst = 0, 0, ExitCode.OK
    with progress_bar("opening") as progress:
        for number, path in enumerate(found):
            progress(number, len(found))
            try:
                new = _open_one(path, arguments.out / f"{path.stem}.jpg", key)
            except FocusgateError as error:
                print(f"focusgate: {error}", file=sys.stderr)
                worst = max(worst, error.exit_code)
            else:
                opened, already = opened + new, already + (not new)
        progress(len(found), len(found))
    rest = f", {already} were there already" if already else ""
    failed = f", {len(found) - opened - already} could not be opened" if worst else ""
    print(f"{opened} of {len(found)} captures opened into {arguments.out}{rest}{failed}")
    return worst


def _sealed(paths: list[Path]) -> Iterator[Path]:
    from device.store.files import SEALED_SUFFIX

    for path in paths:
        if path.is_dir():
            yield from path.rglob(f"*{SEALED_SUFFIX}")
        elif path.exists():
            yield path
        else:
            raise InputError(f"{path}: no such file or folder; name sealed captures, or a folder of them")


def _open_one(path: Path, target: Path, key: X25519PrivateKey) -> bool:
    """True if the image was written, False if it was there already. Checks the seal, the image, and that both agree."""
    from device.store.files import POSIX, storage_errors, write_durably
    from device.store.jpeg import decode_record
    from device.store.sealing import Card, open_image, take_apart
    from models.errors import StorageError

    with storage_errors("read the capture", path, "it was not opened"):
        data = path.read_bytes()
    sealed = take_apart(data, path)
    jpeg = open_image(sealed, key, path)
    if Card.of(decode_record(jpeg, path), sealed.card.recipient).model_dump_json() != sealed.card.model_dump_json():
        raise StorageError(f"{path}: its card is not that of the image inside; it was not opened; ask who made it")
    with storage_errors("write the image", target, "it was not opened"):
        if target.exists():
            if target.read_bytes() != jpeg:
                raise InputError(f"{target}: another file has this name; name an empty folder")
            return False
        write_durably(POSIX, target, jpeg, exact_mode=False)
    return True
