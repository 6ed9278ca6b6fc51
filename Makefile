# Everything a person types. Each target sets up what it needs: Python 3.11 or newer and make are enough.
.DEFAULT_GOAL := help
PYTHON ?= python3
# Who holds the money in `make demo`: sandbox, or stripe (a local stand-in for Stripe, through its official library).
PAYMENTS ?= sandbox
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
ASYNCAPI := scripts/asyncapi/node_modules
JSONATA := scripts/jsonata-js/node_modules
WEB := web/node_modules
SITE := scripts/site/node_modules
# Node and npm are locked packages of PyPI like the rest. What they start looks for `node` on PATH.
WITH_NODE := PATH="$(abspath $(BIN)):$$PATH"
# $(call on,NAME): whether a switch is on, for whoever types SEND=0 and means no.
on = $(filter-out 0 no off false,$($(1)))
# $(call typed,USER): a variable's value if it was typed after make; of some, the shell has one of its own.
typed = $(if $(filter command,$(origin $(1))),$($(1)))
# Which stack in AWS, for the commands that work there too; without any of the three they work on this machine.
ON_AWS = $(if $(PROFILE),--profile $(PROFILE)) $(if $(REGION),--region $(REGION)) $(if $(STACK),--stack $(STACK))
# A process for each core; each takes half a gigabyte.
ABREAST := -n auto --maxprocesses 4 --dist worksteal
# Tests that wait for an emulator leave room for each other. Each lane has a stack and emulators of its own, and takes up to
# two gigabytes: LANES="-n 2 --dist loadfile" where there are less than eight.
LANES := -n 4 --dist loadfile --no-loadscope-reorder
# Tests of contracts that start processes of their own, and fill the time in which lanes wait.
LONG := $(addprefix tests/contract/test_,extending.py template_lint.py house.py)
# Begun first what takes longest, so that no lane works on alone at the end.
IN_DOCKER := tests/sam_local
EMULATED := tests/browser tests/workflow tests/e2e tests/aws $(LONG) tests/emulator
# What the tools that read the code need to find in it.
PATHS := services/shared:services/orders:services/payments:services/promotions:services/notifications:services/observability:services/kitchens:services/estimates:services/support:services/live:examples/choreographed:examples/durable:scripts
# What Lambda's own runtime has, and no package of ours ships.
IN_THE_RUNTIME := boto3 botocore s3transfer jmespath python-dateutil six urllib3
# The caller's AWS settings never reach these targets: what talks to AWS is `sam deploy`, typed by hand.
export SAM_CLI_TELEMETRY := 0
# Set in many an image of Python. Each of the many processes here would then compile anew whatever it imports.
unexport PYTHONDONTWRITEBYTECODE
# What was fetched is kept in the home directory; below .tiffin, where there is none, or nothing can be written to it.
ifneq ($(shell { test -w "$$HOME/.cache" || { test -d "$$HOME" -a -w "$$HOME" && ! test -e "$$HOME/.cache"; }; } && echo kept),kept)
export XDG_CACHE_HOME := $(or $(XDG_CACHE_HOME),$(CURDIR)/.tiffin/caches)
export PIP_CACHE_DIR := $(or $(PIP_CACHE_DIR),$(XDG_CACHE_HOME)/pip)
export npm_config_cache := $(or $(npm_config_cache),$(XDG_CACHE_HOME)/npm)
export __SAM_CLI_APP_DIR := $(or $(__SAM_CLI_APP_DIR),$(XDG_CACHE_HOME)/sam)
endif
KEPT := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tiffin

.PHONY: help demo up down order lesson check-lesson imports token bench bench-tracing bench-laptop cost compare capacity load soak seen watchers model bench-models isolation faults permissions fuzz redrive replay reread trace stats export forget web web-test pictures publish smoke test-stack doctor undeploy sam-local docs test emulated containers packages audit check unit style lint format lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/ready ## set up, deploy to the laptop, tell the story of a few orders, stop
	@$(BIN)/python scripts/demo.py --payments $(PAYMENTS)

