# What a function ships, whatever else lies in its service's folder: modules and settings of the service's package, compiled.
# `sam build` calls this by the service's Makefile, in a copy of that folder, and sets ARTIFACTS_DIR.
include $(dir $(lastword $(MAKEFILE_LIST)))python.mk

SERVICE := $(notdir $(patsubst %/,%,$(dir $(abspath $(firstword $(MAKEFILE_LIST))))))

build-%:
	find $(SERVICE) -type f ! -name '.*' \( -name '*.py' -o -name '*.toml' \) | tar cf - -T - | tar xf - -C "$(ARTIFACTS_DIR)"
	$(call compile,$(ARTIFACTS_DIR)/$(SERVICE),/var/task/$(SERVICE))
