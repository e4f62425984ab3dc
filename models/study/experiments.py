"""The experiments, each a list of settings. Two scales: the quick one for two cores, the full one as the report had it.

Nothing here needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from models.study.settings import REPORT_LEARNING_RATE, Setting


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the study is.

    wells, side_px   simulated plate: fields of side_px pixels, two sites and two stains a well
    base             what every setting begins with
    seeds            of an experiment; `fewer` for the sweeps that only show a tendency
    """

    name: str
    wells: int
    side_px: int
    base: Setting
    seeds: int
    fewer: int
    kernels_px: tuple[int, ...]
    parameters: tuple[int, ...]
    batches: tuple[int, ...]
    sizes: tuple[int, ...]
    radii_px: tuple[float, ...]
    yang: tuple[int, int]


QUICK = Scale(
    "quick",
    wells=48,
    side_px=128,
    base=Setting("", "", learning_rate=1e-3, steps=150, crop_px=32, binning=3),
    seeds=3,
    fewer=2,
    kernels_px=(3, 5, 7, 9, 11),
    parameters=(5_000, 50_000, 300_000, 1_500_000, 3_000_000),
    batches=(4, 10, 34),
    sizes=(15, 30, 60, 120),
    radii_px=(0.0, 10.0, 25.0, 50.0, 75.0, 100.0),
    yang=(8, 128),
)
"""On two cores in a quarter of an hour: crops of 96 px averaged 3 × 3 to 32, some 140 pictures of each plane,
half the channels, and ten times the report's learning rate for a fraction of its updates."""

FULL = Scale(
    "full",
    wells=384,
    side_px=256,
    base=Setting(
        "", "", learning_rate=REPORT_LEARNING_RATE, steps=6000, batch=32, crop_px=128, binning=1, width=16, dense=256
    ),
    seeds=5,
    fewer=3,
    kernels_px=(3, 5, 7, 9, 11),
    parameters=(5_000, 20_000, 50_000, 100_000, 300_000, 700_000, 1_500_000, 1_600_000, 3_000_000),
    batches=(4, 10, 34, 100),
    sizes=(100, 200, 300, 400, 500, 1000),
    radii_px=(0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0),
    yang=(32, 1024),
)
"""The plate, the planes and the sizes of the report; meant for a GPU."""

SCALES = {scale.name: scale for scale in (QUICK, FULL)}
BOTH = ("relu", "tanh")
TITLES = {"relu": "ReLU", "tanh": "Tanh"}


@dataclass(frozen=True, slots=True)
class Experiment:
    """`settings` makes its runs; `few` marks those of fewer seeds; `x_label` is empty where it has no curve."""

    title: str
    settings: Callable[[Scale], list[Setting]]
    x_label: str = ""
    few: bool = False


def _cnn(scale: Scale) -> list[Setting]:
    rates = sorted({scale.base.learning_rate, REPORT_LEARNING_RATE})
    return [
        replace(scale.base, variant=f"{TITLES[act]}, learning rate {rate:g}", activation=act, learning_rate=rate)
        for rate in rates
        for act in BOTH
    ]


def _kernels(scale: Scale) -> list[Setting]:
    return [
        replace(scale.base, variant=f"{px}×{px}", line="ReLU", x=float(px), kernel_px=px) for px in scale.kernels_px
    ]


def _parameters(scale: Scale) -> list[Setting]:
    return [
        replace(
            scale.base, variant=f"{TITLES[act]}, {count:,}", line=TITLES[act], x=count, parameters=count, activation=act
        )
        for act in BOTH
        for count in scale.parameters
    ]


def _batches(scale: Scale) -> list[Setting]:
    """As many images for every size of the batch, so fewer updates of larger ones."""
    images = scale.base.steps * scale.base.batch
    return [
        replace(
            scale.base,
            task="quartet",
            variant=f"{TITLES[act]}, {batch}",
            line=TITLES[act],
            x=batch,
            batch=batch,
            activation=act,
            steps=images // batch,
        )
        for act in BOTH
        for batch in scale.batches
    ]


def _sizes(scale: Scale) -> list[Setting]:
    return [
        replace(
            scale.base,
            task="quartet",
            variant=f"{TITLES[act]}, {size}",
            line=TITLES[act],
            x=size,
            per_class=size,
            activation=act,
        )
        for act in BOTH
        for size in scale.sizes
    ]


def _tasks(task: str, longer: int) -> Callable[[Scale], list[Setting]]:
    def settings(scale: Scale) -> list[Setting]:
        return [
            replace(scale.base, task=task, variant=TITLES[act], activation=act, steps=scale.base.steps * longer)
            for act in BOTH
        ]

    return settings


def _features(scale: Scale) -> list[Setting]:
    return [
        replace(scale.base, network="features", task=task, variant=f"{task}, {stain}", stains=stains)
        for task in ("binary", "three", "sides")
        for stain, stains in (("nuclei", ("w1",)), ("actin", ("w2",)), ("both", ("w1", "w2")))
    ]


def _transfer(scale: Scale) -> list[Setting]:
    pairs = (("three", "blur"), ("three", "blur-noise"), ("blur", "three"), ("blur-noise", "three"))
    names = {"three": "optical", "blur": "Gaussian", "blur-noise": "Gaussian and noise"}
    return [
        replace(scale.base, task=task, tested_on=other, variant=f"{names[task]}, tested on {names[other]}")
        for task, other in pairs
    ]