up: $(VENV)/ready ## the same, staying up; again, it deploys what changed: WITH="kitchens estimates", CLOCK=540 makes 3 h of 20 s, CROWD=1 lets people order, WITHOUT=promotions deletes it
	@$(BIN)/python scripts/up.py $(if $(WITH),--with $(WITH)) $(if $(WITHOUT),--without $(WITHOUT)) $(if $(CLOCK),--clock $(CLOCK)) \
	  $(if $(CROWD),--crowd $(if $(call on,CROWD),on,off))

order: $(VENV)/ready ## one order on what `make up` runs, told as it happens: END=declined, rejected, cancelled or expired; CUSTOMER=grace
	@$(BIN)/python scripts/order.py $(if $(END),--end $(END)) $(if $(CUSTOMER),--customer $(CUSTOMER))

lesson: $(VENV)/ready ## the lessons of docs/tour; N=2 sets the scene of an exercise on what `make up` runs
	@$(BIN)/python scripts/lesson.py $(if $(N),begin $(N))

check-lesson: $(VENV)/ready ## whether a lesson's exercise is solved, and what is missing: N=2; N=11 ORDER=ord_...
	@$(BIN)/python scripts/lesson.py check $(or $(N),$(error say which: make check-lesson N=2)) $(if $(ORDER),--answer $(ORDER))

web: $(VENV)/ready $(WEB)/.package-lock.json ## build the console into web/dist: types, bundle, budget; `make up` serves it
	@cd web && $(WITH_NODE) npm run --silent build

web-test: $(VENV)/ready $(WEB)/.package-lock.json ## the console's own tests
	@cd web && $(WITH_NODE) npm test --silent

pictures: $(VENV)/ready $(WEB)/.package-lock.json ## pictures of every page into build/pictures, from the tests in a browser; those that docs show are renewed
	rm -rf build/pictures
	TIFFIN_PICTURES=build/pictures $(BIN)/pytest tests/browser/test_console.py
	for picture in docs/pictures/*.png; do cp "build/pictures/$${picture##*/}" "$$picture" || exit 1; done

publish: web ## build the console, and put it where a stack on AWS serves it from: STACK=, REGION=, PROFILE=
	@$(BIN)/python scripts/publish.py $(ON_AWS)

down: $(VENV)/ready ## stop what `make up` started
	@$(BIN)/python scripts/down.py

token: $(VENV)/ready ## an ID token, to send as Authorization: Bearer: USER=ada, or a new name and ROLE=courier; on AWS REGION=, PROFILE=, STACK=
	@$(BIN)/python scripts/sign_in.py $(if $(call typed,USER),--user $(call typed,USER)) $(if $(ROLE),--role $(ROLE)) \
	  $(if $(RESTAURANT),--restaurant $(RESTAURANT)) $(ON_AWS)

bench: $(VENV)/ready ## what a cold start costs, of every function, beside an empty handler: PAGE=docs/benchmarks.md, PROFILE=Orders/ApiFunction
	@$(BIN)/python scripts/bench.py $(if $(PROFILE),--profile $(PROFILE)) $(if $(ONLY),--only $(ONLY)) $(if $(PAGE),--write $(PAGE))

bench-tracing: $(VENV)/ready ## what tracing and metrics cost a warm request
	@$(BIN)/python scripts/bench_tracing.py

bench-laptop: $(VENV)/ready ## how long one waits for the laptop, and what is left of it when it is stopped: PAGE=docs/laptop.md
	@$(BIN)/python scripts/bench_laptop.py $(if $(PAGE),--write $(PAGE))

cost: $(VENV)/ready ## what an order costs on AWS by its end, counted from real ones on the laptop: ORDERS=10, PAGE=docs/cost.md
	@$(BIN)/python scripts/cost.py $(if $(ORDERS),--orders $(ORDERS)) $(if $(PAGE),--write $(PAGE))

compare: $(VENV)/ready ## the same orders and faults by a workflow, by events alone and by a durable function, side by side: ONLY=choreographed, PAGE=docs/compare.md
	@$(BIN)/python scripts/compare.py $(if $(ONLY),--only '$(ONLY)') $(if $(PAGE),--write $(PAGE))

