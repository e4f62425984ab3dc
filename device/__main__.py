"""`python -m device` is the same as `focusgate`."""

import sys

from device.cli import main

sys.exit(main())
