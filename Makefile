# Verbs of the workshop. `make help` lists them.
GO ?= go
SEEDS ?= 1..100
FUZZTIME ?= 10s
ROUNDS ?= 200
SEED ?= 0

.PHONY: help build test lint gen fuzz sim keepers members crash chaos groups twins interop bench

help: ## list the verbs
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

build: ## one static binary, bin/gregor
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/gregor ./cmd/gregor

test: ## all tests that need nothing but Go
	$(GO) test ./...

lint: ## formatting, go vet, go fix, staticcheck and the other pinned checkers
	./tools/lint

gen: ## regenerate code and documents (fetches Kafka's jars with Maven)
	$(GO) generate ./...

fuzz: ## each fuzz test for FUZZTIME
	./tools/fuzz $(FUZZTIME)

sim: ## whole clusters in virtual time, a process per seed of SEEDS=first..last
	$(GO) test -count=1 -timeout 0 -v ./test/sim -run TestSim -seeds $(SEEDS)

keepers: ## ensembles of keepers in virtual time, a process per seed of SEEDS=first..last
	$(GO) test -count=1 -timeout 0 -v ./test/keepers -run TestKeepers -seeds $(SEEDS)

members: ## three real keepers, killed and stopped ROUNDS times
	$(GO) test -count=1 -timeout 0 -v ./test/keepers -run TestProcesses -rounds $(ROUNDS)

crash: ## kill -9 and power cuts, ROUNDS of each (SEED for one story alone)
	$(GO) test -count=1 -timeout 60m ./test/crash -rounds $(ROUNDS) -seed $(SEED)

chaos: ## real brokers under kill -9, partitions, broken disks: ROUNDS of them (SEED for one story alone; Linux, root)
	$(GO) test -count=1 -timeout 0 -v ./test/chaos -rounds $(ROUNDS) -seed $(SEED)

groups: ## consumers of Kafka 0.8.2.2 and of gregor in one group, killed and paused: ROUNDS of it (SEED for one story alone; needs Java, Maven)
	$(GO) test -count=1 -timeout 0 -v -tags interop ./interop/consumers -run TestRounds -rounds $(ROUNDS) -seed $(SEED)

twins: ## the same random requests to Apache ZooKeeper and the keeper, SEEDS=first..last of them (needs Java, Maven)
	$(GO) test -count=1 -timeout 0 -v -tags interop ./interop/keeper -run TestRandom -seeds $(SEEDS)

interop: ## tests against Apache Kafka, ZooKeeper and their clients (needs Java, Maven and Python)
	$(GO) test -count=1 -timeout 60m -tags interop ./interop/...

bench: build ## gregor and Apache Kafka side by side
	$(GO) run ./bench/cmd/compare -gregor bin/gregor
