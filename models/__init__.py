"""Image in, numbers out: focus maps, the classifier, and what trains it. Knows nothing of a board."""
