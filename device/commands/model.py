"""`focusgate model show|verify|sign|keygen`: which model judges, whether it is whole, and who vouches for it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ExitCode, InputError

if TYPE_CHECKING:
    from models.manifest import Manifest

EXAMPLES = """\
examples:
  focusgate model show                       the shipped model: name, hash, limits, figures, sources
  focusgate model verify                     is its file the manifest's, and does it still give the same scores?
  focusgate model verify weights/mine.json   the same for a model of your own
  focusgate model keygen --out ~/keys        a pair of keys: the private one stays with you
  focusgate model sign weights/mine.json --key ~/keys/private.pem
                                             then name a folder with public.pem as model.trusted_keys
"""

PRIVATE, PUBLIC = "private.pem", "public.pem"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `model` to the command line."""
    model = subparsers.add_parser(
        "model",
        help="show, verify or sign a model",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = model.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, summary, run in (
        ("show", "say what is known of the model", _show),
        ("verify", "check signature and hash of the model and run its golden vectors", _verify),
    ):
        action = actions.add_parser(name, help=summary, description=summary)
        action.add_argument(
            "manifest", type=Path, nargs="?", help="manifest (JSON) of the model; default: the shipped one"
        )
        action.set_defaults(run=run)
        if name == "verify":
            action.add_argument("--trusted", type=Path, metavar="DIR", help="folder of public keys trusted besides")
            action.add_argument("--unsigned", action="store_true", help="do without a signature")
    sign = actions.add_parser("sign", help="sign a model", description="Sign a model and its manifest.")
    sign.add_argument("manifest", type=Path, help="manifest (JSON); the model lies beside it under the same name")
    sign.add_argument("--key", type=Path, required=True, metavar="FILE", help="private key (PEM)")
    sign.set_defaults(run=_sign)
    keygen = actions.add_parser("keygen", help="make a pair of keys", description="Make a pair of Ed25519 keys.")
    keygen.add_argument("--out", type=Path, required=True, metavar="DIR", help=f"folder for {PRIVATE} and {PUBLIC}")
    keygen.set_defaults(run=_keygen)


def facts(manifest: Manifest) -> list[tuple[str, str]]:
    """What `show` prints, as (key, value)."""
    edges = ", ".join(f"{edge:g}" for edge in manifest.edges_px)
    return [
        ("name", f"{manifest.name} {manifest.version}"),
        ("file", manifest.file),
        ("sha256", manifest.sha256),
        ("tile", f"{manifest.tile_px}×{manifest.tile_px} px"),
        ("blur radii", f"{edges} px"),
        (
            "in focus",
            f"radius at most {manifest.criterion_px:g} px with a probability of at least {manifest.threshold:g}",
        ),
        ("not judged", f"detectability below {manifest.min_detectable:g}"),
        ("", f"mean luma below {manifest.dark_luma:g} of 255"),
        ("", f"more than {100 * manifest.glare_share:g} % of the pixels clipped"),
        ("golden vectors", str(len(manifest.golden))),
        *((f"metrics.{key}", value) for key, value in _flat(manifest.metrics)),
        *((f"training.{key}", value) for key, value in _flat(manifest.training)),
        *(("source", f"{source.name} ({source.licence})") for source in manifest.sources),
    ]


def _flat(value: object, prefix: str = "") -> list[tuple[str, str]]:
    """Nested figures as dotted keys, numbers in short form."""
    if isinstance(value, dict):
        return [
            line for key, inner in value.items() for line in _flat(inner, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(value, float):
        return [(prefix, f"{value:.4g}")]
    if isinstance(value, list):
        return [(prefix, ", ".join(text for item in value for _, text in _flat(item)))]
    return [(prefix, str(value))]


def _show(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from models.manifest import load_manifest
    from models.onnx_classifier import shipped_manifest

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts(load_manifest(arguments.manifest or shipped_manifest())):
        table.add_row(Text(key, "bold"), Text(value))
    Console().print(table)
    return ExitCode.OK


def _verify(arguments: argparse.Namespace) -> int:
    from models.onnx_classifier import load_classifier, read_signed, shipped_manifest
    from models.signing import trusted_keys

    path = arguments.manifest or shipped_manifest()
    if not arguments.unsigned:
        identity = read_signed(path, arguments.trusted)[2]
        print(f"{path}: signed by key {identity}, which is trusted by {trusted_keys(arguments.trusted)[identity].path}")
    classifier = load_classifier(path, self_test=False, unsigned=arguments.unsigned, keys_folder=arguments.trusted)
    worst = classifier.self_test()
    vectors = len(classifier.manifest.golden)
    print(f"{classifier.manifest.file}: the file of its manifest (SHA-256 {classifier.sha256})")
    print(f"golden vectors: {vectors} of {vectors} right, largest deviation {100 * worst:.2g} % of what is allowed")
    return ExitCode.OK


def _sign(arguments: argparse.Namespace) -> int:
    """Only a model that is whole and passes its golden vectors is signed."""
    from models.manifest import model_beside, parse_pair, read_manifest, read_whole_model
    from models.onnx_classifier import load_classifier
    from models.signing import key_id, load_private_key, sign, signature_path

    path: Path = arguments.manifest
    key = load_private_key(arguments.key)
    text = read_manifest(path)
    content = read_whole_model(model_beside(path))
    parse_pair(text, content, path)
    load_classifier(path, unsigned=True)
    target = signature_path(path)
    try:
        target.write_bytes(sign(text, content, key))
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from None
    print(f"{target}: written, signed by key {key_id(key.public_key())}")
    return ExitCode.OK


def _keygen(arguments: argparse.Namespace) -> int:
    from models.signing import new_key

    private, public = arguments.out / PRIVATE, arguments.out / PUBLIC
    identity = new_key(private, public)
    print(f"{private}: keep it to yourself, off the device and off every repository\n{public}: key {identity}")
    return ExitCode.OK
