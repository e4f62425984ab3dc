"""Charts as shapes in millimetres: the printed page, the simulated target and the tests draw the same ones."""
