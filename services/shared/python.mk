# What the builds of layers and functions share. They follow the template's parameters Runtime and Architecture, and have the
# same defaults.
TIFFIN_RUNTIME ?= python3.13
TIFFIN_ARCHITECTURE ?= arm64
VERSION := $(patsubst python%,%,$(TIFFIN_RUNTIME))

# Bytecode is only good for the minor version that wrote it: no interpreter of that version here, no bytecode.
IS_TARGET := import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(VERSION)")
PYTHON := $(shell for python in python$(VERSION) python3 python; do \
	$$python -c '$(IS_TARGET)' >/dev/null 2>&1 && echo $$python && break; done)
# $(call compile,what,where it will lie). Unchecked: nobody changes the files of a package that was shipped. The order of sets
# in it follows their hashes: with one seed it is the same bytes each time.
compile = $(if $(PYTHON),PYTHONHASHSEED=0 $(PYTHON) -m compileall -q $(3) --invalidation-mode unchecked-hash -s "$(1)" -p $(2) "$(1)",\
	@echo "There is no Python $(VERSION) on PATH: no bytecode here, so that cold starts take longer.")
