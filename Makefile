# The two commands of the README. Each sets up everything it needs in .venv.
PYTHON ?= python3

.PHONY: demo test install

demo: install
	.venv/bin/python -m examples.demo $(DEMO_ARGS)

test: install
	scripts/test $(TEST_ARGS)

install:
	PYTHON=$(PYTHON) scripts/install
