# Verbs of the workshop. `make help` lists them.
GO ?= go
SEEDS ?= 1..100
FUZZTIME ?= 10s
ROUNDS ?= 200
SEED ?= 0

.PHONY: help build test lint gen fuzz sim keepers crash chaos groups twins interop bench
