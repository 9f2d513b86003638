package shh

import (
	"time"
)

// PostEnvelope relays a sealed envelope, and delivers it to the subscriptions of this node. It has to meet what is asked of
// others; the error is an [*EnvelopeError] if it does not. One that is in the pool already changes nothing.
func (w *Whisper) PostEnvelope(e *Envelope) error {
	if e.raw == nil {
		e.finish()
	}
	isNew, fault := w.take(e, nil)
	if fault != NoFault {
		return &EnvelopeError{fault}
	}
	if isNew {
		w.wakeAll()
	}
	return nil
}

// take puts an envelope from a session, nil for one of our own, into the pool and delivers it if it is new.
func (w *Whisper) take(e *Envelope, from *session) (isNew bool, fault Fault) {
	number := noPeer
	if from != nil {
		number = from.number
		w.counts.received.Add(1)
	}
	if w.pool.has(e.hash, number) {
		w.counts.duplicates.Add(1)
		return false, NoFault
	}
	now := time.Now()
	t := w.terms(now)
	work, fault := t.check(e, now)
	if fault == NoFault {
		if from != nil {
			from.learn(work)
		}
		isNew, fault = w.pool.add(e, work, number, now)
	}
	if fault != NoFault {
		w.counts.faults[fault].Add(1)
		return false, fault
	}
	if isNew {
		w.deliver(e, work, false)
	}
	return isNew, NoFault
}

// wakeAll has the sessions look what there is to relay.
func (w *Whisper) wakeAll() {
	for _, s := range *w.sessions.Load() {
		s.rouse()
	}
}

// deliver offers an envelope to the subscriptions. Direct ones need no proof of work.
func (w *Whisper) deliver(e *Envelope, work Work, direct bool) {
	o := opener{env: e, work: work, direct: direct}
	for _, s := range *w.subs.Load() {
		if m := s.filter.open(&o); m != nil {
			w.counts.delivered.Add(1)
			s.put(m)
		}
	}
}
