"""The report of a calibration: one self-contained HTML page with pictures and curves of everything measured."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from calibration.limits import Check, Limits, checks, passed
from calibration.through_focus import ZONES
from device.calibrating.curves import Axis, axis_of, curve, map_of
from device.calibrating.finish import profile_of
from device.calibrating.work import STEPS, Work
from models.evaluation.page import document
from models.evaluation.svg import Dots, Line, plot

PICTURE_PX = 560
QUALITY = 88
RIM = (230, 159, 0)

Part = Mapping[str, Any]


def page_of(work: Work, limits: Limits) -> str:
    """The page of what was measured so far. Raises InputError if nothing was, or its arrays are gone."""
    device, parts = work.device, work.parts
    body = [
        f"<h1>Calibration of {escape(str(device['serial']))}</h1>",
        _table(
            ("", ""),
            [
                ("camera", device["camera_id"]),
                ("lens", work.value("lens")),
                ("picture", f"{device['width']} × {device['height']} px, luma {work.value('tone')}"),
                *((f"step {name}", parts[name]["made_at"] if name in parts else "not done") for name in STEPS),
            ],
        ),
    ]
    sections = (
        ("field", _field),
        ("scale", _scale),
        ("noise", lambda _work, part: _noise(part)),
        ("aperture", lambda _work, part: _aperture(part)),
        ("threshold", lambda _work, part: _threshold(part)),
    )
    if {"field", "scale", "threshold"} <= parts.keys():
        draft = profile_of(work, operator="report", now=datetime.now(UTC), expiry_days=1)
        body += _verdict(checks(draft, limits, width=device["width"], height=device["height"]))
    for name, section in sections:
        if name in parts:
            body += section(work, parts[name])
    return document(f"Calibration of {device['serial']}", body)


def _verdict(found: tuple[Check, ...]) -> list[str]:
    rows = [
        (each.name, each.value, each.limit, "" if not each.measured else "✓ pass" if each.ok else "✗ FAIL")
        for each in found
    ]
    word = "passes" if passed(found) else "FAILS"
    return [f"<h2>The device {word}</h2>", _table(("quantity", "measured", "limit", ""), rows)]


def _field(work: Work, part: Part) -> list[str]:
    seen = "fills the picture" if part["whole"] else f"radius {part['radius_px']:.1f} px"
    white = _picture(work.arrays("field")["white"], part)
    return [
        "<h2>Field of view</h2>",
        f"<p>Middle {part['centre_x_px']:.1f}, {part['centre_y_px']:.1f} px, {seen}; its rim was seen on "
        f"{100 * part['rim_share']:.0f} % of the circle, {part['residual_px']:.2f} px off it. Without light the "
        f"picture reads {part['black_level_dn']:.2f}; {len(part['hot'])} pixels are hot.</p>",
        _figure(white, "white paper; orange: the field that counts"),
    ]


def _scale(work: Work, part: Part) -> list[str]:
    device, sweep = work.device, part["sweep"]
    edges = np.array(part["edges"])
    field = work.part("field")
    away = np.hypot(edges[:, 0] - field["centre_x_px"], edges[:, 1] - field["centre_y_px"]) / field["radius_px"]
    top = axis_of(edges[:, 2].max())
    over = plot(
        "MTF50 over the field",
        "distance from the middle, radii of the field",
        "MTF50, cycles per px",
        [Dots("edges of the chart", [(float(r), top.place(m)) for r, m in zip(away, edges[:, 2], strict=True)])],
        y_ticks=top.ticks,
    )
    depth = part["depth_mm"]
    told = "never in focus" if depth is None else f"in focus from {depth[0]:+.2f} to {depth[1]:+.2f} mm"
    return [
        "<h2>Scale and resolution</h2>",
        f"<p>{part['um_per_px']:.3f} µm per px; distortion {part['distortion']:+.4f}; the chart was tilted by "
        f"{part['tilt_deg']:.1f}°. MTF50 {part['mtf50_middle']:.3f} cycles per px in the middle, "
        f"{part['mtf50_rim']:.3f} at the rim, {part['mtf50_worst']:.3f} at worst. "
        f"Criterion: radius at most {part['criterion_px']:.2f} px, since "
        f"{escape(part['criterion_source'])}.</p>",
        _figure(_picture(work.arrays("scale")["chart"], field), "the chart at the working distance"),
        map_of(edges, device["width"], device["height"], field),
        over,
        "<h2>Through focus</h2>",
        f"<p>Best focus {sweep['best_mm']:+.2f} mm from the working distance, {sweep['sag_mm']:.2f} mm nearer at the "
        f"rim; at best {sweep['least_blur_px']:.2f} px; the middle is {told}. The fit is {100 * sweep['residual']:.1f} "
        "% off the measured points.</p>",
        _through_focus(part),
    ]


def _through_focus(part: Part) -> str:
    points = [(z, blur) for zone in part["zones"] for z, blur in zone]
    nearest, farthest = min(z for z, _ in points), max(z for z, _ in points)
    across = Axis(nearest, farthest)
    up = axis_of(max(blur for _, blur in points))
    lines = [
        Line(
            f"from {inner:g} to {outer:g} of the radius",
            [(across.place(z), up.place(blur)) for z, blur in zone],
            marks=True,
        )
        for inner, outer, zone in zip(ZONES, ZONES[1:], part["zones"], strict=False)
        if zone
    ]
    level = up.place(part["criterion_px"])
    lines.append(Line("criterion", [(0.0, level), (1.0, level)]))
    return plot("Through focus", "distance, mm", "blur radius, px", lines, x_ticks=across.ticks, y_ticks=up.ticks)


def _noise(part: Part) -> list[str]:
    rows = [
        (f"{db:g}", f"{e:.3f}", f"{read:.2f}", "here" if seen else "at a higher gain")
        for db, e, read, seen in part["gains"]
    ]
    series = [(f"{db:g} dB", [(x, y) for x, y in points if x >= 0]) for db, points in part["points"]]
    return [
        "<h2>Noise</h2>",
        f"<p>Photon transfer from pairs of flat pictures. Level without light: {part['black_level_dn']:.2f}.</p>",
        _table(("gain, dB", "electrons per level", "read noise, electrons", "measured"), rows),
        curve("Photon transfer", "level above black, DN", "variance, DN²", series, from_zero=True),
    ]


def _aperture(part: Part) -> list[str]:
    top = max(light for _, light in (*part["up"], *part["down"]))
    ways = [(f"way {name}", [(p, light / top) for p, light in sorted(part[name])]) for name in ("up", "down")]
    table = sorted(zip(part["positions"], part["f_numbers"], strict=True))
    ends = (
        "noise takes over nowhere"
        if part["noise_from"] is None
        else f"noise takes over from f/{part['noise_from']:.1f}",
        "diffraction nowhere"
        if part["diffraction_from"] is None
        else f"diffraction from f/{part['diffraction_from']:.1f}",
    )
    return [
        "<h2>Aperture</h2>",
        f"<p>f/{part['f_numbers'][0]:.2f} to f/{part['f_numbers'][-1]:.2f}, positions in {part['unit']}; play "
        f"{part['backlash']:.4g}, scatter {part['repeatability']:.2g}; {part['move_s']:.2f} s from end to end; "
        f"{ends[0]}, {ends[1]}.</p>",
        curve("Light against position", "position", "relative light", ways),
        curve("f-number against position", "position", "f-number", [("reached from below", table)]),
    ]


def _threshold(part: Part) -> list[str]:
    rows = part["curve"]
    top = axis_of(max(3 * part["alpha"], 0.1))
    level = top.place(part["alpha"])
    lines = [
        Line("false in focus, seen", [(t, top.place(rate)) for t, rate, _, _ in rows]),
        Line("its upper bound", [(t, top.place(bound)) for t, _, bound, _ in rows]),
        Line("alpha", [(0.0, level), (1.0, level)]),
    ]
    chosen = part["threshold_before_scaling"]
    operating = plot(
        "Operating curve", "threshold (as the model says it)", "false-in-focus rate", lines, upright=chosen,
        y_ticks=top.ticks,
    )  # fmt: skip
    missed = plot(
        "What it costs", "threshold (as the model says it)", "sharp tiles called blurred",
        [Line("missed", [(t, miss) for t, _, _, miss in rows])], upright=chosen,
    )  # fmt: skip
    said = [
        Line(name, [(point[0], point[1]) for point in bins], marks=True)
        for name, bins in zip(("before", "after scaling"), part["reliability"], strict=True)
    ]
    before, after = part["fraction_error"]
    fractions = [
        plot(
            f"{name}: off by {error:.3f}",
            "fraction truly in focus",
            "fraction said",
            [Dots("pictures", [(row[0], row[index]) for row in part["fractions"]])],
            diagonal=True,
        )
        for name, index, error in (("Uncalibrated", 1, before), ("Calibrated", 2, after))
    ]
    temperature, passes = part["temperature"], part["false_passes"]
    return [
        "<h2>Threshold</h2>",
        f"<p>Threshold {part['threshold']:.4f}: at most {100 * part['alpha']:g} % of blurred tiles are called in "
        f"focus, with a confidence of {100 * (1 - part['delta']):g} %. Seen {100 * part['rate']:.2f} %, bound "
        f"{100 * part['bound']:.2f} %, from {part['pictures']} pictures with {part['blurred_tiles']} blurred tiles; "
        f"{100 * part['missed']:.1f} % of {part['sharp_tiles']} sharp tiles are missed. {passes['errors']} of "
        f"{passes['pictures']} pictures that should not pass did (exact bound {100 * passes['bound']:.1f} %). Method: "
        f"{escape(part['method'])}.</p>",
        operating,
        missed,
        "<h2>Reliability</h2>",
        f"<p>Temperature {temperature['value']:.3f}; mean difference between said and so "
        f"{temperature['error_before']:.3f} before, {temperature['error_after']:.3f} after.</p>",
        plot("Reliability", "probability said", "share truly in focus", said, diagonal=True),
        "<h2>Before and after</h2>",
        "<p>Each dot is a picture of the texture at a known distance.</p>",
        *fractions,
    ]


def _picture(luma: NDArray[np.uint8], field: Part) -> str:
    """A data URI of the picture with the field drawn on it."""
    image = Image.fromarray(luma).convert("RGB")
    share = PICTURE_PX / image.width
    image = image.resize((PICTURE_PX, round(image.height * share)), Image.Resampling.LANCZOS)
    x, y, r = (share * field[name] for name in ("centre_x_px", "centre_y_px", "radius_px"))
    ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), outline=RIM, width=2)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _figure(source: str, caption: str) -> str:
    style = f"width:{PICTURE_PX}px"
    return (
        f'<figure style="{style}"><img style="{style}" alt="{escape(caption)}" src="{source}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head) if any(head) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"
