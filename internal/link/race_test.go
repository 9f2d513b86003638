//go:build race

package link

// raceEnabled tells that the race detector watches: it allocates on its own account and is slow.
const raceEnabled = true
