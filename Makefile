# make run    start the deck            make check   format, lint, types, imports
# make test   every test                make bench   the budgets' table
# Each works alone on a fresh Debian or Ubuntu with git, make and python3.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamp
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

# What tiffin itself wants from the system, what only the tests want, and what only
# the benchmarks and the pictures want.
SYSTEM := nftables iproute2 libseccomp2 python3-venv
TESTING := busybox-static tmux user-mode-linux kmod gcc libc6-dev skopeo umoci mmdebstrap debian-archive-keyring \
  docker-registry openssl
BENCHING := crun runc
SHOOTING := librsvg2-bin fonts-dejavu-core

# Root file systems of real distributions, made once on a machine and not in every clone: tests have no network.
ROOTS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tiffin-tests
SUITE_12 := bookworm
SUITE_13 := trixie

# install-missing LIST: apt-get install what is not installed, and say nothing when all is there
install-missing = missing=$$(for package in $(1); do \
	dpkg-query -W -f '$${Status}\n' $$package 2>/dev/null | grep -q '^install ok installed' || echo $$package; done); \
	if [ -n "$$missing" ]; then \
	  if ! command -v apt-get >/dev/null; then echo "please install: $$missing" >&2; \
	  else $(SUDO) apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi; fi

.PHONY: setup run test check format bench blame screenshots clean system testing benching roots

setup: system $(STAMP)

system:
	@$(call install-missing,$(SYSTEM))

testing: system
	@$(call install-missing,$(TESTING))
	@test -x /usr/sbin/dockerd -o -x /usr/bin/dockerd || $(call install-missing,docker.io)  # or Docker's own package
	@test -x /usr/bin/docker || $(call install-missing,$$(apt-cache show docker-cli >/dev/null 2>&1 && \
	  echo docker-cli || echo docker.io))  # the client only, where it comes alone

benching: testing
	@$(call install-missing,$(BENCHING))

# The essential packages, without their manuals: what a distribution's own tools need to run, in about 100 MB each.
roots: testing
	@$(MAKE) --no-print-directory -j2 $(ROOTS)/debian-12.tar $(ROOTS)/debian-13.tar

$(ROOTS)/debian-%.tar:
	@mkdir -p $(@D)
	@echo "making the root file system of Debian $*, once"
	@mmdebstrap --quiet --variant=essential $(foreach part,doc man info locale,--dpkgopt='path-exclude=/usr/share/$(part)/*') \
	  $(SUITE_$*) $@.$$$$.tar && mv $@.$$$$.tar $@ || { rm -f $@.$$$$.tar; exit 1; }

$(STAMP): pyproject.toml
	@$(MAKE) --no-print-directory system
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

run: setup
	@$(BIN)/tiffin

test: testing roots $(STAMP)
	@tests/run

check: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: benching roots $(STAMP)
	@$(BIN)/python -m benchmarks

blame: $(STAMP)
	@$(BIN)/python -m benchmarks.blame score

screenshots: system $(STAMP)
	@$(call install-missing,$(SHOOTING))
	@$(BIN)/python screenshots/make.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