capacity: $(VENV)/ready ## how full AWS's quotas are, and what breaks first: ORDERS_PER_SECOND=300, MIX=delivered=0.9,declined=0.1, PAGE=docs/capacity.md
	@$(BIN)/python scripts/capacity.py $(if $(ORDERS_PER_SECOND),--rate $(ORDERS_PER_SECOND)) $(if $(MIX),--mix "$(MIX)") \
	  $(if $(PAGE),--write $(PAGE))

load: $(VENV)/ready ## orders at a rate by people who sign in, and what must hold of each: RATE=3, DURATION=2m, PAGE=docs/load.md; on AWS STACK=, REGION=, PROFILE=
	@$(BIN)/python scripts/load.py $(if $(RATE),--rate $(RATE)) $(if $(DURATION),--duration $(DURATION)) $(if $(PAGE),--write $(PAGE)) $(ON_AWS)

soak: $(VENV)/ready ## the same for half an hour, and what grows meanwhile: RATE=2, DURATION=30m, PAGE=docs/load.md
	@$(BIN)/python scripts/load.py --soak --rate $(or $(RATE),2) --duration $(or $(DURATION),30m) $(if $(PAGE),--write $(PAGE)) $(ON_AWS)

model: $(VENV)/ready ## train a model for estimates, and write build/estimates.safetensors: SIZE=100MB, SEED=1
	@$(BIN)/python scripts/train_estimates.py $(if $(SIZE),--size $(SIZE)) $(if $(SEED),--seed $(SEED))

bench-models: $(VENV)/ready ## how long a model's file takes to load, by its size: SIZES=10MB,2GB, PAGE=docs/large-files.md
	@$(BIN)/python scripts/bench_models.py $(if $(SIZES),--sizes $(SIZES)) $(if $(PAGE),--write $(PAGE))

seen: $(VENV)/ready $(WEB)/.package-lock.json ## how soon a move is seen in the other windows, in a browser: into docs/live.md
	TIFFIN_BROWSER=must TIFFIN_SEEN=docs/live.md $(BIN)/pytest tests/browser/test_console.py -k in_as_many_windows

watchers: $(VENV)/ready ## how late live news comes, to one listener and to many: WATCHERS=200, ORDERS=20, PAGE=docs/live.md
	@$(BIN)/python scripts/watchers.py $(if $(WATCHERS),--watchers $(WATCHERS)) $(if $(ORDERS),--orders $(ORDERS)) \
	  $(if $(PAGE),--write $(PAGE))

isolation: $(VENV)/ready ## break all that listens, and see that no order notices: ORDERS=200, PAGE=docs/isolation.md
	@$(BIN)/python scripts/isolation.py $(if $(ORDERS),--orders $(ORDERS)) $(if $(PAGE),--write $(PAGE))

faults: $(VENV)/ready ## break everything on purpose, judge what is left: SEED=1, ORDERS=500 adds a chaos run, PAGE=docs/faults.md
	@$(BIN)/python scripts/faults.py $(if $(SEED),--seed $(SEED)) $(if $(ORDERS),--orders $(ORDERS)) $(if $(PAGE),--write $(PAGE))

permissions: $(VENV)/ready ## take each statement of the policies away, see that something fails: ONLY='Orders/*', PAGE=docs/permissions.md
	@$(BIN)/python scripts/permissions.py $(if $(ONLY),--only '$(ONLY)') $(if $(PAGE),--write $(PAGE))

fuzz: $(VENV)/ready ## ask the APIs what their documents allow, and what not, and check each answer: CASES=3000, SEED=1
	@$(BIN)/python scripts/fuzz.py $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED))

redrive: $(VENV)/ready ## dead letters with their reasons: QUEUE=promotions; SEND=1 sends them back
	@$(BIN)/python scripts/redrive.py $(if $(QUEUE),--queue $(QUEUE)) $(if $(MESSAGE),--message $(MESSAGE)) \
	  $(if $(BODY),--body $(BODY)) $(if $(call on,SEND),--send) $(ON_AWS)

