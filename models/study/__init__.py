"""The experiments of the report on automated focus detection, reproducible; needs the extra `train`."""
