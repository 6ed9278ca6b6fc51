# What a function ships, whatever else lies in its service's folder: the service's package, compiled. `sam build` calls this by
# the service's Makefile, in a copy of that folder, and sets ARTIFACTS_DIR.
include $(dir $(lastword $(MAKEFILE_LIST)))python.mk

SERVICE := $(notdir $(patsubst %/,%,$(dir $(abspath $(firstword $(MAKEFILE_LIST))))))

build-%:
	cp -R $(SERVICE) "$(ARTIFACTS_DIR)/$(SERVICE)"
	find "$(ARTIFACTS_DIR)" -name __pycache__ -prune -exec rm -rf {} +
	$(call compile,$(ARTIFACTS_DIR)/$(SERVICE),/var/task/$(SERVICE))