def _radii(scale: Scale) -> list[Setting]:
    """The two poolings that went are made up for by averaging 4 × 4 after the aperture: cheap, and even optical."""
    return [
        replace(
            scale.base,
            network="reduced",
            variant=f"high-pass, r = {radius:g}",
            line="averaged 4 × 4",
            x=radius,
            aperture="high-pass",
            radius_px=radius,
            shrink=4,
        )
        for radius in scale.radii_px
    ]


def _energy(scale: Scale) -> list[Setting]:
    return [
        replace(
            scale.base,
            network="energy",
            task=task,
            variant=f"{title}, r = {radius:g}",
            line=title,
            x=radius,
            radius_px=radius,
            binning=1,
        )
        for task, title in (("binary", "plane 16 against 10"), ("quartet", "planes 16, 17 against 10, 05"))
        for radius in scale.radii_px
        if radius
    ]


def _physical(scale: Scale) -> list[Setting]:
    """The reduced network as the report has it, on the full picture; then what the report did not try."""
    base = replace(scale.base, network="reduced", steps=scale.base.steps // 2)
    cheap = replace(scale.base, network="reduced", shrink=4)
    return [
        replace(scale.base, variant="full CNN, no aperture"),
        replace(base, variant="reduced, no aperture", aperture="high-pass", radius_px=0.0),
        replace(base, variant="reduced, high-pass r = 10", aperture="high-pass", radius_px=10.0),
        replace(base, variant="reduced, high-pass r = 100", aperture="high-pass", radius_px=100.0),
        replace(base, variant="reduced, r = 100 and phase learned", aperture="high-pass", radius_px=100.0, phase=True),
        replace(
            cheap,
            variant="averaged 4 × 4, r = 100 and phase learned",
            aperture="high-pass",
            radius_px=100.0,
            phase=True,
        ),
        replace(cheap, variant="averaged 4 × 4, amplitude learned", aperture="free", radius_px=50.0),
        replace(base, variant="reduced, what an iris can do", aperture="iris", radius_px=60.0),
    ]


def _stem(scale: Scale) -> list[Setting]:
    base = replace(scale.base, network="stem", task="levels", binning=1)
    return [
        replace(base, variant="as shipped" if radius == 0 else f"high-pass r = {radius:g} folded in", radius_px=radius)
        for radius in (0.0, 10.0, 25.0, 50.0, 100.0)
    ]


def _related(scale: Scale) -> list[Setting]:
    patches = replace(scale.base, task="levels", steps=scale.base.steps * 4, patches=4)
    whole = replace(patches, patches=1)
    bosse = replace(patches, variant="after Bosse et al. 2016", network="bosse")
    width, dense = scale.yang
    return [
        replace(whole, variant="shipped model", network="shipped"),
        replace(whole, variant="the report's CNN, Tanh", activation="tanh"),
        replace(whole, variant="the report's CNN, ReLU"),
        replace(patches, variant="Yang et al. 2018", network="yang", width=width, dense=dense),
        replace(patches, variant="after DeepFocus 2018", network="deepfocus"),
        bosse,
        replace(bosse, variant="after Bosse et al., four times as long", steps=4 * bosse.steps),
        replace(bosse, variant="after Bosse et al., ten times as long", steps=10 * bosse.steps),
        replace(whole, variant="the report's CNN, Tanh, four times as long", activation="tanh", steps=4 * whole.steps),
        replace(whole, variant="FocusLiteNN, 10 kernels", network="focuslite", width=10, crop_px=96, binning=1),
    ]


def _unet(scale: Scale) -> list[Setting]:
    return [replace(scale.base, task="three", network="unet", variant="U-Net", stains=("w1",))]


EXPERIMENTS: dict[str, Experiment] = {
    "features": Experiment("Features of the pixels without a network", _features),
    "cnn": Experiment("Plane 16 against 10", _cnn),
    "three": Experiment("Three degrees: planes 16, 10, 05", _tasks("three", 3)),
    "four": Experiment("Four degrees: planes 16/17, 10, 05, 00", _tasks("four", 4)),
    "sides": Experiment("Above and below: planes 16, 05, 25", _tasks("sides", 2)),
    "radii": Experiment("Aperture as a high-pass", _radii, "radius of the high-pass, px", few=True),
    "energy": Experiment("Light through a high-pass, one threshold", _energy, "radius of the high-pass, px"),
    "stem": Experiment("A high-pass in the shipped model's first layer", _stem),
    "physical": Experiment("Physical layer", _physical, few=True),
    "related": Experiment("Related work, eleven levels of defocus", _related, few=True),
    "transfer": Experiment("Gaussian blur and defocus", _transfer, few=True),
    "kernels": Experiment("Size of the kernels", _kernels, "side of the kernels, px", few=True),
    "parameters": Experiment("Number of parameters", _parameters, "parameters (log)", few=True),
    "batches": Experiment("Size of the batch", _batches, "batch (log)", few=True),
    "sizes": Experiment("Size of the training set", _sizes, "pictures of each plane (log)", few=True),
    "unet": Experiment("U-Net: focus and nuclei at once", _unet, few=True),
}
"""In the order in which they run: what the page needs most comes first."""


def settings_of(name: str, scale: Scale) -> list[Setting]:
    """The runs of one experiment, named after it."""
    return [replace(setting, experiment=name) for setting in EXPERIMENTS[name].settings(scale)]


def seeds_of(name: str, scale: Scale) -> range:
    """Seeds from 1 on."""
    return range(1, 1 + (scale.fewer if EXPERIMENTS[name].few else scale.seeds))
