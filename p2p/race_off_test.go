//go:build !race

package p2p

// raceEnabled turns allocation budgets off: the race detector makes sync.Pool drop things on purpose.
const raceEnabled = false
