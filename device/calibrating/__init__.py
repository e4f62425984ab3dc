"""Calibrating a device: what takes pictures of the targets, the steps, their working folder, and the profile made."""
