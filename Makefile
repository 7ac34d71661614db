# Thin aliases: what each target does is in package.json and scripts/.

.PHONY: setup start test conformance fuzz fmt lint clean test-parity bench packages build-gateway build-proxy build-wheel

setup:
	@npm run --silent setup

start:
	@npm start --silent

test:
	@npm test --silent

conformance:
	@npm run --silent conformance

fuzz:
	@npm run --silent fuzz

fmt:
	@npm run --silent fmt

lint:
	@npm run --silent lint

clean:
	rm -rf .cache dist target node_modules tabport.*.node

test-parity:
	@echo "test-parity: the parity harness (native/headroom-parity) does not exist yet." >&2; exit 2

bench:
	@npm run --silent bench

packages:
	@npm run --silent packages

build-gateway:
	@npm run --silent build:gateway

# Cargo strips it: the profile "release" says so.
build-proxy:
	@cargo build --release --locked -p headroom-proxy
	@node -p 'const n = fs.statSync("target/release/headroom-proxy").size; `headroom-proxy: $${n} bytes ($${(n / 2 ** 20).toFixed(1)} MiB)`'

build-wheel:
	@echo "build-wheel: the Python wheel (native/headroom-py) does not exist yet." >&2; exit 2
