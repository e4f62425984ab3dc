# Installing on a board: see docs/board.md.
.PHONY: install uninstall

install: ## install on this board (as root): packages, venv, users, units, start; INSTALL_ARGS='--no-start' …
	systemd/install.sh $(INSTALL_ARGS)

uninstall: ## remove what install put on this board; captures and configuration stay
	systemd/uninstall.sh $(INSTALL_ARGS)
