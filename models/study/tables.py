"""Results as tables of Markdown: a row for each variant, its seeds taken together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from models.study.scoring import wilson
from models.study.settings import Setting

Result = dict[str, Any]
Row = tuple[Setting, list[Result]]
NONE = "–"


def share(right: int, tested: int) -> str:
    """Per cent with Wilson's interval of 95 %."""
    low, high = wilson(right, tested)
    return f"{100 * right / tested:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def rows_of(settings: Sequence[Setting], results: Sequence[Result]) -> list[Row]:
    """Each setting with its results by seed, in the order of the settings."""
    by_key: dict[str, list[Result]] = {}
    for result in results:
        by_key.setdefault(str(result["key"]), []).append(result)
    return [(setting, sorted(by_key.get(setting.key(), []), key=lambda r: int(r["seed"]))) for setting in settings]


def pooled(results: Sequence[Result], part: str | None = None) -> tuple[int, int]:
    """Right and tested over all seeds; each seed is tested on wells of its own drawing."""
    of = [result if part is None else result[part] for result in results]
    return sum(int(result["right"]) for result in of), sum(int(result["tested"]) for result in of)


def mean(results: Sequence[Result], name: str) -> float | None:
    """Mean over seeds of a figure, None if none of them has it."""
    values = [float(result[name]) for result in results if result.get(name) is not None]
    return float(np.mean(values)) if values else None


def _accuracy(results: Sequence[Result]) -> str:
    return share(*pooled(results))


def _range(results: Sequence[Result]) -> str:
    each = [100 * float(result["accuracy"]) for result in results]
    return f"{len(each)}: {min(each):.1f}–{max(each):.1f}"


def _number(name: str, form: str, factor: float = 1.0) -> Callable[[Sequence[Result]], str]:
    def cell(results: Sequence[Result]) -> str:
        value = mean(results, name)
        return NONE if value is None else format(value * factor, form)

    return cell


def _real(results: Sequence[Result]) -> str:
    found = [result["real"] for result in results if "real" in result]
    if not found:
        return NONE
    sums = [[sum(part[name][index] for part in found) for index in (0, 1)] for name in ("in_focus", "out_of_focus")]
    return f"{sums[0][0]}/{sums[0][1]}, {sums[1][0]}/{sums[1][1]}"


def _elsewhere(results: Sequence[Result]) -> str:
    return share(*pooled(results, "elsewhere")) if "elsewhere" in results[0] else NONE


def _pairs(results: Sequence[Result]) -> str:
    names = results[0]["pairs"]
    return ", ".join(f"{name}: {100 * np.mean([r['pairs'][name] for r in results]):.0f}" for name in names)


def _dice(name: str) -> Callable[[Sequence[Result]], str]:
    def cell(results: Sequence[Result]) -> str:
        return " / ".join(f"{value:.2f}" for value in np.mean([result[name] for result in results], axis=0))

    return cell


ACCURACY = ("right, % (95 %)", _accuracy)
SEEDS = ("seeds: range", _range)
TRAINING = ("in training, %", _number("training_accuracy", ".1f", 100))
PARAMETERS = ("parameters", _number("parameters", ",.0f"))
MULTIPLICATIONS = ("M multiplications", _number("multiplications", ".2f", 1e-6))
TRANSFORMS = ("of transforms, M", _number("transform_multiplications", ".2f", 1e-6))
FRAME = ("ms a picture", _number("frame_cpu_ms", ".0f"))
REAL = ("real: in, out", _real)
COLUMNS: dict[str, tuple[tuple[str, Callable[[Sequence[Result]], str]], ...]] = {
    "features": (("all of them, % (95 %)", _accuracy), ("pairs, %", _pairs)),
    "cnn": (ACCURACY, SEEDS, TRAINING, PARAMETERS, FRAME, REAL),
    "three": (ACCURACY, SEEDS, TRAINING, REAL),
    "four": (ACCURACY, SEEDS, TRAINING, REAL),
    "sides": (ACCURACY, SEEDS, TRAINING),
    "kernels": (ACCURACY, SEEDS, TRAINING, PARAMETERS, MULTIPLICATIONS),
    "parameters": (ACCURACY, SEEDS, TRAINING, PARAMETERS, MULTIPLICATIONS),
    "batches": (ACCURACY, SEEDS, TRAINING),
    "sizes": (ACCURACY, SEEDS, TRAINING),
    "transfer": (("on its own kind, % (95 %)", _accuracy), ("on the other, % (95 %)", _elsewhere)),
    "radii": (ACCURACY, SEEDS, MULTIPLICATIONS),
    "energy": (ACCURACY, SEEDS),
    "stem": (
        ("level, % (95 %)", _accuracy),
        ("within one, %", _number("within_one", ".1f", 100)),
        ("mean error, levels", _number("mean_error", ".2f")),
        ("in focus or not, %", _number("binary_accuracy", ".1f", 100)),
    ),
    "physical": (ACCURACY, SEEDS, PARAMETERS, MULTIPLICATIONS, TRANSFORMS, REAL),
    "related": (
        ("level, % (95 %)", _accuracy),
        ("within one, %", _number("within_one", ".1f", 100)),
        ("mean F of levels", _number("f_score", ".2f")),
        ("in focus or not, %", _number("binary_accuracy", ".1f", 100)),
        ("its F", _number("binary_f", ".3f")),
        PARAMETERS,
        FRAME,
    ),
    "unet": (ACCURACY, ("Dice at 16 / 10 / 05", _dice("dice")), ("Otsu's", _dice("dice_otsu")), PARAMETERS),
}


def table(name: str, rows: Sequence[Row]) -> str:
    """One experiment. What did not run says so."""
    columns = COLUMNS[name]
    lines = ["| | " + " | ".join(title for title, _ in columns) + " |", "|" + "---|" * (len(columns) + 1)]
    for setting, results in rows:
        usable = [result for result in results if "accuracy" in result]
        cells = [cell(usable) for _, cell in columns] if usable else ["not run", *[""] * (len(columns) - 1)]
        lines.append(f"| {setting.variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
