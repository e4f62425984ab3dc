"""The closed-loop world: tissue, hand, lens and sensor. The lens really moves, so blur, light and noise really change."""
