"""Broken releases, one kind each: the old one runs afterwards, within a minute of the switch, and one line says why."""

from __future__ import annotations

import errno
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.update import bundle as bundle_module
from device.update import switch
from device.update.switch import UpdateError, update
from models.errors import FocusgateError
from models.signing import Keys

if TYPE_CHECKING:
    from .conftest import Bench

OLD = "0.1.0-00000000"
Kind = Callable[["Bench"], Path]


def bad_signature(bench: Bench) -> Path:
    path = bench.release()
    data = bytearray(path.read_bytes())
    at = data.index(b"release.json.sig") + 512 + 17 + 40
    data[at] = ord("1" if data[at] == ord("0") else "0")
    path.write_bytes(data)
    return path


def garbled_signature(bench: Bench) -> Path:
    path = bench.release()
    data = bytearray(path.read_bytes())
    data[data.index(b"release.json.sig") + 512] = ord("z")
    path.write_bytes(data)
    return path


def edited_manifest(bench: Bench) -> Path:
    path = bench.release()
    path.write_bytes(path.read_bytes().replace(b'"python": "3.11"', b'"python": "3.13"'))
    return path


def foreign_key(bench: Bench) -> Path:
    wheels = bench.wheels()
    return bench.archive(bench.manifest(wheels, "0.2.0"), wheels, key=Ed25519PrivateKey.generate())


def truncated(bench: Bench) -> Path:
    path = bench.release()
    path.write_bytes(path.read_bytes()[:4200])
    return path


def empty(bench: Bench) -> Path:
    path = bench.release()
    path.write_bytes(b"")
    return path


def no_release_at_all(bench: Bench) -> Path:
    path = bench.release()
    path.write_bytes(b"\xff\xd8\xff" * 4000)
    return path


def flipped_wheel(bench: Bench) -> Path:
    path = bench.release()
    data = bytearray(path.read_bytes())
    data[data.index(bytes(range(200)))] ^= 1
    path.write_bytes(data)
    return path


def missing_wheel(bench: Bench) -> Path:
    wheels = bench.wheels()
    return bench.archive(bench.manifest(wheels, "0.2.0"), dict([*wheels.items()][:1]))


def unnamed_wheel(bench: Bench) -> Path:
    wheels = bench.wheels()
    text = bench.manifest(wheels, "0.2.0")
    return bench.archive(text, wheels | {"evil-1-py3-none-any.whl": b"evil"})


def wheel_twice(bench: Bench) -> Path:
    wheels = bench.wheels()
    name = next(iter(wheels))
    info = tarfile.TarInfo(f"wheels/{name}")
    info.size = len(wheels[name])
    return bench.archive(bench.manifest(wheels, "0.2.0"), wheels, extra=((info, wheels[name]),))


def with_member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 3) -> Kind:
    def make(bench: Bench) -> Path:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, "/etc/passwd" if kind != tarfile.REGTYPE else "", size
        wheels = bench.wheels()
        return bench.archive(bench.manifest(wheels, "0.2.0"), wheels, extra=((info, b"x" * size),))

    return make


def traversal_in_manifest(bench: Bench) -> Path:
    wheels = bench.wheels()
    text = bench.manifest(wheels | {"../../venv-1.0-py3-none-any.whl": b"x"}, "0.2.0")
    return bench.archive(text, wheels)


def huge_file(bench: Bench) -> Path:
    path = bench.release()
    with path.open("r+b") as file:
        file.truncate(bundle_module.MAX_BUNDLE_BYTES + 1)
    return path


def huge_manifest(bench: Bench) -> Path:
    wheels = bench.wheels()
    return bench.archive(bench.manifest(wheels, "0.2.0") + b" " * bundle_module.MAX_MANIFEST_BYTES, wheels)


def swollen_wheel(bench: Bench) -> Path:
    wheels = bench.wheels()
    text = bench.manifest(wheels, "0.2.0")
    return bench.archive(text, {name: content + b"more" for name, content in wheels.items()})


def too_large_for_the_disk(bench: Bench) -> Path:
    bench.disk.free = 100 << 20
    return bench.release()