replay: $(VENV)/ready ## past events again, to one consumer: CONSUMER=promotions and ORDER=ord_... or SINCE=... UNTIL=...
	@$(BIN)/python scripts/replay.py --consumer $(or $(CONSUMER),promotions) $(if $(ORDER),--order $(ORDER)) \
	  $(if $(SINCE),--since $(SINCE)) $(if $(UNTIL),--until $(UNTIL)) $(ON_AWS)

trace: $(VENV)/ready ## where an order is, and why: make trace ORDER=ord_... [HTML=file]
	@$(BIN)/python scripts/trace.py --order "$(or $(ORDER),$(error say which order: make trace ORDER=ord_...))" \
	  $(if $(HTML),--html "$(HTML)") $(ON_AWS)

smoke: $(VENV)/ready ## whether a deployed stack is well: four orders and a promo code, under two minutes: STACK=, on AWS REGION=, PROFILE=
	@$(BIN)/python scripts/smoke.py $(ON_AWS)

test-stack: $(VENV)/ready ## the scenarios that run anywhere, on a deployed stack for tests: STACK=, on AWS REGION=, PROFILE=; ONLY=cancel
	$(BIN)/pytest tests/aws tests/workflow tests/e2e --stack $(or $(STACK),tiffin) $(if $(PROFILE),--profile $(PROFILE)) \
	  $(if $(REGION),--region $(REGION)) $(if $(ONLY),-k "$(ONLY)")

sam-local: $(VENV)/ready ## functions and APIs in Docker, on the running `make up`: FUNCTION=Orders/ApiFunction, API=Orders, DEBUG=5890
	@$(BIN)/python scripts/sam_local.py $(if $(FUNCTION),--function $(FUNCTION)) $(if $(SAMPLE),--sample $(SAMPLE)) \
	  $(if $(API),--api $(API)) $(if $(PORT),--port $(PORT)) $(if $(DEBUG),--debug $(DEBUG))

stats: $(VENV)/ready ## how long orders take to each status, and events to each consumer; KITCHENS=1: what kitchens did
	@$(BIN)/python scripts/stats.py $(if $(call on,KITCHENS),--kitchens) $(ON_AWS)

export: $(VENV)/ready ## everything that there is about a customer, as JSON: CUSTOMER=ada@tiffin.example; on AWS REGION=, PROFILE=, STACK=
	@$(BIN)/python scripts/export.py --customer "$(or $(CUSTOMER),$(error say whose: make export CUSTOMER=ada@tiffin.example))" \
	  $(ON_AWS)

forget: $(VENV)/ready ## forget a customer, everywhere: CUSTOMER=ada@tiffin.example; on AWS REGION=, PROFILE=, STACK=
	@$(BIN)/python scripts/forget.py --customer "$(or $(CUSTOMER),$(error say whom: make forget CUSTOMER=ada@tiffin.example))" \
	  $(ON_AWS)

doctor: $(VENV)/ready ## what is missing for a deployment to AWS, before anything is deployed: PROFILE=, REGION=, ENVIRONMENT=prod, STACK=
	@$(BIN)/python scripts/doctor.py $(if $(PROFILE),--profile $(PROFILE)) $(if $(REGION),--region $(REGION)) \
	  $(if $(call typed,ENVIRONMENT),--environment $(call typed,ENVIRONMENT)) $(if $(STACK),--stack $(STACK))

undeploy: $(VENV)/ready ## delete a stack and what its deletion leaves behind, once its name is typed: STACK=, PROFILE=, REGION=; DRY=1 only lists
	@$(BIN)/python scripts/undeploy.py --stack "$(or $(STACK),$(error say which: make undeploy STACK=tiffin-dev))" \
	  $(if $(PROFILE),--profile $(PROFILE)) $(if $(REGION),--region $(REGION)) $(if $(call on,DRY),--list)

prune: $(VENV)/ready ## versions of workflows that nothing starts any more: DELETE=1 deletes them; on AWS REGION=, PROFILE=, STACK=
	@$(BIN)/python scripts/prune.py $(if $(call on,DELETE),--delete) $(ON_AWS)

