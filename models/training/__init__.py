"""Training of the focus model: defocus synthesis, network, training and export. Needs the extra `train`."""
