"""stub"""

from pathlib import Path

from models.study.experiments import Scale


def write_page(results: Path, out: Path, scale: Scale) -> None:
    """stub"""
