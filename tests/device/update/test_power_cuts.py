"""The power goes between any two steps of an update: after the next boot the old release runs, or the new one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.update.disk import PosixDisk
from device.update.site import COMPLETE
from device.update.switch import recover, roll_back, update
from models.signing import Keys

if TYPE_CHECKING:
    from .conftest import Bench

OLD = "0.1.0-00000000"
ROOT = Path(__file__).parents[3]


def boot(root: Path) -> str:
    """What systemd does before it starts the services: the very script."""
    ran = subprocess.run([ROOT / "systemd" / "recover.sh", root], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def steps_of_an_update(make_bench: Callable[..., Bench], keys: Keys) -> list[str]:
    bench = make_bench("whole")
    (bench.site.path("0.0.5-11111111")).mkdir()
    (bench.site.path("0.0.5-11111111") / COMPLETE).touch()  # so that there is something to prune at the end
    new = update(bench.release(), bench.board, keys)
    assert bench.site.current() == bench.host.running == new
    return bench.steps.taken


def test_after_a_cut_at_any_step_a_whole_release_runs_and_the_update_can_be_repeated(
    make_bench: Callable[..., Bench], keys: Keys
) -> None:
    taken = steps_of_an_update(make_bench, keys)
    assert len(taken) > 20
    ran_on = set()
    for at, step in enumerate(taken):
        bench = make_bench(f"cut-{at}", at)
        path = bench.release()
        bench.site.path("0.0.5-11111111").mkdir()
        (bench.site.path("0.0.5-11111111") / COMPLETE).touch()
        with pytest.raises(bench.steps.cut):
            update(path, bench.board, keys)
        boot(bench.site.root)
        current = bench.site.current()
        assert current is not None, step
        assert not bench.site.trial.exists()
        confirmed = "remove trial" in taken[:at]
        assert (current != OLD) == confirmed, step  # without a passed probation, the old one
        ran_on.add(current == OLD)
        bench.steps.cut_before = None
        new = update(path, bench.board, keys)
        assert bench.site.current() == new != OLD
        assert bench.leftovers() == set()
    assert ran_on == {True, False}


def test_the_next_update_ends_a_trial_that_was_cut_off_without_a_boot(
    make_bench: Callable[..., Bench], keys: Keys
) -> None:
    taken = steps_of_an_update(make_bench, keys)
    bench = make_bench("cut", taken.index("link venv") + 1)
    with pytest.raises(bench.steps.cut):
        update(bench.release(), bench.board, keys)
    bench.steps.cut_before = None
    assert bench.site.current() != OLD
    assert recover(bench.board)
    assert bench.site.current() == bench.host.running == OLD
    assert not recover(bench.board)


def test_a_cut_in_a_roll_back_is_recovered_too(bench: Bench, keys: Keys) -> None:
    new = update(bench.release(), bench.board, keys)
    bench.steps.cut_before = len(bench.steps.taken) + 3
    with pytest.raises(bench.steps.cut):
        roll_back(bench.board)
    boot(bench.site.root)
    assert bench.site.current() == new


@pytest.mark.parametrize("note", ["", "\n", "releases/", "releases/../..", "/etc", "releases/gone", "rm -rf /; x"])
def test_a_note_that_leads_nowhere_changes_nothing_and_is_gone_after_the_boot(bench: Bench, note: str) -> None:
    bench.site.trial.write_text(note)
    boot(bench.site.root)
    assert bench.site.current() == OLD
    assert not bench.site.trial.exists()


def test_without_a_note_the_boot_touches_nothing(bench: Bench) -> None:
    before = (bench.site.link.lstat().st_mtime_ns, sorted(bench.site.root.iterdir()))
    assert boot(bench.site.root) == ""
    assert (bench.site.link.lstat().st_mtime_ns, sorted(bench.site.root.iterdir())) == before


def test_the_link_is_replaced_by_a_rename_and_its_folder_synced_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "venv").symlink_to("releases/a")
    calls: list[str] = []
    symlink, rename = Path.symlink_to, Path.rename
    monkeypatch.setattr(
        Path, "symlink_to", lambda self, to: (calls.append(f"symlink {self.name}"), symlink(self, to))[1]
    )
    monkeypatch.setattr(Path, "rename", lambda self, to: (calls.append(f"rename {to.name}"), rename(self, to))[1])
    monkeypatch.setattr("device.update.disk.sync_folder", lambda _, path: calls.append(f"sync {path == tmp_path}"))
    PosixDisk().link("releases/b", tmp_path / "venv")
    assert calls == ["symlink .venv.new", "rename venv", "sync True"]
    assert str((tmp_path / "venv").readlink()) == "releases/b"


def test_the_release_is_on_the_disk_before_its_mark_and_the_note_before_the_link(
    make_bench: Callable[..., Bench], keys: Keys
) -> None:
    taken = steps_of_an_update(make_bench, keys)
    order = ["sync tree", "write complete", "write trial", "link venv", "systemctl restart focusgate.service"]
    order += ["link previous", "remove trial"]
    assert sorted(order, key=taken.index) == order


def test_syncing_a_release_reaches_every_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("one", "a/two", "a/b/three"):
        (tmp_path / name).touch()
    (tmp_path / "a" / "link").symlink_to("/nowhere")
    seen: list[Path] = []
    monkeypatch.setattr("device.update.disk._sync", seen.append)
    monkeypatch.setattr("device.update.disk.sync_folder", lambda _, path: seen.append(path))
    monkeypatch.setattr("os.sync", lambda: seen.append(Path("all")))
    PosixDisk().sync_tree(tmp_path)
    named = {path.relative_to(tmp_path).as_posix() for path in seen[1:-1]}
    assert named == {".", "a", "a/b", "one", "a/two", "a/b/three"}
    assert (seen[0], seen[-1]) == (Path("all"), tmp_path.parent)