reread: $(VENV)/ready ## the kitchens' stream again, from a moment: SINCE=...; REBUILD=1 counts that time anew
	@$(BIN)/python scripts/reread.py --since "$(or $(SINCE),$(error say from when: make reread SINCE=2026-01-31T12:00))" \
	  $(if $(call on,REBUILD),--rebuild) $(ON_AWS)

docs: $(VENV)/ready $(SITE)/.package-lock.json ## the documentation as a site, into build/docs; no dead link, no stale page: SERVE=1 serves it, at 8000 or SERVE=another
	for made in workflows events access reference; do $(BIN)/python scripts/render_$$made.py --check || exit 1; done
	rm -rf build/docs
	$(BIN)/sphinx-build -q -E -W --keep-going -c scripts/site -d build/docs-read . build/docs
	@echo "The site is in build/docs: open build/docs/index.html, or serve it by make docs SERVE=1"
	$(if $(call on,SERVE),$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/docs $(or $(filter-out 1 yes true on,$(SERVE)),8000))

test: $(VENV)/ready $(JSONATA)/.package-lock.json $(SITE)/.package-lock.json ## all tests: without an emulator; with one, and those in Docker, if there is one
	$(BIN)/pytest $(ABREAST) $(addprefix --ignore=,$(LONG)) tests/unit tests/contract
	$(BIN)/pytest $(LANES) -rs $(IN_DOCKER) $(EMULATED)

emulated: $(VENV)/ready $(JSONATA)/.package-lock.json $(SITE)/.package-lock.json ## the tests that need no Docker
	$(BIN)/pytest $(ABREAST) $(addprefix --ignore=,$(LONG)) tests/unit tests/contract
	$(BIN)/pytest $(LANES) $(EMULATED)

containers: $(VENV)/ready ## the tests in Docker; skipped, with the reason, without it
	$(BIN)/pytest -rs $(IN_DOCKER)

packages: $(VENV)/ready ## build what would be deployed, and see that Lambda would take it: processor, bytecode, size
	@$(BIN)/python scripts/packages.py

audit: $(VENV)/ready ## known vulnerabilities of all that is locked: what is deployed, the tools, Node's; asks PyPI and npm
	$(BIN)/pip-audit --disable-pip --require-hashes --strict $(foreach lock,services/shared/requirements services/shared/stripe examples/durable/requirements,-r $(lock).txt)
	$(BIN)/pip-audit --disable-pip --require-hashes --strict -r requirements-dev.txt
	for folder in scripts/asyncapi scripts/jsonata-js scripts/site web; do (cd $$folder && $(WITH_NODE) npm audit --package-lock-only --audit-level=high) || exit 1; done

check: style unit ## before each commit: style, and the tests that need no emulator, without the long generated ones

unit: $(VENV)/ready $(JSONATA)/.package-lock.json ## the tests that need no emulator, without the long generated ones
	$(BIN)/pytest $(ABREAST) -m "not generated" tests/unit tests/contract

imports: $(VENV)/ready ## who may import whom: no service another, no rule AWS
	@PYTHONPATH=$(PATHS) $(BIN)/lint-imports --no-logo

style: $(VENV)/ready imports ## format, lint, types, imports, workflows, templates, contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/lint_statemachines.py
	$(BIN)/python scripts/lint_templates.py
	$(BIN)/python scripts/render_workflows.py --check
	$(BIN)/python scripts/event_contracts.py compare
	$(BIN)/python scripts/render_events.py --check
	$(BIN)/python scripts/render_access.py --check
	$(BIN)/python scripts/render_compare.py --check
	$(BIN)/python scripts/render_console.py --check
	$(BIN)/python scripts/render_reference.py --check

