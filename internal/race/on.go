//go:build race

// Package race tells whether the race detector watches. It takes memory of its own, slows everything down, and has pools
// lose what they are given, so that budgets of allocations and memory mean nothing to tests.
package race

// Enabled is true if the race detector watches.
const Enabled = true
