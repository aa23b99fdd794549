# make test   checks style and types, then runs the test suite
# make demo   runs the three commands on real input: weights, news articles, a table of results at the end
# make lint   checks the style and the types alone
# make campaign   attacks the commands: kills, full disks, damaged files; CAMPAIGN_MINUTES=30, CAMPAIGN_SEED=drawn
#
# All four share one virtual environment, .venv; the first to run makes it. Another Python: make test PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/ready

CAMPAIGN_MINUTES ?= 30

.PHONY: test demo lint campaign

test: lint
	@echo "Running the tests"
	@$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	@echo "Checking the style"
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --check --quiet . || { echo "error: 'ruff format' would change the files above" >&2; exit 1; }
	@echo "Checking the types"
	@$(VENV)/bin/mypy --no-error-summary

demo: $(READY)
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" examples/demo/run.sh

campaign: $(READY)
	@$(VENV)/bin/python -m tests.campaign --minutes=$(CAMPAIGN_MINUTES) $(if $(CAMPAIGN_SEED),--seed=$(CAMPAIGN_SEED))

# A file that is touched last says that everything was installed, so the next call starts at once.
$(READY): $(wildcard requirements*.txt)
	@version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])') || version="not there"; \
	case "$$version" in 3.10|3.11|3.12|3.13) ;; *) \
		echo "error: $(PYTHON) is $$version, expected Python 3.10 to 3.13; name another with PYTHON=..." >&2; exit 1;; esac; \
	if [ ! -x $(VENV)/bin/pip ]; then \
		echo "Making $(VENV) with Python $$version"; \
		$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
	fi
	@echo "Installing requirements-dev.txt into $(VENV) (TensorFlow and more: 2.3 GB, once, a few minutes)"
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@touch $@
