"""Every figure of the model card and the README from the JSON that made it: `make figures`.

Between `<!-- figures: NAME -->` and `<!-- end -->` a document holds a table that only this program writes. Figures come
from the manifest and from `focusgate eval`, `scenes` and `bench`, `models.training.generators`, `.parts` and
`.search`, kept in one folder; a table whose figures are missing there is left as it is, and said.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.errors import ExitCode, InputError
from models.evaluation.criteria_page import reliability_plot

BLOCK = re.compile(r"(<!-- figures: (?P<name>[a-z-]+) -->\n).*?(\n<!-- end -->)", re.DOTALL)
Json = dict[str, Any]


def rows_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """.976 for 0.976; a dash for what is not defined."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text.removeprefix("0") if abs(value) < 1 else text


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def with_interval(value: float | None, between: Sequence[float] | None) -> str:
    return number(value) + (f" [{number(between[0], 2)}–{number(between[1], 2)}]" if between else "")


def synthetic(manifest: Json) -> str:
    """Held-out synthetic tiles."""
    found = manifest["metrics"]["held-out synthetic tiles"]
    rows = [
        ("tiles", f"{found['tiles']:.0f}"),
        (f"AUC, radius ≤ {manifest['criterion_px']:g} px", number(found["auc_criterion"])),
        ("balanced accuracy there", number(found["balanced_accuracy"])),
        ("AUC, radius < 1 against > 2 px", number(found["auc_apart"])),
        ("the same, low light", number(found["auc_apart_low_light"])),
        ("defocus ≥ 4 px called in focus", percent(found["false_sharp_from_4_px"])),
        ("smeared by motion as much, called in focus", percent(found["false_sharp_moved"])),
        ("expected calibration error", number(found["calibration_error"])),
        ("AUC of “detectable”", number(found["auc_detectable"])),
        ("nothing but noise, called in focus", percent(found["noise_called_in_focus"])),
    ]
    return rows_of(("held-out synthetic tiles", ""), rows)


def stacks(found: Json) -> str:
    """All methods on the same squares."""
    rows = []
    for method in found["methods"]:
        pooled, over = method["pooled"], method["over_scenes"]["balanced_accuracy"]
        figures = [with_interval(pooled[name], pooled["intervals"][name]) for name in ("auc", "balanced_accuracy")]
        rows.append((method["name"], *figures, number(over["mean"]), number(over["worst"])))
    return rows_of(("", "AUC", "balanced accuracy", "mean over scenes", "worst scene"), rows)


def stack_scenes(found: Json) -> str:
    """The model, scene by scene."""
    rows = []
    for scene, figures in found["methods"][0]["scenes"].items():
        counts = (f"{figures['in']} / {figures['out']}", str(found["cannot_judge_by_scene"][scene]))
        names = ("auc", "balanced_accuracy", "false_sharp", "missed")
        rows.append((scene, *counts, *(number(figures[name]) for name in names)))
    return rows_of(("scene", "in / out", "cannot judge", "AUC", "balanced accuracy", "false sharp", "missed"), rows)


def criteria(found: Json) -> str:
    """The model at several criteria."""
    names = ("auc", "balanced_accuracy", "false_sharp", "missed")
    rows = [(f"{each['criterion_px']:g} px", *(number(each[name]) for name in names)) for each in found["criteria"]]
    return rows_of(("criterion", "AUC", "balanced accuracy", "false sharp", "missed"), rows)


def whole_images(found: Json) -> str:
    """Verdicts on whole images at the criterion in force."""
    (at,) = [each for each in found["criteria"] if each["criterion_px"] == found["criterion_px"]]
    rows = [
        (label, *(str(at["verdicts"][label][kind]) for kind in ("pass", "fail", "cannot-judge")))
        for label in ("in", "out")
    ]
    return rows_of(("images labelled", "pass", "fail", "cannot judge"), rows)


def simulated(found: Json) -> str:
    """Whole frames of the simulated colposcope against the goals."""
    rows = [
        (
            goal["words"],
            f"≤ {number(goal['most'], 2)}",
            with_interval(goal["found"], goal["interval"]),
            {True: "met", False: "not met", None: "–"}[goal["met"]],
        )
        for goal in found["goals"]
    ]
    rows += [
        (f"mean error at f/{part['low']:g} to f/{part['high']:g}", "", number(part["means"]["error"]["mean"]), "")
        for part in found["by_condition"].get("f-number", [])
    ]
    return rows_of((f"{found['scenes']:,} scenes, {found['frames']:,} frames", "goal", "found", ""), rows)


