"""Buttons, lamp, buzzer and the shutter line: one protocol, one file per back end."""
