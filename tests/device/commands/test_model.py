"""`focusgate model` shows what is known of a model, and says of a damaged one in one line that it is damaged."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from device.cli import main
from device.commands import model
from models.errors import ExitCode, InputError, ModelError

Capsys = pytest.CaptureFixture[str]


def run(*words: str) -> int:
    top = argparse.ArgumentParser()
    model.add_parser(top.add_subparsers(required=True))
    arguments = top.parse_args(["model", *words])
    return int(arguments.run(arguments))


def test_show_names_the_model_its_limits_and_its_figures(tiny: Path, capsys: Capsys) -> None:
    assert run("show", str(tiny)) == ExitCode.OK
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("tiny 1.0", "32×32 px", "0.75, 1.5, 2.5, 4, 6 px", "at most 1.5 px", "metrics.auc 0.9", "CC0-1.0"):
        assert words in shown
    assert json.loads(tiny.read_text(encoding="utf-8"))["sha256"] in shown


def test_show_flattens_nested_figures(edited: Callable[..., Path], capsys: Capsys) -> None:
    run("show", str(edited(metrics={"real": {"auc": 0.98123456, "scenes": [1, 2.5]}})))
    shown = " ".join(capsys.readouterr().out.split())
    assert "metrics.real.auc 0.9812" in shown
    assert "metrics.real.scenes 1, 2.5" in shown


def test_verify_accepts_a_whole_model(tiny: Path, capsys: Capsys) -> None:
    assert run("verify", "--unsigned", str(tiny)) == ExitCode.OK
    assert "golden vectors: 1 of 1 right" in capsys.readouterr().out


def test_the_shipped_model_is_whole(capsys: Capsys) -> None:
    assert run("verify") == ExitCode.OK
    assert run("show") == ExitCode.OK
    assert "focus-s" in capsys.readouterr().out


def test_verify_refuses_a_damaged_model(tiny: Path) -> None:
    file = tiny.parent / "tiny.onnx"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ModelError, match="not the model of its manifest"):
        run("verify", "--unsigned", str(tiny))


def test_verify_refuses_a_model_whose_scores_have_changed(tiny: Path) -> None:
    values = json.loads(tiny.read_text(encoding="utf-8"))
    values["golden"][0]["expected"]["detectable"][0][0] -= 0.1
    tiny.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ModelError, match="output detectable is off by 0"):
        run("verify", "--unsigned", str(tiny))


def test_show_and_verify_say_that_a_manifest_is_missing(tmp_path: Path) -> None:
    for action in ("show", "verify"):
        with pytest.raises(ModelError, match=r"none\.json: cannot read"):
            run(action, str(tmp_path / "none.json"))


def test_a_new_key_signs_a_model_and_verify_names_it(tiny: Path, tmp_path: Path, capsys: Capsys) -> None:
    keys = tmp_path / "keys"
    assert run("keygen", "--out", str(keys)) == ExitCode.OK
    assert run("sign", str(tiny), "--key", str(keys / "private.pem")) == ExitCode.OK
    (keys / "private.pem").unlink()
    capsys.readouterr()
    assert run("verify", str(tiny), "--trusted", str(keys)) == ExitCode.OK
    assert "which is trusted" in capsys.readouterr().out
    with pytest.raises(ModelError, match="not trusted"):
        run("verify", str(tiny))


def test_verify_names_the_file_that_makes_the_key_trusted(capsys: Capsys) -> None:
    assert run("verify") == ExitCode.OK
    assert "models/trust/focusgate-1.pem" in capsys.readouterr().out


def test_a_manifest_that_names_another_file_is_not_signed(tiny: Path, tmp_path: Path) -> None:
    run("keygen", "--out", str(tmp_path / "keys"))
    for ending in (".json", ".onnx"):
        shutil.copy(tiny.with_suffix(ending), tiny.with_name("copy" + ending))
    tiny.with_name("copy.onnx").write_bytes(b"never tested")
    with pytest.raises(ModelError, match=r"names tiny\.onnx, due is copy\.onnx"):
        run("sign", str(tiny.with_name("copy.json")), "--key", str(tmp_path / "keys" / "private.pem"))
    assert not list(tiny.parent.glob("*.sig"))


def test_keygen_leaves_no_folder_where_it_refuses(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    with pytest.raises(InputError, match="does not belong into a repository"):
        run("keygen", "--out", str(tmp_path / "keys"))
    assert not (tmp_path / "keys").exists()


def test_the_gate_does_not_start_with_a_model_that_nobody_trusted_has_signed(
    tiny: Path, tmp_path: Path, capsys: Capsys
) -> None:
    config, keys = tmp_path / "focusgate.toml", tmp_path / "keys"
    start = ["run", "--config", str(config), "--instant", "--seconds", "0.2", "--store", str(tmp_path / "store")]
    config.write_text(f"[model]\nmanifest = '{tiny}'\n", encoding="utf-8")
    assert main(start) == ExitCode.MODEL
    assert "the model is not signed; gate stays closed" in capsys.readouterr().err
    assert main(["model", "keygen", "--out", str(keys)]) == ExitCode.OK
    assert main(["model", "sign", str(tiny), "--key", str(keys / "private.pem")]) == ExitCode.OK
    capsys.readouterr()
    assert main(start) == ExitCode.MODEL
    assert "which is not trusted; gate stays closed" in capsys.readouterr().err
    (keys / "private.pem").unlink()
    config.write_text(f"[model]\nmanifest = '{tiny}'\ntrusted_keys = '{keys}'\n", encoding="utf-8")
    assert main(start) == ExitCode.OK


def test_a_model_that_is_not_whole_or_fails_its_golden_vectors_is_not_signed(
    edited: Callable[..., Path], tmp_path: Path
) -> None:
    run("keygen", "--out", str(tmp_path / "keys"))
    path = edited()
    golden = json.loads(path.read_text(encoding="utf-8"))["golden"]
    golden[0]["expected"]["detectable"][0][0] -= 0.1
    for change, words in (
        ({"golden": golden}, "self-test failed"),
        ({"sha256": "0" * 64}, "not the model of its manif"),
    ):
        with pytest.raises(ModelError, match=words):
            run("sign", str(edited(**change)), "--key", str(tmp_path / "keys" / "private.pem"))
    assert not path.with_name(path.name + ".sig").exists()
