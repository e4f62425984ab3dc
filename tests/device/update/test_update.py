"""A release that is right: it runs, and the one before stays to go back to."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from device.store.files import lock
from device.update.archive import read_member
from device.update.bundle import open_bundle, pack, unpack
from device.update.host import NO_COMMAND, TIMED_OUT, System
from device.update.release import newer
from device.update.site import COMPLETE
from device.update.switch import UpdateError, roll_back, update
from models.errors import InputError
from models.signing import Keys

if TYPE_CHECKING:
    from .conftest import Bench

OLD = "0.1.0-00000000"


def test_a_good_release_runs_and_the_one_before_stays(bench: Bench, keys: Keys) -> None:
    new = update(bench.release(), bench.board, keys)
    assert new.startswith("0.2.0-")
    assert bench.site.current() == bench.host.running == new
    assert (bench.site.previous(), set(bench.site.complete())) == (OLD, {OLD, new})
    assert bench.leftovers() == set()
    assert bench.site.version(new) == "0.2.0"


def test_pip_is_kept_from_the_network_and_held_to_the_hashes(bench: Bench, keys: Keys) -> None:
    update(bench.release(), bench.board, keys)
    (pip,) = [words for words in bench.host.commands if "pip" in words]
    assert {"--no-index", "--no-deps", "--require-hashes", "--isolated"} <= set(pip)


def test_the_name_of_the_file_that_was_installed_stands_nowhere(bench: Bench, keys: Keys) -> None:
    mark = "Doe-Jane-1971"
    update(bench.release().rename(bench.folder / f"{mark}.release"), bench.board, keys)
    left = [path for path in bench.site.root.rglob("*") if path.is_file()]
    assert left
    assert [path for path in left if mark in str(path) or mark.encode() in path.read_bytes()] == []


def test_a_third_release_takes_the_place_of_the_oldest(bench: Bench, keys: Keys) -> None:
    second = update(bench.release("0.2.0"), bench.board, keys)
    third = update(bench.release("0.3.0"), bench.board, keys)
    assert set(bench.site.complete()) == {second, third}
    assert bench.site.previous() == second


def test_the_same_release_again_changes_nothing(bench: Bench, keys: Keys) -> None:
    path = bench.release()
    new = update(path, bench.board, keys)
    before = len(bench.steps.taken)
    assert update(path, bench.board, keys) == new
    assert len(bench.steps.taken) == before


def test_a_roll_back_and_another_come_to_where_they_began(bench: Bench, keys: Keys) -> None:
    new = update(bench.release(), bench.board, keys)
    assert roll_back(bench.board) == OLD == bench.host.running
    assert roll_back(bench.board) == new == bench.host.running


def test_a_roll_back_to_a_release_that_does_not_start_stays_with_the_running_one(bench: Bench, keys: Keys) -> None:
    new = update(bench.release(), bench.board, keys)
    behaviour = bench.site.path(OLD) / "behaviour.json"
    behaviour.write_text(behaviour.read_text().replace('"soon"', '"fails"'))
    with pytest.raises(UpdateError, match=f"{new} is back and runs"):
        roll_back(bench.board)
    assert OLD in bench.site.complete()


def test_without_another_release_there_is_none_to_go_back_to(bench: Bench) -> None:
    with pytest.raises(InputError, match="no release to go back to"):
        roll_back(bench.board)


def test_an_older_version_is_installed_if_it_is_meant(bench: Bench, keys: Keys) -> None:
    new = update(bench.release("0.0.9"), bench.board, keys, downgrade=True)
    assert bench.host.running == new


def test_what_an_interrupted_update_left_is_swept_by_the_next(bench: Bench, keys: Keys) -> None:
    (bench.site.path("0.2.0-half") / "bin").mkdir(parents=True)
    new = update(bench.release(), bench.board, keys)
    assert {path.name for path in bench.site.releases.iterdir()} == {OLD, new}


def test_two_updates_at_once_are_refused(bench: Bench, keys: Keys) -> None:
    held = lock(bench.site.lock)
    try:
        with pytest.raises(InputError, match="another update is under way"):
            update(bench.release(), bench.board, keys)
    finally:
        os.close(held)


def test_a_board_without_a_release_is_told_how_to_get_its_first(bench: Bench, keys: Keys) -> None:
    bench.site.link.unlink()
    with pytest.raises(InputError, match="no release is installed here"):
        update(bench.release(), bench.board, keys)


def test_a_release_before_the_first_update_is_found_without_its_link(bench: Bench) -> None:
    other = bench.site.path("4af1c0ffee000000")  # as install.sh names releases
    other.mkdir()
    (other / COMPLETE).touch()
    assert bench.site.previous() == other.name


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("0.2.0", "0.1.9"),
        ("0.10.0", "0.9.9"),
        ("1.0", "1.0rc1"),
        ("1.0rc2", "1.0rc1"),
        ("1.0b1", "1.0a9"),
        ("1.0.1", "1.0"),
    ],
)
def test_versions_are_compared_as_numbers(left: str, right: str) -> None:
    assert newer(left, right)
    assert not newer(right, left)


def test_zeros_at_the_end_make_no_other_version() -> None:
    assert not newer("1.0.0", "1.0")
    assert not newer("1.0", "1.0.0")


@given(st.binary(max_size=3000))
def test_any_bytes_are_a_member_or_one_clear_line(data: bytes) -> None:
    told = ""
    try:
        member = read_member(io.BytesIO(data), Path("x"))
        if member is not None:
            member.content(4096)
    except InputError as error:
        told = str(error)
    assert "\n" not in told


def test_a_release_that_is_packed_can_be_unpacked_by_tar_too(
    tmp_path: Path, key: Ed25519PrivateKey, keys: Keys
) -> None:
    wheels = [tmp_path / "focusgate-0.2.0-py3-none-any.whl", tmp_path / "b-1-py3-none-any.whl"]
    for path in wheels:
        path.write_bytes(path.name.encode() * 100)
    first, second = tmp_path / "one.release", tmp_path / "two.release"
    pack(wheels, "3.11", "aarch64", key, first)
    pack(wheels[::-1], "3.11", "aarch64", key, second)
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        names = archive.getnames()
    assert names == ["release.json", "release.json.sig", "wheels/b-1-py3-none-any.whl", f"wheels/{wheels[0].name}"]
    (tmp_path / "out").mkdir()
    with open_bundle(first, keys) as bundle:
        assert {path.read_bytes() for path in unpack(bundle, tmp_path / "out")} == {p.read_bytes() for p in wheels}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()} == {0o600}


def test_a_command_that_hangs_ends_with_all_that_it_started(tmp_path: Path) -> None:
    done = tmp_path / "done"
    ran = System().run("/bin/sh", "-c", f"(sleep 5; touch {done}) & wait", limit_s=0.05)
    assert ran.code == TIMED_OUT
    assert System().run("/no/such/command", limit_s=1.0).code == NO_COMMAND
    assert not done.exists()
