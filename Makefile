# make quickstart shows what Plimsoll is; make test shows that it works. Both install what they miss (Debian, as root).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

# The same flags for everything: packages that are built with other flags share nothing in the build cache.
export GOFLAGS := -trimpath
GO ?= go

GOLANGCI_VERSION := 2.15.0
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

RUN_PACKAGES := haproxy nftables iproute2 dnsmasq-base
TEST_PACKAGES := $(RUN_PACKAGES) isc-dhcp-client curl gcc libc6-dev postgresql mariadb-server python3-openstackclient python3-octaviaclient python3-barbicanclient python3-openstacksdk python3-neutronclient

# apt installs those of its arguments that are not there.
define apt
	@missing=(); \
	for p in $(1); do [ "$$(dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null || true)" = installed ] || missing+=($$p); done; \
	if [ $${#missing[@]} -gt 0 ]; then \
		echo "installing $${missing[*]}"; \
		command -v apt-get >/dev/null || { echo "this machine has no apt-get: install $${missing[*]} yourself"; exit 1; }; \
		[ "$$(id -u)" = 0 ] || { echo "only root can install $${missing[*]}"; exit 1; }; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get update -q && apt-get install -q -y --no-install-recommends $${missing[*]}; \
	fi
endef

.PHONY: build quickstart test lint bench bench-many bench-networks bench-code bench-size bench-deps deps test-deps clean generate fuzz

build: ## bin/plimsoll
	CGO_ENABLED=0 $(GO) build -tags grpcnotrace -ldflags '-s -w -X main.version=$(VERSION)' -o bin/plimsoll ./cmd/plimsoll

quickstart: deps build ## a load balancer that serves, on this machine
	./bin/plimsoll demo

deps: ## what plimsoll runs with
	$(call apt,$(RUN_PACKAGES))

test-deps: ## what the tests need besides
	$(call apt,$(TEST_PACKAGES))

# Files with tests of the build that can fail on purpose. The other tests of their packages have run already.
FAILPOINT_FILES = $$(grep -rl --include='*_test.go' '^//go:build failpoints' . || true)

# The detector of races watches all of Plimsoll and nearly all of what it uses. Left out is what only computes, and what was C once: SQLite,
# and the cipher in passwords, which took most of the time of all tests. Locks tell the detector of themselves there, too.
UNWATCHED := modernc.org/sqlite/lib modernc.org/libc/... modernc.org/memory golang.org/x/crypto/blowfish
RACE := -race $(foreach p,$(UNWATCHED),'-gcflags=$(p)=-race=false -d=checkptr=0')

# What takes the longest begins first, so that no core is idle in the end. The first waits for most of its time: those beside it compute.
LONGEST := ./test/e2e ./internal/store ./internal/engine ./test/crash ./internal/api/octavia ./test/transcript ./cmd/plimsoll

test: test-deps ## every test; a skipped one is a failed one
	@mkdir -p bin
	@CGO_ENABLED=0 $(GO) build -o bin/ ./test/summary ./internal/store/storetest/servers
	@CGO_ENABLED=0 $(GO) build -tags failpoints,grpcnotrace -o bin/test/plimsoll ./cmd/plimsoll
	@{ \
		PLIMSOLL_BINARY=$(CURDIR)/bin/test/plimsoll bin/servers -- $(GO) test -json $(RACE) -count 1 -p 2 -timeout 15m $(LONGEST) ./... || true; \
		files="$(FAILPOINT_FILES)"; \
		[ -z "$$files" ] || bin/servers -- $(GO) test -json $(RACE) -count 1 -p 1 -timeout 15m -tags failpoints \
			-run "^($$(grep -hoE '^func Test\w+' $$files | cut -c6- | paste -sd '|'))$$" $$(dirname $$files | sort -u) || true; \
	} | bin/summary

lint: bin/tools/golangci-lint ## the linter, and vet for the build that can fail on purpose
	bin/tools/golangci-lint run ./...
	$(GO) vet -tags failpoints ./...

# Built from source, once; one of the right version that the machine already has is taken instead.
bin/tools/golangci-lint: Makefile
	@mkdir -p bin/tools; \
	found=$$(command -v golangci-lint || echo "$$($(GO) env GOPATH)/bin/golangci-lint"); \
	if [ "$$("$$found" version --short 2>/dev/null)" = $(GOLANGCI_VERSION) ]; then ln -sf "$$found" $@; \
	else GOBIN=$(CURDIR)/bin/tools $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_VERSION); fi; \
	touch -h $@

bench: bench-deps ## what a user gets, of the real program; docs/performance.md says what the figures mean
	PLIMSOLL_CHANGES=1000 $(GO) test -count 1 -run '^TestChurn$$' -v ./test/e2e
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./test/bench
	$(GO) test -count 1 -run '^TestRequests$$' -bench . -benchtime 1x -v ./test/avi

bench-many: bench-deps ## a thousand load balancers on this host
	PLIMSOLL_BENCH_LOADBALANCERS=1000 $(GO) test -run '^$$' -bench Many -benchtime 1x -timeout 40m ./test/bench

bench-networks: bench-deps ## five hundred networks with a router each on this host
	PLIMSOLL_BENCH_NETWORKS=500 $(GO) test -run '^$$' -bench Networks -benchtime 1x -timeout 30m ./test/bench

bench-code: test-deps ## what parts of the code cost
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m $$($(GO) list ./... | grep -Ev '/test/(avi|bench)$$')

bench-size: test-deps ## the API's handlers among a hundred thousand load balancers, on each database
	$(GO) test -run '^$$' -bench Size -benchmem -timeout 30m ./internal/api/octavia

bench-deps:
	$(call apt,$(RUN_PACKAGES) wrk)

FUZZTIME ?= 30s
fuzz: ## every fuzz test for FUZZTIME each
	@for package in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

generate: ## the only generated code; needs protoc, protoc-gen-go and protoc-gen-go-grpc
	protoc -I internal/engine/enginepb --go_out=. --go_opt=module=plimsoll --go-grpc_out=. --go-grpc_opt=module=plimsoll engine.proto

clean:
	rm -rf bin
