package link

import "github.com/sennit-net/sennit/internal/lanes"

// flow is the receiving half of a lane's credit (docs/spec/lanes.md, "Credit"): what the remote may send, and what has
// become of it. All counts start with the link and are in units of cost.
//
// What has been granted and not been read yet, the exposure, is memory that the remote can take. The first InitialLimit
// of it are there from the start of the link, whatever others do; what is beyond is charged to the ledger before it is
// granted. Within a window the charge is twice the exposure, as buffers come in sizes and small messages have their
// bookkeeping; beyond it, where there is but one large message, it is the exposure.
type flow struct {
	granted  uint64 // limit that the remote has been told
	received uint64 // cost of the frames that have come
	taken    uint64 // cost of the messages that have been read or thrown away
	window   uint64 // how much may be granted beyond what is taken
	missing  uint64 // what has to come to complete the message that is arriving
	asOf     uint64 // received at the last tick
	readAsOf uint64 // taken when the window was last measured
	charged  int64  // to the ledger
	waiting  bool   // a reader waits for the ledger, and for room to be signalled
}

// raiseShare is which share of a window a raise of the limit is worth a frame, as a divisor. A remote that has used up its
// limit is then never left with less than three quarters of the window for a round trip.
const raiseShare = 4

func newFlow() *flow { return &flow{granted: lanes.InitialLimit, window: lanes.InitialLimit} }

// charge returns what the ledger is to be charged for a limit, in bytes.
func (f *flow) charge(limit uint64) int64 {
	exposure := limit - f.taken
	within := min(exposure, f.window)
	return 2*int64(max(within, lanes.InitialLimit)-lanes.InitialLimit) + int64(exposure-within)
}

// grantLocked raises the limit if that is due and there is memory for it. With starving, somebody waits for a message,
// and the one that is arriving is let in whole however small the window is. It returns the new limit, or 0 if it stays;
// refused says that it would have been raised for a message that is waited for, but for the ledger.
func (in *inbox) grantLocked(starving bool) (limit uint64, refused bool) {
	f := in.flow
	if in.err != nil {
		return 0, false
	}
	target := f.taken + f.window
	urgent := starving && f.missing > 0 && f.received+f.missing > f.granted
	if urgent {
		target = max(target, f.received+f.missing)
	}
	if target < f.granted+f.window/raiseShare && !urgent {
		return 0, false
	}
	ok := in.chargeLocked(f.charge(target))
	if !ok && urgent {
		// Nothing but that message is in the window, and it needs its memory once.
		f.window = lanes.InitialLimit
		target = max(f.taken+f.window, f.received+f.missing)
		ok = in.chargeLocked(f.charge(target))
	}
	if !ok {
		// What is charged already is there to be used.
		target = f.taken + lanes.InitialLimit + uint64(f.charged/2)
		if urgent && target < f.received+f.missing {
			return 0, true
		}
		if target < f.granted+lanes.InitialLimit/raiseShare && !urgent {
			return 0, false
		}
	}
	f.granted = target
	return target, false
}

// chargeLocked has the ledger charged for the lane in all what it says, or returns false.
func (in *inbox) chargeLocked(bytes int64) bool {
	f := in.flow
	if bytes > f.charged && !in.ledger.charge(bytes-f.charged) {
		return false
	}
	in.ledger.release(f.charged - bytes)
	f.charged = bytes
	return true
}

// measured takes note of how much has come in two round trips, and doubles the window if that is half of it or more: then
// it is the window that bounds the rate, unless it is a protocol that reads nothing. Windows may grow as long as half of
// the ledger is free.
func (in *inbox) measured(came uint64) (window uint64, grown bool) {
	in.mu.Lock()
	f := in.flow
	most := max(uint64(in.limit), lanes.InitialLimit)
	reads := f.taken > f.readAsOf || in.sleepers > 0
	f.readAsOf = f.taken
	if grown = reads && 2*came >= f.window && f.window < most && in.ledger.halfFree(); grown {
		f.window = min(2*f.window, most)
	}
	window = f.window
	limit, _ := in.grantLocked(false)
	in.mu.Unlock()
	if limit > 0 {
		in.tell(limit)
	}
	return window, grown
}

// relaxLocked lets the window of a lane that has been idle since the last call shrink: credit that was given stays, but
// no more is given until it has been used.
func (f *flow) relaxLocked() {
	if f.received == f.asOf {
		f.window = lanes.InitialLimit
	}
	f.asOf = f.received
}

// arrive queues the messages that a record has completed and notes how much of the lane has come, missing what completes
// the message that is arriving. It tells whether a protocol sleeps and has to be woken.
func (in *inbox) arrive(messages []*Message, received, missing uint64) (wake bool) {
	in.mu.Lock()
	f := in.flow
	f.received, f.missing = received, missing
	if in.err != nil {
		in.mu.Unlock()
		for _, m := range messages {
			m.Discard()
		}
		return false
	}
	for _, m := range messages {
		in.count.messages++
		in.count.bytes += uint64(m.Size)
		in.used += int64(m.cost)
		in.queue.push(m)
	}
	var limit uint64
	wake = in.sleepers > 0 && in.queue.len() > 0
	if in.sleepers > 0 && in.queue.len() == 0 {
		// If the ledger refuses, the one who sleeps has to wait for it.
		limit, wake = in.grantLocked(true)
	}
	if f.waiting {
		in.signalSpace()
	}
	in.mu.Unlock()
	if limit > 0 {
		in.tell(limit)
	}
	return wake
}

// starveLocked is called by a reader that finds no message, before it sleeps: it lets in the message that is arriving.
// When the ledger does not have the memory, it waits for that instead. It unlocks meanwhile, and returns true if the
// queue is to be looked at again.
func (in *inbox) starveLocked() (again bool) {
	limit, refused := in.grantLocked(true)
	if limit > 0 {
		in.mu.Unlock()
		in.tell(limit)
		in.mu.Lock()
		return true
	}
	if !refused || in.flow.waiting {
		return false
	}
	in.flow.waiting = true
	in.mu.Unlock()
	in.ledger.watch(in.space)
	in.mu.Lock()
	if limit, refused = in.grantLocked(true); refused && in.queue.len() == 0 && in.err == nil {
		in.mu.Unlock()
		<-in.space
		in.mu.Lock()
	}
	in.flow.waiting = false
	in.mu.Unlock()
	in.ledger.unwatch(in.space)
	if limit > 0 {
		in.tell(limit)
	}
	in.mu.Lock()
	return true
}

// granted returns the limit that the remote has been told.
func (in *inbox) granted() uint64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.flow.granted
}

// owed tells whether the ledger is charged for what is missing of a message, and the remote may send it.
func (in *inbox) owed(missing uint64) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.flow.charged > 0 && in.flow.received+missing <= in.flow.granted
}

// takenLocked counts a message that leaves the inbox.
func (in *inbox) takenLocked(m *Message) {
	in.used -= int64(m.cost)
	in.flow.taken += uint64(m.cost)
}

// settleLocked gives back what the lane has been charged when nothing can come any more.
func (in *inbox) settleLocked() {
	if in.flow == nil || in.queue.len() > 0 {
		return
	}
	in.ledger.release(in.flow.charged)
	in.flow.charged = 0
}