def speed(found: Json) -> str:
    """Times of one run as ratios."""
    rows = [
        (row["name"], f"{row['median_ms']:.3g}", f"{row['to_memcpy']:.1f}", f"{row['to_bare']:.2g}")
        for row in found["methods"]
    ]
    return rows_of(("one 2592×1944 frame, one thread", "median ms", "× memcpy", "× bare call"), rows)


def generators(found: Json) -> str:
    """Trained without a source of pictures, tested on it."""
    rows = [
        (each["left_out"], str(each["tiles"]), *(number(each[name]) for name in ("auc_all", "auc_without")))
        for each in found["generators"]
    ]
    return rows_of(("tested on", "tiles", "AUC, trained on all", "AUC, trained without"), rows)


def parts(found: Json) -> str:
    """Trained without one part of the network."""
    rows = []
    for each in found["parts"]:
        figures = [number(each[name]) for name in ("auc_criterion", "auc_apart", "auc_apart_low_light")]
        rows.append((each["name"], number(each["loss"], 4), *figures, percent(each["false_sharp_from_4_px"])))
    return rows_of(("", "loss", "AUC ≤ 2.5 px", "AUC < 1 / > 2 px", "low light", "≥ 4 px in focus"), rows)


TABLES: dict[str, tuple[str, Callable[[Json], str]]] = {
    "stacks": ("eval.json", stacks),
    "stack-scenes": ("eval.json", stack_scenes),
    "criteria": ("eval.json", criteria),
    "bbbc": ("bbbc006.json", whole_images),
    "simulated": ("scenes.json", simulated),
    "simulated-any": ("scenes-any.json", simulated),
    "parts": ("parts.json", parts),
    "speed": ("bench.json", speed),
    "generators": ("generators.json", generators),
}


def table_of(name: str, folder: Path, manifest: Path) -> str | None:
    """The table `name`; None if its figures are not there. Raises InputError for a name or a file that is wrong."""
    path = folder / "search.md" if name == "search" else manifest
    make: Callable[[Json], str] = synthetic
    if name in TABLES:
        file, make = TABLES[name]
        path = folder / file
    elif name not in ("search", "synthetic"):
        raise InputError(
            f"a document asks for the figures {name!r}; known: {', '.join((*TABLES, 'search', 'synthetic'))}"
        )
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8")
    try:
        return text.strip() if name == "search" else make(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the figures of {name!r} ({error}); make them anew") from None


def filled(text: str, folder: Path, manifest: Path) -> tuple[str, list[str]]:
    """`text` with every table made anew, and the names of those whose figures are missing."""
    missing = []

    def replace(match: re.Match[str]) -> str:
        table = table_of(match["name"], folder, manifest)
        if table is None:
            missing.append(match["name"])
            return match[0]
        return match[1] + table + match[3]

    return BLOCK.sub(replace, text), missing


def draw(figures: Path, out: Path) -> Path | None:
    """The reliability diagram as SVG, in `out`; None if its figures are missing."""
    source = figures / "eval.json"
    if not source.exists():
        return None
    path = out / "reliability.svg"
    path.write_text(reliability_plot(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    return path


def main(argv: list[str] | None = None) -> int:
    """Fill the documents. Returns an exit code; raises InputError."""
    options = argparse.ArgumentParser(prog="python -m models.training.card", description="Figures into documents.")
    options.add_argument("documents", nargs="+", type=Path, metavar="DOCUMENT")
    options.add_argument("--figures", type=Path, default=Path("build/figures"), help="folder of JSON")
    options.add_argument("--manifest", type=Path, default=Path("models/weights/focus-s.json"))
    options.add_argument("--pictures", type=Path, metavar="DIR", help="folder for the reliability diagram")
    chosen = options.parse_args(argv)
    if chosen.pictures is not None and (path := draw(chosen.figures, chosen.pictures)):
        print(f"{path}: drawn")
    for document in chosen.documents:
        text, missing = filled(document.read_text(encoding="utf-8"), chosen.figures, chosen.manifest)
        document.write_text(text, encoding="utf-8")
        print(f"{document}: filled" + (f"; left as they were: {', '.join(missing)}" if missing else ""))
    return ExitCode.OK


if __name__ == "__main__":
    raise SystemExit(main())
