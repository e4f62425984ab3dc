"""Runs of an experiment as trials of Optuna: several machines share one storage, and what was broken off goes on.

Every run (a setting and a seed) is one trial. A trial that is finished is not run again; one whose process died is
found by its missing heartbeat, and queued anew.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy.exc
from optuna.trial import TrialState

from models.errors import InputError, one_line
from models.study.settings import Setting

HEARTBEAT_S = 30
GRACE_S = 180
_BUSY = (TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING)
Run = Callable[[Setting, int], dict[str, Any]]


def storage_at(address: str) -> optuna.storages.RDBStorage:
    """The storage at this address (sqlite:///file, or a server's). Raises InputError if there is none to be had."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # heartbeats are marked so
        try:
            return optuna.storages.RDBStorage(address, heartbeat_interval=HEARTBEAT_S, grace_period=GRACE_S)
        except (
            optuna.exceptions.StorageInternalError,
            sqlalchemy.exc.SQLAlchemyError,
            ImportError,
            ValueError,
            OSError,
        ) as error:
            raise InputError(
                f"--storage {address}: cannot be opened ({one_line(error, 100)}); give sqlite:///FILE or a server"
            ) from None


def run_sweep(
    name: str, settings: list[Setting], seeds: range, *, storage: optuna.storages.RDBStorage, out: Path, run: Run
) -> int:
    """Run what is not done yet; how many runs this process did. Results lie in `out`, one JSON file each."""
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
    keys = {setting.key(): setting for setting in settings}
    wanted = [(key, seed) for seed in seeds for key in keys]
    queue(study, wanted)
    done = 0

    def objective(trial: optuna.Trial) -> float:
        nonlocal done
        key, seed = str(trial.user_attrs.get("key")), int(trial.user_attrs.get("seed", 0))
        if key not in keys:  # of another version of the settings, left in the queue
            raise optuna.TrialPruned
        result = run(keys[key], seed)
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"{name}-{key}-{seed}.json"
        partly = path.with_suffix(".part")
        partly.write_text(json.dumps(result, indent=1), encoding="utf-8")
        partly.replace(path)
        done += 1
        return float(result.get("accuracy", 0.0))

    while waiting(study):
        study.optimize(objective, n_trials=1)
    return done


def queue(study: optuna.Study, wanted: list[tuple[str, int]]) -> None:
    """Queue what is neither done, nor running, nor queued."""
    there = {
        (trial.user_attrs.get("key"), trial.user_attrs.get("seed"))
        for trial in study.get_trials(deepcopy=False, states=_BUSY)
    }
    for key, seed in wanted:
        if (key, seed) not in there:
            study.enqueue_trial({}, user_attrs={"key": key, "seed": seed})


def waiting(study: optuna.Study) -> bool:
    """Whether anything is queued."""
    return bool(study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))


def read_results(out: Path, experiment: str) -> list[dict[str, Any]]:
    """All results of an experiment, by setting and seed. Raises InputError if a file is damaged."""
    found = []
    for path in sorted(out.glob(f"{experiment}-*.json")):
        try:
            found.append(json.loads(path.read_text(encoding="utf-8")))
        except ValueError:
            raise InputError(f"{path}: is no result of the study; delete it and run again") from None
    return found
