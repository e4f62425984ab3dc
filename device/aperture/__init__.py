"""The aperture actuator: one protocol, one file per driver."""
