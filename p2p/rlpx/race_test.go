//go:build race

package rlpx

// raceEnabled tells that the race detector watches: it allocates on its own account, and has pools lose what they are given.
const raceEnabled = true
