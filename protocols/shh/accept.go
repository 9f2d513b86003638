package shh

import (
	"time"
)

// Fault is what was wrong with an envelope that was not taken. The zero value is none.
type Fault uint8

// The faults, in the order of the checks. go-ethereum disconnects whoever sends it an envelope with one of them, but for
// [FaultExpired] and [FaultPoolFull].
const (
	NoFault       Fault = iota
	FaultFuture         // dated more than 10 s ahead of our clock
	FaultOld            // expired more than 20 s ago
	FaultExpired        // expired
	FaultSize           // larger than the largest message
	FaultWork           // too little proof of work by any rule that we accept
	FaultTopic          // of a topic that our bloom filter does not let pass
	FaultPoolFull       // the pool is full of envelopes with more proof of work
	faults
)

var faultTexts = [faults]string{
	"", "dated in the future", "expired long ago", "expired", "too large", "too little proof of work", "of a topic that was not asked for",
	"the pool is full of envelopes with more proof of work",
}

// String says what is wrong.
func (f Fault) String() string { return faultTexts[f] }

// EnvelopeError is the error of an envelope that was not taken.
type EnvelopeError struct{ Fault Fault }

// Error returns what is wrong with the envelope.
func (e *EnvelopeError) Error() string { return "envelope: " + e.Fault.String() }

// Allowances for clocks that differ and for settings that peers have not heard of yet.
const (
	syncAllowance = 10 * time.Second
	oldAfter      = 2 * syncAllowance
)

// terms are what an envelope has to meet.
type terms struct {
	maxSize int
	minWork float64
	rules   Rules // by any of which minWork counts
	bloom   Bloom
}

// check returns what is wrong with the envelope at that time, and the proof of work it carries.
func (t *terms) check(e *Envelope, now time.Time) (Work, Fault) {
	seconds := now.Unix()
	sent, expiry := int64(e.Sent()), int64(e.Expiry)
	switch { // an envelope whose sent time wraps may have expired and yet be dated in the future
	case sent > seconds+int64(syncAllowance/time.Second):
		return Work{}, FaultFuture
	case expiry+int64(oldAfter/time.Second) < seconds:
		return Work{}, FaultOld
	case expiry < seconds:
		return Work{}, FaultExpired
	}
	if headerLength+len(e.Data) > t.maxSize {
		return Work{}, FaultSize
	}
	ahead := uint64(0)
	if sent > seconds {
		ahead = uint64(sent-seconds) + 1
	}
	work := e.workAt(ahead)
	if work.Reaching(t.minWork)&t.rules == 0 {
		return work, FaultWork
	}
	if !t.bloom.Passes(e.Topic) {
		return work, FaultTopic
	}
	return work, NoFault
}
