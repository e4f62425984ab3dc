"""Reduce the one picture in a folder to the width of a page: `reduce.py FOLDER TARGET`."""

import sys
from pathlib import Path

from PIL import Image

PAGE_PX = 1200

(source,) = (path for path in Path(sys.argv[1]).rglob("*") if path.is_file())
with Image.open(source) as picture:
    page = picture.convert("RGB")
    page.thumbnail((PAGE_PX, PAGE_PX))
    page.save(sys.argv[2], quality=88)
