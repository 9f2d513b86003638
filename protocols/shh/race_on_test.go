//go:build race

package shh

// raceEnabled tells that the race detector is on, which takes memory of its own.
const raceEnabled = true
