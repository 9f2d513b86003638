//go:build race

package buffer

// raceEnabled tells that the race detector watches.
const raceEnabled = true
