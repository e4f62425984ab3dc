"""A walk through lamp, tones, buttons, aperture and shutter line, with a person who looks and presses."""
