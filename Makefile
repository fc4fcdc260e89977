# The same here and in CI. `make` lists the targets.

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/customer-offboarding-operator/tools
MODEL_TROUBLES ?= 3
SEEDS ?= 1000000
LEADERS_ROUNDS ?= 20
BUDGET_REQUESTS ?= 3000
WAITING_REQUESTS ?= 10000
MINUTES ?= 5
DENY_VERSION := 0.20.2
FUZZ_VERSION := 0.13.2

# One selection of packages for every build: another one has other features, and compiles everything again.
BUILD := $(CARGO) build --locked --workspace
TEST := $(CARGO) test --locked --workspace

.PHONY: help demo demo-keep test check unit cluster crds manifests accept control-plane model sim leaders budget campaign campaign-soak soak mutants fuzz coverage clean programs needs test-needs image image-test upgrade idle

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: programs ## Offboard nine requests on a real API server, see the story, and check how it ended (2 minutes).
	@$(TARGET_DIR)/debug/examples/demo

demo-keep: programs ## The same, and leave everything running to try things on, until Ctrl-C.
	@$(TARGET_DIR)/debug/examples/demo --keep

test: test-needs check ## Everything that CI runs.
	$(BUILD) --bins --examples --tests
	tests/control-plane/build.sh etcd kube-apiserver kube-controller-manager kubectl helm >/dev/null
	tests/gitops/judge/build.sh >/dev/null
	@# What is tried on a control plane waits more than it works: more at once than there are cores.
	RUST_TEST_THREADS=4 $(TEST)
	$(TEST) --features failpoints --test shipped --test campaign -- --test-threads 3

check: needs ## Format, lints, dependencies, documentation.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --workspace --all-targets --features failpoints -- -D warnings
	@PATH="$(TOOLS)/bin:$$PATH"; command -v cargo-deny >/dev/null || { \
	  echo "cargo-deny is missing: $(CARGO) install --locked cargo-deny --version $(DENY_VERSION) --root $(TOOLS)"; exit 1; }
	PATH="$(TOOLS)/bin:$$PATH" $(CARGO) deny --locked check bans licenses sources
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

unit: needs ## The tests beside the code and the model, in seconds.
	$(TEST) --lib --test model --test architecture

cluster: programs ## The operator's binary against a real API server, with the provider's ledger as the judge.
	$(TEST) --test cluster

crds: needs ## Write crds/ from the Rust types, and the chart's copies of them.
	ACCEPT=1 $(TEST) --test crds
	charts/sync.sh
	@git --no-pager diff --stat -- crds

manifests: programs ## Write what is made of the chart: its copies of crds/ and deploy/, its README, deploy/plain/.
	charts/sync.sh
	ACCEPT=1 $(TEST) --test chart -- sources:: plain:: readme::
	@git --no-pager diff --stat -- charts crds deploy

accept: programs ## Write the golden files anew; read the diff line by line before it is committed.
	ACCEPT=1 $(TEST)
	@git --no-pager diff --stat

control-plane: needs ## Build etcd, kube-apiserver, kube-controller-manager and kubectl, once, into the cache.
	@tests/control-plane/build.sh

model: needs ## The model with MODEL_TROUBLES troubles in any order (3 unless given): minutes.
	MODEL_TROUBLES=$(MODEL_TROUBLES) $(TEST) --test model

sim: needs ## SEEDS histories drawn from seeds (1,000,000 unless given), one after the other from SIM_FIRST: hours.
	SIM_SEEDS=$(SEEDS) $(TEST) --profile sim --test sim -- no_history --nocapture

leaders: programs ## Hand over 20 times each after SIGTERM, SIGKILL, 60 s of SIGSTOP and 60 s cut off from the API server, with the shipped timing, and print the times (40 minutes).
	LEADERS_ROUNDS=$(LEADERS_ROUNDS) $(TEST) --test cluster -- leaders:: --nocapture --test-threads 4

