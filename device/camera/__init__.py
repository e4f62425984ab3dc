"""Cameras: one protocol, one file per back end."""