lint: style $(ASYNCAPI)/.package-lock.json ## style, templates as written and as deployed, the catalogue of events, GitHub's workflows
	$(BIN)/cfn-lint template.yaml services/*/template.yaml examples/*/template.yaml .github/oidc.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/python scripts/lint_templates.py --schemas
	AWS_DEFAULT_REGION=eu-central-1 sh -ec 'for t in template.yaml services/*/template.yaml examples/*/template.yaml; do $(BIN)/sam validate --lint --template $$t; done'
	@# It reports its use to its makers unless told that it runs in CI, and notes that in the home directory unless told where.
	$(WITH_NODE) CI=true ASYNCAPI_METRICS_CONFIG_PATH=$(ASYNCAPI)/.metrics \
	  $(ASYNCAPI)/.bin/asyncapi validate --fail-severity warn events/asyncapi.yaml

format: $(VENV)/ready ## put the code in the house's shape
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/python scripts/render_workflows.py

lock: $(VENV)/ready ## resolve the dependencies anew and pin them with hashes
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile -q --upgrade --universal --python-version 3.11 \
	  --generate-hashes requirements-dev.in -o requirements-dev.txt
	for layer in requirements stripe; do UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile -q --universal --python-version 3.11 \
	  --generate-hashes $(addprefix --no-emit-package ,$(IN_THE_RUNTIME)) \
	  $$(test $$layer = requirements || sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' services/shared/requirements.txt) \
	  -c requirements-dev.txt services/shared/$$layer.in -o services/shared/$$layer.txt && \
	  $(BIN)/cyclonedx-py requirements --output-reproducible services/shared/$$layer.txt -o services/shared/$$layer.cdx.json || exit 1; done
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes \
	  $(addprefix --no-emit-package ,$(IN_THE_RUNTIME)) -c requirements-dev.txt examples/durable/requirements.in \
	  -o examples/durable/requirements.txt
	for own in scripts/operations/debugger tests/sam_local/image; do UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile -q \
	  --universal --python-version 3.11 --generate-hashes -c requirements-dev.txt $$own.in -o $$own.txt; done

clean: ## forget the environment and everything built
	rm -rf $(VENV) $(ASYNCAPI) $(JSONATA) $(WEB) $(SITE) web/dist .aws-sam .tiffin build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# What PYTHON says is called otherwise, too old, or lacks what Debian and Ubuntu have in a package of its own: one line says so.
AS_IN := as in make $(firstword $(MAKECMDGOALS) demo) PYTHON=python3.13
FIT := import sys; v = sys.version_info; \
  v < (3, 11) and sys.exit("Python 3.11 or newer is needed, and $(PYTHON) is %d.%d.%d: say which, $(AS_IN)" % v[:3])
WHOLE := import ensurepip, venv

# uv is itself one of the locked packages: pip installs just that one, by its hash, and uv the rest. What is kept from before
# comes first, so that a network is not needed then. pip asks for its index even so: it is handed the file.
$(VENV)/ready: requirements-dev.txt
	@command -v $(firstword $(PYTHON)) >/dev/null || { echo "There is no $(PYTHON) here: say which Python, $(AS_IN)" >&2; exit 1; }
	@$(PYTHON) -c '$(FIT)'
	@$(PYTHON) -c '$(WHOLE)' 2>/dev/null || { echo "$(PYTHON) lacks venv or ensurepip: install it whole" \
	  "(on Debian and Ubuntu the package python3-venv), or say which other, $(AS_IN)" >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\]$$/p' requirements-dev.txt > $(VENV)/uv.txt
	@set -e; pip="$(BIN)/python -m pip --quiet --disable-pip-version-check"; \
	  handed() { $$pip install --require-hashes --no-index --find-links "$(KEPT)" -r $(VENV)/uv.txt; }; \
	  handed 2>/dev/null || { $$pip download --require-hashes --dest "$(KEPT)" -r $(VENV)/uv.txt; handed; }
	@sync="$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.txt"; \
	  $$sync --offline 2>/dev/null || $$sync
	@touch $@

# The AsyncAPI CLI and the reference JSONata are Node packages, each by its own lock.
%/node_modules/.package-lock.json: %/package-lock.json | $(VENV)/ready
	@$(WITH_NODE) npm ci --loglevel error --prefer-offline --no-audit --no-fund --no-update-notifier --prefix $* >/dev/null
	@touch $@
