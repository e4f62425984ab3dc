"""Image in, numbers out: focus maps, the classifier, and what trains it. Knows nothing of a board."""

import os

# ONNX Runtime's own builds (from 1.29 on Linux) report their use to their maker, and keep an identifier of the machine,
# unless this is set before they are imported: here, since nothing below comes earlier.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
