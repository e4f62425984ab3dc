"""A new release, or the old one: never neither.

`release` what a release says of itself · `archive` the strict reader of its file · `bundle` verifying, unpacking,
packing · `site` where releases lie · `disk` durable steps · `host` commands and time · `build` installing beside, and
the self-test · `switch` the trial, and the way back.
"""
