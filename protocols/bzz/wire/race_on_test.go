//go:build race

package wire

// raceDetector tells that pools drop what they hold at random, so that allocations cannot be counted.
const raceDetector = true
