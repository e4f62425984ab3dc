"""The closed-loop world of tissue, hand, lens and sensor: moving the iris really changes blur, light and noise."""
