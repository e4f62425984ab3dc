"""Is this board fit to work? One pure function a check, on what a probe of the system answers."""
