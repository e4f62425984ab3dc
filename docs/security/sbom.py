"""`make sbom`: what runs on a board, as a CycloneDX document, from the hash-locked requirements and the shipped model.

    python docs/security/sbom.py docs/security/sbom.json

cyclonedx-py reads each lock; the lists are laid together, each package with the locks that name it. The same locks give
the same bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "systemd" / "requirements").glob("*.lock"))
MODEL = ROOT / "models" / "weights" / "focus-s.json"
NAMED_BY = "focusgate:lock"


def components_of(lock: Path) -> list[dict[str, Any]]:
    """The packages of one lock, as cyclonedx-py lists them, with the digests that it allows."""
    command = [Path(sys.executable).with_name("cyclonedx-py"), "requirements", "--output-reproducible", "--of", "JSON"]
    ran = subprocess.run([*command, lock], capture_output=True, text=True, check=True)
    found = []
    for one in json.loads(ran.stdout)["components"]:
        purl = one["purl"]
        # where it was fetched from is nobody's business and another thing each time: the digests say which file it is
        digests = [digest for reference in one["externalReferences"] for digest in reference.get("hashes", ())]
        reference = {"type": "distribution", "url": purl, "hashes": sorted(digests, key=lambda one: one["content"])}
        kept = {key: one[key] for key in ("type", "name", "version", "purl")}
        found.append(kept | {"bom-ref": purl, "externalReferences": [reference]})
    return found


def sbom() -> dict[str, Any]:
    """The whole document."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    packages: dict[str, dict[str, Any]] = {}
    for lock in LOCKS:
        for one in components_of(lock):
            kept = packages.setdefault(one["bom-ref"], one | {"properties": []})
            kept["properties"].append({"name": NAMED_BY, "value": lock.name})
    manifest = json.loads(MODEL.read_text(encoding="utf-8"))
    model = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{manifest['name']}",
        "name": manifest["name"],
        "version": manifest["version"],
        "hashes": [{"alg": "SHA-256", "content": manifest["sha256"]}],
    }
    root = {"type": "firmware", "bom-ref": "focusgate", "name": "focusgate", "version": version}
    listed = [*(packages[reference] for reference in sorted(packages)), model]
    needed = [one["bom-ref"] for one in listed if not _only_builds(one)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": listed,
        "dependencies": [{"ref": "focusgate", "dependsOn": needed}, *({"ref": reference} for reference in needed)],
    }


def _only_builds(component: dict[str, Any]) -> bool:
    """True for what is needed to build a release and is not part of one."""
    return {one["value"] for one in component.get("properties", ())} == {"requirements-build.lock"}


def main(target: Path) -> int:
    """Write the document, valid by CycloneDX's own schema."""
    text = json.dumps(sbom(), indent=1) + "\n"
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        sys.stderr.write(f"sbom: not by the schema of CycloneDX 1.6: {wrong}\n")
        return 1
    target.write_text(text, encoding="ascii")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