def does(**behaviour: object) -> Kind:
    return lambda bench: bench.release(**behaviour)


def says(**manifest: object) -> Kind:
    return lambda bench: bench.release(over=manifest)


def of_version(version: str) -> Kind:
    return lambda bench: bench.release(version)


def failing_disk(step: str, number: int = errno.ENOSPC) -> Kind:
    def make(bench: Bench) -> Path:
        bench.disk.failing[step] = number
        return bench.release()

    return make


def bad_json(bench: Bench) -> Path:
    return bench.archive(b'{"schema": 1, "wheels": [', bench.wheels())


def wheel_of_another_version(bench: Bench) -> Path:
    wheels = bench.wheels("0.1.5")
    return bench.archive(bench.manifest(wheels, "0.2.0"), wheels)


UNTOUCHED: dict[str, tuple[Kind, str]] = {
    "bad signature": (bad_signature, "not what key .* signed"),
    "garbled signature": (garbled_signature, "its signature is none"),
    "edited manifest": (edited_manifest, "not what key .* signed"),
    "foreign key": (foreign_key, "which is not trusted"),
    "truncated": (truncated, "ends within|cut off"),
    "empty": (empty, "cut off, or no release"),
    "another kind of file": (no_release_at_all, "damaged, or no release"),
    "flipped wheel": (flipped_wheel, "is not the one that was signed"),
    "missing wheel": (missing_wheel, "numpy.* is missing"),
    "wheel that nobody signed": (unnamed_wheel, "which its manifest does not name"),
    "wheel twice": (wheel_twice, "which its manifest does not name"),
    "traversal": (with_member("../../../etc/cron.d/evil"), "which its manifest does not name"),
    "traversal in the manifest": (traversal_in_manifest, r"wheels.2.file"),
    "absolute path": (with_member("/etc/cron.d/evil"), "which its manifest does not name"),
    "symbolic link": (with_member("wheels/a.whl", tarfile.SYMTYPE, 0), "is no regular file"),
    "hard link": (with_member("wheels/a.whl", tarfile.LNKTYPE, 0), "is no regular file"),
    "device": (with_member("wheels/a.whl", tarfile.CHRTYPE, 0), "is no regular file"),
    "folder": (with_member("wheels/", tarfile.DIRTYPE, 0), "is no regular file"),
    "long-name record": (with_member("x", tarfile.GNUTYPE_LONGNAME), "is no regular file"),
    "PAX record": (with_member("x", tarfile.XHDTYPE), "is no regular file"),
    "sparse file": (with_member("x", tarfile.GNUTYPE_SPARSE, 0), "is no regular file|damaged"),
    "huge file": (huge_file, "larger than 1024 MiB"),
    "huge manifest": (huge_manifest, "release.json has .* bytes, allowed"),
    "swollen wheel": (swollen_wheel, r"bytes, due \d+"),
    "no room": (too_large_for_the_disk, "100 MiB free, .* are needed"),
    "wrong machine": (says(machine="x86_64"), "3.11 on x86_64, 64 bit; here is Python 3.11 on aarch64"),
    "wrong Python": (says(python="3.13"), "Python 3.13 on aarch64, 64 bit; here is Python 3.11"),
    "downgrade": (of_version("0.0.9"), "older than the running 0.1.0"),
    "pre-release of the running one": (of_version("0.1.0rc3"), "older than the running 0.1.0"),
    "schema of the future": (says(schema=2), "release.json, schema"),
    "unknown key": (says(postinstall="rm"), "release.json, postinstall"),
    "manifest that is no JSON": (bad_json, "release.json, the manifest"),
    "wheel of another version": (wheel_of_another_version, r"must hold one wheel of focusgate 0\.2\.0"),
    "manifest that lies about the version": (does(says="0.1.9"), "its manifest says 0.2.0"),
    "disk full while unpacking": (failing_disk("make folder"), "cannot install .No space left"),
    "disk full while installing": (does(installs=False), "cannot be built .*No space left"),
    "disk fails while syncing": (failing_disk("sync tree", errno.EIO), "cannot install .Input/output error"),
    "disk full while marking": (failing_disk("write complete"), "cannot install .No space left"),
    "import error": (does(starts=False), "does not start .ModuleNotFoundError"),
    "self-test fails": (does(model=4), "its model .focusgate: golden vector"),
    "self-test hangs": (does(hangs=True), "no answer within 60 s"),
    "configuration not taken": (does(config=2), "does not take .* .focusgate: unknown key"),
    "doctor finds a failure": (does(doctor="failure"), "doctor finds: model is so"),
    "doctor says nothing": (does(doctor="silent"), "doctor gives no answer"),
    "disk full while noting the trial": (failing_disk("write trial"), "cannot switch .No space left"),
    "disk fails at the link": (failing_disk("link venv", errno.EIO), "cannot switch .Input/output error"),
}


