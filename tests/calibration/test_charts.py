"""The printed charts: at true scale, readable by the detector, refused in clear words."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.charts.board import EDGE_ANGLE_DEG, FINE_BOARD, board_layout, corners_mm, printed_board
from calibration.charts.detect import found_corners
from calibration.charts.edges import edges_layout
from calibration.charts.page import write_chart
from calibration.charts.texture import printed_cells, texture_cells
from calibration.charts.usaf import bar_width_mm, line_pairs_per_mm, usaf_layout
from models.errors import InputError, StorageError

DPI = 600
UM_PER_DOT = 25_400 / DPI


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The page as a printer of 600 dots per inch would put it on paper, uint8."""
    pytest.importorskip("fpdf")
    pdfium = pytest.importorskip("pypdfium2")
    path = tmp_path_factory.mktemp("chart") / "chart.pdf"
    assert write_chart(path) == 1
    document = pdfium.PdfDocument(str(path))
    assert len(document) == 1
    page = np.asarray(document[0].render(scale=DPI / 72, grayscale=True).to_numpy())
    document.close()
    return page[:, :, 0] if page.ndim == 3 else page


def test_the_printed_board_is_found_at_true_scale(printed: np.ndarray) -> None:
    left = printed[:, : printed.shape[1] // 2]
    numbers, corners = found_corners(np.ascontiguousarray(left), FINE_BOARD)
    assert len(numbers) > 0.95 * (FINE_BOARD.columns - 1) * (FINE_BOARD.rows - 1)
    page = corners_mm()[numbers]
    matrix, _ = cv2.estimateAffine2D(page, corners)
    stretch = np.linalg.svd(np.asarray(matrix)[:, :2], compute_uv=False)
    assert 1000 / stretch == pytest.approx([UM_PER_DOT, UM_PER_DOT], rel=1e-3)


def test_the_ruler_is_a_hundred_millimetres_long(printed: np.ndarray) -> None:
    band = printed[round(30 / 25.4 * DPI) : round(34 / 25.4 * DPI)]
    dark = np.flatnonzero((band < 128).any(axis=0))
    dark = dark[dark < 0.85 * printed.shape[1]]
    assert np.ptp(dark) * UM_PER_DOT / 1000 == pytest.approx(100.0, abs=0.2)


def test_ink_and_paper_share_the_texture_at_every_place() -> None:
    cells = printed_cells(512)
    share = cv2.resize(cells.astype(np.float32), (8, 8), interpolation=cv2.INTER_AREA)
    assert share.min() > 0.15
    assert share.max() < 0.85
    assert texture_cells(1).dtype == np.float32
    assert not np.array_equal(texture_cells(1), texture_cells(2))


def test_every_edge_of_the_charts_is_slanted() -> None:
    for layout in (board_layout(), edges_layout()):
        first = layout.shapes[0].corners_mm
        side = first[1] - first[0]
        angle = abs(np.degrees(np.arctan2(side[1], side[0])))
        assert min(angle, 90 - angle) == pytest.approx(EDGE_ANGLE_DEG)


def test_usaf_elements_follow_the_standard() -> None:
    assert line_pairs_per_mm(0, 1) == 1.0
    assert line_pairs_per_mm(3, 4) == pytest.approx(11.31, abs=0.01)
    assert bar_width_mm(2, 1) == pytest.approx(0.125)
    bars = usaf_layout(pairs=3).shapes
    assert len(bars) == 3 * 12 * 6  # three pairs of groups of six elements, each of two triplets
    boxes = np.array([[*bar.corners_mm.min(axis=0), *bar.corners_mm.max(axis=0)] for bar in bars])
    for number, one in enumerate(boxes):
        others = np.delete(boxes, number, axis=0)
        apart = (
            (others[:, 0] >= one[2]) | (others[:, 2] <= one[0]) | (others[:, 1] >= one[3]) | (others[:, 3] <= one[1])
        )
        assert apart.all()


def test_what_the_ruler_measures_corrects_the_board() -> None:
    assert printed_board(99.2).square_mm == pytest.approx(2.4 * 0.992)
    for ruler_mm in (94.0, 110.0, float("nan")):
        with pytest.raises(InputError, match="print again at 100 %"):
            printed_board(ruler_mm)


@pytest.mark.parametrize(
    ("paper", "kinds", "names"), [("A0", ("board",), "A4"), ("A4", ("siemens",), "usaf"), ("A4", (), "board")]
)
def test_unknown_papers_and_kinds_are_refused_with_what_is_allowed(
    tmp_path: Path, paper: str, kinds: tuple[str, ...], names: str
) -> None:
    with pytest.raises(InputError, match=names):
        write_chart(tmp_path / "chart.pdf", paper, kinds)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_one_clear_line(tmp_path: Path) -> None:
    pytest.importorskip("fpdf")
    with pytest.raises(StorageError, match="name a folder that exists"):
        write_chart(tmp_path / "missing" / "chart.pdf", kinds=("usaf",))


def test_a_small_paper_takes_more_pages(tmp_path: Path) -> None:
    pytest.importorskip("fpdf")
    assert write_chart(tmp_path / "chart.pdf", "A5", ("usaf", "texture", "usaf")) == 3