budget: programs ## 3,000 requests by mistake against a budget of 100 a day, and 10,000 that wait for one approval; prints the figures (an hour).
	BUDGET_REQUESTS=$(BUDGET_REQUESTS) WAITING_REQUESTS=$(WAITING_REQUESTS) $(TEST) --test cluster -- \
	  a_generated_folder of_many_requests --nocapture --test-threads 1

campaign: campaign-kill campaign-panics campaign-outages campaign-upheavals campaign-api-faults campaign-stale campaign-provider-faults campaign-operations campaign-report ## Everything of the campaigns but the soak: hours, in parts that go on where they stopped.

# Runs that are on record for the files as they are (tests/campaign/tree.rs) are not done again; after CAMPAIGN_MINUTES no further
# one is begun.
CAMPAIGN := $(TEST) --features failpoints --test campaign -- --nocapture
RUNS_kill := 220
RUNS_panics := 38
RUNS_outages := 80
RUNS_api-faults := 1000
RUNS_upheavals := 50
RUNS_stale := 20
RUNS_provider-faults := 1176
RUNS_operations := 532

campaign-report: programs ## What was run of all parts on the files as they are: target/campaign/report.md and report.json.
	$(CAMPAIGN) --ignored a_report_tells

campaign-%: programs ## One part: kill, panics, outages, upheavals, api-faults, stale, provider-faults, operations (an hour at most each).
	CAMPAIGN_RUNS=$(RUNS_$*) $(CAMPAIGN) $(subst -,_,$*)::

campaign-soak: soak

soak: programs ## 2,000 offboardings in an hour with faults on, one operator: memory, files, threads and traffic stay flat.
	SOAK_MINUTES=$${SOAK_MINUTES:-60} CAMPAIGN_MINUTES=90 CAMPAIGN_RUNS=1 $(CAMPAIGN) soak::

fuzz: needs ## Fuzz every parser for MINUTES (5 unless given) each, with cargo-fuzz; what it finds belongs into fuzz/corpus.
	@PATH="$(TOOLS)/bin:$$PATH"; command -v cargo-fuzz >/dev/null || { \
	  echo "cargo-fuzz is missing: $(CARGO) install --locked cargo-fuzz --version $(FUZZ_VERSION) --root $(TOOLS)"; exit 1; }
	PATH="$(TOOLS)/bin:$$PATH"; for target in fuzz/fuzz_targets/*.rs; do \
	  RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run "$$(basename "$$target" .rs)" -- \
	    -max_total_time=$$(($(MINUTES) * 60)) -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 || exit 1; done

coverage: programs ## Which lines of domain, controller and providers the tests run (OF=--lib for those beside the code only).
	CARGO="$(CARGO)" tests/coverage.sh $(or $(OF),--workspace)

mutants: programs ## Take one rule after the other away from the code, and see who misses it (MUTANTS=M05,M06 for some; an hour).
	$(TEST) --test mutants -- --ignored --nocapture

image: needs ## Build the image without an engine, with buildah; prints its digest (minutes; docs/image.md).
	image/build.sh $(TARGET_DIR)/image

image-test: image programs ## Build it a second time elsewhere, and run what is in it as 65532 with nothing around it; as root, of a commit.
	$(TEST) --test image -- --include-ignored --nocapture --test-threads 1

upgrade: programs ## The operator of the last release is stopped in each phase and this one goes on, and back (ACCEPT=1: its objects, too).
	operator=$$(tests/released/build.sh) && RELEASED_OPERATOR=$$operator $(TEST) --test upgrade -- --include-ignored --nocapture --test-threads 2

idle: image programs ## What a leader costs that has nothing to do, with 0 and with 10,000 finished requests (IDLE_MINUTES=5, IDLE_REQUESTS).
	IDLE_OPERATOR=$(abspath $(TARGET_DIR))/image/rootfs/customer-offboarding-operator $(TEST) --test idle -- --ignored --nocapture

clean: ## Remove what was built here; the control plane in the cache stays.
	$(CARGO) clean

programs: needs
	$(BUILD) --bins --examples
	@tests/control-plane/build.sh >/dev/null

needs:
	@tests/needs.sh

test-needs:
	@tests/needs.sh tests