@pytest.mark.parametrize(("kind", "words"), UNTOUCHED.values(), ids=UNTOUCHED)
def test_the_running_release_is_not_even_restarted_for(bench: Bench, keys: Keys, kind: Kind, words: str) -> None:
    path = kind(bench)
    with pytest.raises(FocusgateError, match=words) as caught:
        update(path, bench.board, keys)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, UpdateError)
    assert (bench.site.current(), bench.host.running) == (OLD, OLD)
    assert bench.host.switched_s == []
    assert bench.leftovers() == set()
    assert bench.site.complete() == [OLD]


TRIED = {
    "never READY": (does(ready="never"), "does not reach READY .it took too long"),
    "fails before READY": (does(ready="fails"), "does not reach READY .Job for focusgate.service failed"),
    "crashes after READY": (does(crashes_after_s=3.0), "did not last 10 s"),
    "crashes at the end of the probation": (does(crashes_after_s=9.0), "did not last 10 s"),
}


@pytest.mark.parametrize(("kind", "words"), TRIED.values(), ids=TRIED)
def test_the_old_release_is_back_within_a_minute_of_the_switch(
    bench: Bench, keys: Keys, kind: Kind, words: str
) -> None:
    path = kind(bench)
    with pytest.raises(UpdateError, match=f"{words}.*; {OLD} is back and runs") as caught:
        update(path, bench.board, keys)
    assert "\n" not in str(caught.value)
    assert (bench.site.current(), bench.host.running) == (OLD, OLD)
    assert bench.host.now - bench.host.switched_s[0] <= switch.OLD_BACK_S
    assert bench.leftovers() == set()
    assert bench.site.complete() == [OLD]


def test_the_limits_of_start_probation_and_return_add_up_to_less_than_the_promise() -> None:
    looks = 3 * switch.ASK_S  # one each before the two starts, and the last of the probation
    assert switch.READY_S + switch.PROBATION_S + switch.BACK_S + looks <= switch.OLD_BACK_S + switch.LOOK_S


def test_more_than_twenty_kinds_are_tried() -> None:
    assert len(UNTOUCHED) + len(TRIED) >= 20


def test_an_old_release_that_does_not_start_either_is_not_called_running(bench: Bench, keys: Keys) -> None:
    does_old = bench.site.path(OLD) / "behaviour.json"
    does_old.write_text(json.dumps(json.loads(does_old.read_text()) | {"ready": "fails"}))
    with pytest.raises(UpdateError, match="is back, but it does not start either"):
        update(bench.release(ready="fails"), bench.board, keys)
    assert bench.site.current() == OLD


@pytest.mark.parametrize("step", ["restart focusgate.service", "show"])
def test_an_interruption_after_the_switch_goes_back_first(
    bench: Bench, keys: Keys, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.host.run
    interrupted = []

    def interrupt(*command: str | Path, limit_s: float, as_service: bool = False) -> object:
        switched = (bench.site.root / "trial").exists()
        if switched and not interrupted and command[1:] and " ".join(map(str, command[1:])).startswith(step):
            interrupted.append(command)
            raise KeyboardInterrupt
        return run(*command, limit_s=limit_s, as_service=as_service)

    monkeypatch.setattr(bench.host, "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        update(bench.release(), bench.board, keys)
    assert (bench.site.current(), bench.host.running) == (OLD, OLD)
    assert bench.leftovers() == set()
