"""`make audit`: known vulnerabilities of what is locked, asked of the package index's own service by pip-audit.

Ends with 0 if every package was asked for and none is known to be vulnerable, 1 if one is, and 75 ("try again later" in
sysexits.h) if the service could not be asked for all of them: pip-audit itself calls that "none found".
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "systemd" / "requirements").glob("*.lock"))
CLEAN, VULNERABLE, NOT_ASKED = 0, 1, 75
TIMEOUT_S = 15
LIMIT_S = 300


def judged(dependencies: Iterable[dict[str, Any]]) -> tuple[int, list[str]]:
    """Exit code and lines for what pip-audit's JSON says of the packages."""
    known, skipped, asked = set(), set(), set()
    for one in dependencies:
        if "skip_reason" in one:
            skipped.add(one["name"])
            continue
        asked.add(one["name"])
        for found in one["vulns"]:
            fixed = ", ".join(found["fix_versions"]) or "no release yet"
            known.add(f"{one['name']} {one['version']}: {found['id']}, fixed in {fixed}")
    if known:
        return VULNERABLE, sorted(known)
    if skipped or not asked:
        count = len(skipped | asked)
        return NOT_ASKED, [f"not known: {len(skipped)} of {count} packages could not be asked for (no network?)"]
    return CLEAN, [f"{len(asked)} packages, no known vulnerability"]


def answer(lock: Path) -> list[dict[str, Any]]:
    """What the service says of every package of one lock; one without a name if it says nothing."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    options = ["--format", "json", "--timeout", str(TIMEOUT_S), "--requirement", str(lock)]
    try:
        ran = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=LIMIT_S)
        return list(json.loads(ran.stdout)["dependencies"])
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return [{"name": f"all of {lock.name}", "skip_reason": "no answer"}]


def main() -> int:
    """Ask for every lock; one line for each finding."""
    code, lines = judged(one for lock in LOCKS for one in answer(lock))
    sys.stdout.writelines(f"make audit: {line}\n" for line in lines)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
