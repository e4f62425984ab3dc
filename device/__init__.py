"""The appliance: camera, gate, shutter, captures and the commands that drive them."""
