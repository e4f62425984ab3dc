"""One run of the study: data, network, training, test, and everything about it in one dictionary of JSON."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.study import networks
from models.study.bbbc006 import split_wells
from models.study.energy import energy_run
from models.study.features import feature_run
from models.study.fitting import Fit, answers, classes_of, device, fit
from models.study.folding import stem_run
from models.study.physical import FourierAperture, transform_multiplications
from models.study.real import RealPictures, judge_real
from models.study.scoring import Result, in_focus_scores, scores
from models.study.segmenting import unet_run
from models.study.settings import Setting
from models.study.shipped import shipped_run
from models.study.stacks import Stacks
from models.study.tasks import TASKS, Examples, examples, rows_of

Progressing = Callable[[int, int], None]
FRAME_PX = 520 * 696
"""Pixels of a picture as published: what the times are for."""

SETTLING = 0.4
"""Share of the updates over which the learning rate falls to 0 where more than two classes are told apart."""
JUDGED_ON_REAL = frozenset({"cnn", "three", "four", "physical"})
"""Experiments whose networks tell a picture in focus, their first class, from one that is not."""


@dataclass(frozen=True, slots=True)
class Material:
    """What all runs share: stacks, real pictures if there are any, and a folder for what a run leaves behind."""

    stacks: Stacks
    real: RealPictures | None
    out: Path


@dataclass(frozen=True, slots=True)
class Parts:
    """Examples of wells to train on and of wells never seen."""

    train: Examples
    test: Examples


def run_one(setting: Setting, seed: int, material: Material, progress: Progressing) -> Result:
    """Do it, and tell all. Raises InputError if the stacks have not what the setting asks for."""
    started = time.process_time()
    torch.manual_seed(seed)
    parts = parts_of(setting, seed, material.stacks, TASKS[setting.task].classes)
    match setting.network:
        case "features":
            found = feature_run(parts.train, parts.test)
        case "energy":
            found = energy_run(setting, parts.train, parts.test)
        case "stem":
            found = stem_run(setting, parts.train, parts.test, len(TASKS[setting.task].classes))
        case "shipped":
            found = shipped_run(material.stacks, parts.train, parts.test, TASKS[setting.task])
        case "unet":
            found = unet_run(
                setting,
                seed,
                stacks=material.stacks,
                rows=parts.train.rows,
                held=parts.test.rows,
                progress=progress,
            )
        case _:
            found = _network_run(setting, seed, parts, material, progress)
    return {
        "setting": asdict(setting),
        "key": setting.key(),
        "seed": seed,
        "fields": {"train": len(parts.train.targets), "test": len(parts.test.targets)},
        **found,
        "cpu_s": round(time.process_time() - started, 2),
        "versions": versions(),
    }


def parts_of(setting: Setting, seed: int, stacks: Stacks, classes: tuple[object, ...]) -> Parts:
    """Wells are split by the seed: every seed is tested on other wells."""
    task = TASKS[setting.task]
    train, test = split_wells(stacks.wells, seed)
    limit = None if setting.per_class is None else setting.per_class
    rows = rows_of(stacks, train, setting.stains, limit, seed)
    held = rows_of(stacks, test, setting.stains, None, seed)
    if len(classes) > 4:  # eleven classes of every field are more than are needed for a figure
        held = held[: max(40, len(held) // 2)]
    return Parts(
        examples(stacks, task, rows, binning=setting.binning, seed=2 * seed),
        examples(stacks, task, held, binning=setting.binning, seed=2 * seed + 1),
    )


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": str(device()),
        "threads": str(torch.get_num_threads()),
    }


def network_of(setting: Setting) -> nn.Module:
    """The network that a setting asks for, with its aperture in front."""
    outputs = len(TASKS[setting.task].classes)
    size = networks.Size(
        setting.crop_px // setting.shrink, outputs, setting.width, setting.dense, setting.kernel_px, setting.activation
    )
    if setting.parameters is not None:
        size = networks.sized_for(setting.parameters, size)
    network = networks.NETWORKS[setting.network](size)
    networks.BEGINNINGS[setting.activation](network)
    if not setting.aperture:
        return network
    front: list[nn.Module] = [
        FourierAperture(setting.aperture, setting.radius_px, setting.crop_px, setting.binning, phase=setting.phase)
    ]
    if setting.shrink > 1:
        front.append(nn.AvgPool2d(setting.shrink))
    return nn.Sequential(*front, network)


def _network_run(setting: Setting, seed: int, parts: Parts, material: Material, progress: Progressing) -> Result:
    network = network_of(setting)
    regression = setting.network in networks.REGRESSIONS
    classes = len(TASKS[setting.task].classes)
    settling = SETTLING if classes > 2 else 0.0
    plan = Fit(
        setting.batch, setting.steps, setting.learning_rate, setting.crop_px, regression, setting.patches, settling
    )
    before = aperture_of(network)
    trained = fit(network, parts.train, parts.test, plan, seed=seed, progress=progress)
    found = classes_of(answers(network, parts.test, plan))
    sample = replace(parts.train, images=parts.train.images[::4], targets=parts.train.targets[::4])
    on_training = classes_of(answers(network, sample, plan))
    result: Result = {
        **scores(found, parts.test.targets, classes),
        "training_accuracy": float((on_training == sample.targets).mean()),
        "fit": asdict(plan),
        "curve": [list(point) for point in trained.curve],
        **cost(network, setting),
    }
    if setting.task == "levels":
        result |= in_focus_scores(found, parts.test.targets)
    if setting.tested_on:
        other = parts_of(
            replace(setting, task=setting.tested_on), seed, material.stacks, TASKS[setting.tested_on].classes
        )
        elsewhere = classes_of(answers(network, other.test, plan))
        result["elsewhere"] = scores(elsewhere, other.test.targets, classes)
    after = aperture_of(network)
    if before is not None and after is not None:
        name = f"{setting.experiment}-{setting.key()}-{seed}.npz"
        np.savez_compressed(material.out / name, before=before, after=after)
        result["aperture_file"] = name
    if material.real is not None and setting.experiment in JUDGED_ON_REAL:
        result["real"] = judge_real(network, material.real, setting)
    return result


def aperture_of(network: nn.Module) -> NDArray[np.float32] | None:
    """Amplitude and phase, (2, side, side), zero frequency in the middle; None without an aperture."""
    for layer in network.modules():
        if isinstance(layer, FourierAperture):
            with torch.no_grad():
                both = torch.stack([layer.amplitude(), layer.phase])
            out: NDArray[np.float32] = torch.fft.fftshift(both, dim=(1, 2)).cpu().numpy()
            return out
    return None


def cost(network: nn.Module, setting: Setting) -> Result:
    """Parameters, multiplications of one input, and CPU time for a picture as published covered with inputs."""
    network.cpu().eval()
    images = torch.randn(8, 1, setting.crop_px, setting.crop_px)
    times = []
    with torch.no_grad():
        for _ in range(5):
            started = time.process_time()
            network(images)
            times.append(time.process_time() - started)
    inputs = FRAME_PX / (setting.crop_px * setting.binning) ** 2
    network.to(device())
    return {
        "parameters": networks.count_parameters(network),
        "multiplications": networks.multiplications(network, setting.crop_px),
        "transform_multiplications": transform_multiplications(setting.crop_px) if setting.aperture else 0,
        "frame_cpu_ms": 1000 * sorted(times)[1] / len(images) * inputs,
    }
