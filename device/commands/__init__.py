"""One module a command; each adds its own sub-parser and is loaded only when asked for."""
