"""Files play like a camera: in order, at a steady rate, for ever or once, and a broken one is named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from device.camera.files import FilesCamera
from device.clock import MS, SECOND, FakeClock
from models.errors import CameraError, InputError


def levels(camera: FilesCamera, count: int) -> list[int]:
    """The mean grey levels of the next `count` frames."""
    found = []
    for _ in range(count):
        frame = camera.read()
        assert frame is not None
        with frame:
            found.append(round(float(frame.luma.mean())))
    return found


def test_a_folder_plays_in_natural_order_and_starts_again(stills: Path, clock: FakeClock) -> None:
    with FilesCamera(stills, clock) as camera:
        assert levels(camera, 5) == [10, 20, 100, 10, 20]


def test_a_folder_played_once_ends(stills: Path, clock: FakeClock) -> None:
    with FilesCamera(stills, clock, loop=False) as camera:
        assert levels(camera, 3) == [10, 20, 100]
        assert camera.read() is None
        assert camera.read() is None


def test_a_video_plays_in_order_and_starts_again(video: Path, clock: FakeClock) -> None:
    with FilesCamera(video, clock) as camera:
        assert levels(camera, 7) == pytest.approx([20, 60, 100, 140, 180, 20, 60], abs=2)


def test_a_video_played_once_ends(video: Path, clock: FakeClock) -> None:
    with FilesCamera(video, clock, loop=False) as camera:
        assert len(levels(camera, 5)) == 5
        assert camera.read() is None


def test_frames_come_at_the_rate_asked_for(stills: Path, clock: FakeClock) -> None:
    with FilesCamera(stills, clock, rate_hz=4.0) as camera:
        times = [frame.exposed_ns for frame in (camera.read() for _ in range(4)) if frame is not None]
    assert np.diff(times).tolist() == [250 * MS] * 3


def test_a_reader_that_was_late_gets_no_burst_of_frames(stills: Path, clock: FakeClock) -> None:
    with FilesCamera(stills, clock, rate_hz=10.0) as camera:
        levels(camera, 1)
        clock.advance_ns(5 * SECOND)
        times = [frame.exposed_ns for frame in (camera.read() for _ in range(3)) if frame is not None]
    assert np.diff(times).tolist() == [100 * MS, 100 * MS]


def test_a_frame_not_due_within_the_time_out_is_an_error_and_comes_later(stills: Path, clock: FakeClock) -> None:
    with FilesCamera(stills, clock, rate_hz=0.5) as camera:
        levels(camera, 1)
        with pytest.raises(CameraError, match="no frame is due within 1 s"):
            camera.read(timeout_s=1.0)
        assert levels(camera, 1) == [20]


def test_time_stamps_rise_even_on_a_clock_that_stands_still(stills: Path) -> None:
    class StoppedClock(FakeClock):
        def sleep_until_ns(self, deadline_ns: int) -> None:
            """Returns at once."""

    with FilesCamera(stills, StoppedClock(7), rate_hz=10.0) as camera:
        times = [frame.exposed_ns for frame in (camera.read() for _ in range(3)) if frame is not None]
    assert times == [7, 8, 9]


def test_images_of_different_sizes_are_played_as_they_are(stills: Path, clock: FakeClock) -> None:
    Image.new("L", (100, 30)).save(stills / "img3.png")
    with FilesCamera(stills, clock) as camera:
        shapes = [frame.luma.shape for frame in (camera.read() for _ in range(4)) if frame is not None]
        assert shapes == [(48, 64), (48, 64), (30, 100), (48, 64)]
        assert (camera.info.width, camera.info.height) == (64, 48)


def test_a_looped_still_is_decoded_once(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "still.png"
    Image.new("L", (64, 48), 50).save(path)
    with FilesCamera(path, clock) as camera:
        first, second = camera.read(), camera.read()
        assert first is not None
        assert second is not None
        assert np.shares_memory(first.luma, second.luma)
        assert first.id != second.id


def test_a_broken_file_in_a_folder_is_named(stills: Path, clock: FakeClock) -> None:
    (stills / "img5.jpg").write_text("not a picture")
    with FilesCamera(stills, clock) as camera:
        assert levels(camera, 2) == [10, 20]
        with pytest.raises(CameraError, match=r"img5\.jpg: not an image") as broken:
            camera.read()
        assert "\n" not in str(broken.value)


def test_a_folder_that_vanishes_is_an_error_not_the_end(stills: Path, clock: FakeClock) -> None:
    with FilesCamera(stills, clock, loop=False) as camera:
        levels(camera, 1)
        shutil.rmtree(stills)
        with pytest.raises(CameraError, match=r"img2\.png: no such file"):
            levels(camera, 1)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "no such file or folder"),
        ("nothing", "holds no image"),
        ("text.jpg", "not an image"),
        ("text.avi", "cannot be opened as a video"),
        ("empty.mp4", "cannot be opened as a video"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(tmp_path: Path, clock: FakeClock, name: str, words: str) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "text.jpg").write_text("text")
    (tmp_path / "text.avi").write_text("text")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(CameraError, match=words) as refusal:
        FilesCamera(tmp_path / name, clock)
    assert "\n" not in str(refusal.value)


def test_a_video_cut_short_at_its_head_is_refused(tmp_path: Path, video: Path, clock: FakeClock) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(video.read_bytes()[:300])
    with pytest.raises(CameraError, match=r"cannot be opened as a video|holds no picture"):
        FilesCamera(cut, clock)


def test_opencv_and_ffmpeg_keep_quiet_about_broken_videos(tmp_path: Path, video: Path) -> None:
    """In a process of its own: the libraries read how loud to be at their first use."""
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "cut.avi").write_bytes(video.read_bytes()[:300])
    script = """
import sys
from device.camera.files import FilesCamera
from device.clock import FakeClock
from models.errors import CameraError
for path in sys.argv[1:]:
    try:
        FilesCamera(path, FakeClock())
    except CameraError:
        sys.stdout.write("refused ")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "empty.mp4"), str(tmp_path / "cut.avi")],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout == b"refused refused "
    assert done.stderr == b""


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, 0.1, 1000.0, float("nan"), float("inf")])
def test_a_rate_out_of_range_is_refused(stills: Path, clock: FakeClock, rate_hz: float) -> None:
    with pytest.raises(InputError, match=r"allowed: 0\.5 to 240"):
        FilesCamera(stills, clock, rate_hz=rate_hz)


def test_reading_after_close_is_an_error(stills: Path, clock: FakeClock) -> None:
    camera = FilesCamera(stills, clock)
    camera.close()
    with pytest.raises(CameraError, match="was closed; open it again"):
        camera.read()


def test_a_video_without_pictures_is_refused(video: Path, clock: FakeClock, capture: Any) -> None:
    capture.fails = 1000
    with pytest.raises(CameraError, match="holds no picture"):
        FilesCamera(video, clock, open_capture=capture)
    assert capture.released == 2
