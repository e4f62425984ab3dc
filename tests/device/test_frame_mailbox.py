"""Frames are given back exactly once; mailboxes keep the newest and lose nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from device.frame import Frame
from device.mailbox import FrameSlot, Queue


def make(number: int = 1, released: list[int] | None = None) -> Frame:
    luma = np.zeros((4, 6), np.uint8)
    record = released if released is not None else []
    return Frame(
        id=number,
        exposed_ns=number,
        luma=luma,
        still=lambda: np.zeros((4, 6, 3), np.uint8),
        release=lambda: record.append(number),
    )


def test_the_buffer_is_given_back_at_the_last_close_and_only_then() -> None:
    released: list[int] = []
    frame = make(7, released)
    with frame, frame.hold():
        assert released == []
    assert released == [7]
    assert frame.released


def test_a_released_frame_refuses_everything() -> None:
    frame = make()
    frame.close()
    for act in (frame.hold, frame.still, frame.close):
        with pytest.raises(RuntimeError, match="released"):
            act()


def test_luma_cannot_be_written_and_is_not_copied() -> None:
    source = np.zeros((4, 6), np.uint8)
    frame = Frame(id=1, exposed_ns=1, luma=source[:, ::2], still=lambda: np.zeros((4, 3, 3), np.uint8))
    assert np.shares_memory(frame.luma, source)
    with pytest.raises(ValueError, match="read-only"):
        frame.luma[0, 0] = 1
    source[0, 0] = 5  # the camera's own buffer stays writable
    assert frame.luma[0, 0] == 5


def test_a_frame_nobody_took_is_closed_and_counted() -> None:
    released: list[int] = []
    slot = FrameSlot()
    slot.put(make(1, released))
    slot.put(make(2, released))
    assert (released, slot.dropped) == ([1], 1)
    taken = slot.take()
    assert taken is not None
    assert taken.id == 2
    assert slot.take() is None


def test_peeking_holds_and_leaves_the_frame() -> None:
    released: list[int] = []
    slot = FrameSlot()
    assert slot.peek() is None
    slot.put(make(1, released))
    peeked = slot.peek()
    assert peeked is not None
    slot.clear()
    assert released == []
    peeked.close()
    assert released == [1]
    slot.clear()


def test_a_queue_keeps_order_and_says_when_it_is_full() -> None:
    queue: Queue[int] = Queue(2)
    assert [queue.put(1), queue.put(2), queue.put(3)] == [True, True, False]
    assert queue.take_all() == [1, 2]
    assert queue.take_all() == []
