# Every target installs what it needs first; see tools/setup. Times of the stages are printed.
PREFIX ?= /usr/local
STAGE = start=$$(date +%s); stage() { echo "== $$1: $$(( $$(date +%s) - start )) s"; start=$$(date +%s); };

.PHONY: measure-engine measure-llama-bench demo test build docs install bench fuzz format lint external measure-scan measure-peers measure-quantize clean

build:
	@tools/setup build
	@cmake --preset release -DSTEELYARD_TESTS=OFF >build/setup/configure.log || { cat build/setup/configure.log; exit 1; }
	@cmake --build build/release --target steelyard

demo:
	@set -e; $(STAGE) tools/setup build venv; stage "set-up"; \
	$(MAKE) --no-print-directory build; stage "build"; \
	tools/setup model llama; stage "model and source of the runtime"; \
	tools/demo; stage "runtime and verdict"

test:
	@set -e; $(STAGE) tools/setup build test venv model llama; stage "set-up"; \
	cmake --preset dev >build/setup/configure.log || { cat build/setup/configure.log; exit 1; }; \
	cmake --build build/dev; stage "build"; \
	ctest --test-dir build/dev --output-on-failure -j 2; stage "tests"; \
	cmake --preset asan >build/setup/configure-asan.log; cmake --build build/asan --target unit_tests; stage "build with sanitizers"; \
	ctest --test-dir build/asan --output-on-failure -R '^unit$$'; stage "tests with sanitizers"

# The reference pages, from the same tables and rules as the program itself.
docs: build
	@build/release/steelyard docs docs

install: build
	cmake --install build/release --prefix $(PREFIX)

bench: measure-scan measure-peers measure-quantize measure-engine measure-llama-bench

measure-scan: build
	@tools/setup venv model
	@build/venv/bin/python bench/measure_scan.py build/release/steelyard

measure-engine: build
	@tools/setup build test venv model llama
	@cmake --preset dev >build/setup/configure.log && cmake --build build/dev --target steelyard engine_client
	@STEELYARD_SOURCE="$$PWD" STEELYARD_BUILD="$$PWD/build/dev" build/venv/bin/python tests/stack/built_stack.py --all >build/setup/stack.log
	@build/venv/bin/python bench/measure_engine.py build/dev

measure-llama-bench: build
	@tools/setup build test venv model llama
	@cmake --preset dev >build/setup/configure.log && cmake --build build/dev --target steelyard
	@STEELYARD_SOURCE="$$PWD" STEELYARD_BUILD="$$PWD/build/dev" build/venv/bin/python tests/stack/built_stack.py >build/setup/stack.log
	@build/venv/bin/python bench/measure_llama_bench.py build/dev

measure-peers: build
	@tools/setup venv peers
	@build/venv/bin/python bench/measure_peers.py build/release/steelyard

# With the stack that the tests build.
measure-quantize: build
	@tools/setup test venv model llama
	@stack="$${XDG_CACHE_HOME:-$$HOME/.cache}/steelyard-test/stack"; \
	build/release/steelyard stack build -q --source build/cache/llama-cpp-python-0.3.36.tar.gz --prefix "$$stack" >/dev/null && \
	STEELYARD_STACK="$$stack" build/venv/bin/python bench/measure_quantize.py build/release/steelyard

fuzz:
	@tools/setup build fuzz venv
	@cmake --preset fuzz && cmake --build build/fuzz && tools/fuzz.sh $${SECONDS_EACH:-60}

external: build
	@tools/setup build test external venv model llama
	@tools/external

format:
	@tools/setup lint
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format-19 -i

# src/engine/worker is compiled inside llama.cpp's build, by stack build; here its headers are enough.
HEADERS = build/llama
lint:
	@tools/setup build test lint venv llama
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format-19 --dry-run --Werror
	@cmake --preset tidy >/dev/null
	@git ls-files 'src/*.cpp' ':!src/engine/worker/*' | xargs -P 2 -n 4 clang-tidy-19 -p build/tidy --quiet
	@rm -rf $(HEADERS) && mkdir -p $(HEADERS)
	@tar xzf build/cache/llama-cpp-python-0.3.36.tar.gz -C $(HEADERS) --strip-components=3 --wildcards '*/vendor/llama.cpp/*.h' '*/vendor/llama.cpp/*.hpp'
	@git ls-files 'src/engine/worker/*.cpp' | xargs -P 2 -I{} clang-tidy-19 --quiet {} -- -std=c++23 -march=x86-64-v3 -Isrc \
	  $(foreach folder,include ggml/include ggml/src common src vendor,-isystem $(HEADERS)/$(folder))

clean:
	rm -rf build
