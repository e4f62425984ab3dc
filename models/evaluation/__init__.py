"""How well a model judges pictures whose focus is known, against classical measures on the same squares."""
