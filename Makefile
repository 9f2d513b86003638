# Targets marked with #? are what `make help` lists.

.DEFAULT_GOAL := help
.PHONY: help demo compare build test race lint fuzz interop bench cross ci

FUZZTIME ?= 10s
STATICCHECK = go tool -modfile=$(CURDIR)/tools/go.mod staticcheck
TARGETS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

help: #? this list
	@sed -n 's/^\([a-z]*\):.*#? \(.*\)/  make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

demo: #? two nodes, one link, four protocols, one of which never reads
	go run ./cmd/sennit demo

compare: #? the demo on Sennit and on go-ethereum's p2p, one after the other
	cd interop && go run ./cmd/demo

build: #? the program, into bin/sennit
	go build -o bin/ ./cmd/sennit

test: #? all tests of the main module; fuzz corpora run as tests
	go test ./...

race: #? the tests of frames, links, peers and protocols under the race detector
	go test -race -short -shuffle=on ./internal/frame/... ./internal/lanes/... ./internal/link/... ./p2p/... ./protocols/... ./admin/...

lint: #? gofmt, go vet, staticcheck, tidy go.mod files
	@test -z "$$(find . -name node_modules -prune -o -name '*.go' -print0 | xargs -0 gofmt -l | tee /dev/stderr)"
	go vet ./...
	$(STATICCHECK) ./...
	cd interop && go vet ./... && $(STATICCHECK) ./...
	go mod tidy -diff
	cd interop && go mod tidy -diff
	cd tools && go mod tidy -diff

fuzz: #? every fuzz target in turn, FUZZTIME=10s each
	@set -e; for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

interop: #? links to implementations that are not ours (npm adds ethereumjs)
	@if command -v npm >/dev/null; then cd interop/ethereumjs && npm ci --no-audit --no-fund; fi
	cd interop && go test ./...

bench: #? measure beside go-ethereum's p2p and go-libp2p and write docs/benchmarks.md
	cd interop && go run ./bench

cross: #? build for linux, darwin and windows on amd64 and arm64 without cgo, here also with cgo
	@set -e; for t in $(TARGETS); do echo "$$t"; CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} go build ./...; done
	CGO_ENABLED=1 go build ./...

ci: #? all that must hold before a change is taken
	.ci/run
