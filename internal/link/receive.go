package link

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/buffer"
	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/trace"
)

var (
	errUnknownCode = errors.New("message code belongs to no protocol of the link")
	errSnappy      = errors.New("payload is no valid Snappy block")
	errOverload    = errors.New("inbox is full")
	errHeldUp      = errors.New("held the link up for too long")
	errBudget      = errors.New("the memory budget of all links is spent")
)

// maxExpansion is how many bytes one byte of a Snappy block can become, at most: three bytes copy up to 64. Whoever claims
// more is not worth the memory to find out.
const maxExpansion = 22

// wakeEvery is how many messages are put into inboxes, at most, before the protocols that sleep are woken: fewer
// wake-ups while many messages come, and hardly any delay.
const wakeEvery = 64

// Deliver implements Sink.
func (l *Link) Deliver(code uint64, payload []byte, packed bool) error {
	l.lastFrame = l.in.receivedAt
	if code < frame.BaseLength {
		return l.control(code, payload, packed)
	}
	lane, err := l.laneOf(code)
	if err != nil {
		return err
	}
	size, err := payloadSize(payload, packed)
	if err != nil {
		return err
	}
	if ok, err := l.admit(lane, code, size, nil); !ok {
		return err
	}
	m := lane.slab.message(size)
	if err := decompress(m.rest, payload, packed); err != nil {
		m.Discard()
		lane.in.release(size)
		return err
	}
	l.push(lane, code, m, len(payload))
	return nil
}

// payloadSize returns how large a payload will be when it is decompressed.
func payloadSize(payload []byte, packed bool) (int, error) {
	if !packed {
		return len(payload), nil
	}
	size, err := snappy.DecodedLen(payload)
	if err != nil {
		return 0, errSnappy
	}
	if size > MaxMessage {
		return 0, fmt.Errorf("%w: %d bytes decompressed, at most %d", ErrTooBig, size, MaxMessage)
	}
	if size > len(payload)*maxExpansion {
		return 0, fmt.Errorf("%w: %d bytes cannot become %d", errSnappy, len(payload), size)
	}
	return size, nil
}

// decompress fills dst, which has the payload's size.
func decompress(dst, payload []byte, packed bool) error {
	if !packed {
		copy(dst, payload)
		return nil
	}
	if _, err := snappy.Decode(dst, payload); err != nil {
		return errSnappy
	}
	return nil
}

// push completes a message that has been admitted and puts it into its inbox.
func (l *Link) push(lane *Lane, code uint64, m *Message, wirePayload int) {
	m.Code = code - lane.cfg.Offset
	m.WireSize = uint32(wirePayload + codeSize(code))
	m.ReceivedAt = l.in.receivedAt
	if l.recorder != nil {
		l.event = trace.Message{Link: l.id, Protocol: lane.cfg.Name, Version: lane.cfg.Version, Code: m.Code, Size: m.Size, WireSize: m.WireSize}
		l.recorder.Record(&l.event)
	}
	if lane.in.push(m) && !lane.waking {
		lane.waking = true
		l.toWake = append(l.toWake, lane)
	}
	if l.sinceWake++; l.sinceWake >= wakeEvery {
		l.wakeAndYield()
	}
}

// wakeAndYield lets the protocols that sleep and have messages run before the reader goes on: while there is always more
// to read they would otherwise wait until the scheduler notices, which takes it 10 ms.
func (l *Link) wakeAndYield() {
	if len(l.toWake) > 0 {
		l.wake()
		runtime.Gosched()
	}
	l.sinceWake = 0
}

// wake wakes the protocols that sleep and have messages.
func (l *Link) wake() {
	l.sinceWake = 0
	for i, lane := range l.toWake {
		lane.waking = false
		lane.in.arrived.Broadcast()
		l.toWake[i] = nil
	}
	l.toWake = l.toWake[:0]
}

// admit charges a message of size bytes to the lane's inbox, which takes over what is held of the ledger for it. If it does
// not get in, ok is false: it was dropped, or the lane has been stopped, and the link goes on unless there is an error.
func (l *Link) admit(lane *Lane, code uint64, size int, held *int64) (ok bool, err error) {
	v, evicted := lane.in.admit(size, held)
	for _, m := range evicted {
		l.recordDrop(lane, m.Code, int(m.Size))
		m.Discard()
	}
	switch v {
	case admitted:
		return true, nil
	case dropped:
		l.recordDrop(lane, code-lane.cfg.Offset, size)
		return false, nil
	case refused:
		return false, nil
	}
	if lane.cfg.Policy.Mode == Stop {
		l.stop(lane, lane.in.fullness(size))
	} else {
		ok, err = l.await(lane, lane.in.fullness(size), func() verdict { return lane.in.readmit(size, held) })
	}
	if !ok {
		l.lost(lane, code, size)
	}
	return ok, err
}

// lost counts and records a message that did not get in because its lane was stopped meanwhile.
func (l *Link) lost(lane *Lane, code uint64, size int) {
	if lane.in.countIfStopped(size) {
		l.recordDrop(lane, code-lane.cfg.Offset, size)
	}
}

// await holds the link up, for the reason why, until try succeeds, the lane's credit is spent or the link ends.
func (l *Link) await(lane *Lane, why error, try func() verdict) (ok bool, err error) {
	l.wake()
	start := time.Now()
	timer := time.NewTimer(lane.credit.at(start))
	defer timer.Stop()
	ping := time.NewTimer(pingInterval - start.Sub(l.lastPing))
	defer ping.Stop()
	l.ledger.watch(lane.in.space)
	defer l.ledger.unwatch(lane.in.space)
	defer func() {
		now := time.Now()
		waited := now.Sub(start)
		l.resumed = now
		lane.credit.spend(waited, now)
		lane.in.addWait(waited)
		l.record(&trace.Waited{Link: l.id, Protocol: lane.cfg.Name, For: waited})
	}()
	for expired := false; ; {
		switch v := try(); {
		case v == admitted:
			return true, nil
		case v != full:
			return false, nil
		case l.cause.Load() != nil || l.writeErr.Load() != nil:
			return false, errEnding
		case expired:
			l.stop(lane, fmt.Errorf("%w, %v in all: %w", errHeldUp, lane.credit.max, why))
			return false, nil
		}
		select {
		case <-lane.in.space:
		case now := <-ping.C:
			// The remote must go on hearing from us, or it gives the link up.
			l.ping(now)
			ping.Reset(pingInterval)
		case <-timer.C:
			expired = true
		case <-l.ending:
		}
	}
}

func (l *Link) recordDrop(lane *Lane, code uint64, size int) {
	l.record(&trace.Dropped{Link: l.id, Protocol: lane.cfg.Name, Code: code, Size: uint32(size)})
}

// Assemble implements Sink.
func (l *Link) Assemble(code uint64, n int) (*Assembly, error) {
	if code < frame.BaseLength {
		return nil, nil
	}
	lane, err := l.laneOf(code)
	if err != nil {
		// An unknown code ends the link, but only when it is known to be what the remote sent.
		return nil, nil
	}
	if lane.in.ended() {
		l.lost(lane, code, n-codeSize(code))
		return nil, nil
	}
	return &Assembly{
		grow: func(to int) (*buffer.Buffer, error) { return l.assemblyMemory(lane, to, code, n) },
		done: l.ledger.release,
	}, nil
}

// assemblyMemory charges and returns memory for the first n bytes of a message, or nil if the lane's policy gives it up.
// The message, as it travels, has size bytes of code and payload.
func (l *Link) assemblyMemory(lane *Lane, n int, code uint64, size int) (*buffer.Buffer, error) {
	c := int64(buffer.ClassSize(n))
	try := func() verdict {
		switch {
		case lane.in.ended():
			return refused
		case l.ledger.charge(c):
			return admitted
		}
		return full
	}
	ok := try() == admitted
	if !ok && !lane.in.ended() {
		var err error
		switch lane.cfg.Policy.Mode {
		case Wait:
			ok, err = l.await(lane, errBudget, try)
		case Stop:
			l.stop(lane, errBudget)
		default:
			lane.in.countDrop(size - codeSize(code))
			l.recordDrop(lane, code-lane.cfg.Offset, size-codeSize(code))
		}
		if err != nil {
			return nil, err
		}
	}
	if !ok {
		l.lost(lane, code, size-codeSize(code))
		return nil, nil
	}
	return buffer.Get(n), nil
}

// DeliverAssembled implements Sink.
func (l *Link) DeliverAssembled(code uint64, a *Assembly, n int, packed bool) error {
	l.lastFrame = l.in.receivedAt
	if code < frame.BaseLength {
		return l.control(code, nil, false)
	}
	lane, err := l.laneOf(code)
	if err != nil {
		return err
	}
	data := a.bytes()
	if data == nil {
		return nil
	}
	payload := data[codeSize(code):n]
	size, err := payloadSize(payload, packed)
	if err != nil {
		return err
	}
	// Not charged a second time: links that hold one charge and wait for another would wait for one another. What a message is
	// larger by than it came is still waited for.
	if ok, err := l.admit(lane, code, size, &a.charged); !ok {
		return err
	}
	m := &Message{Size: uint32(size)}
	if packed || !a.fits(size) {
		m.buf = buffer.Get(size)
		m.rest = m.buf.B
		if err := decompress(m.rest, payload, packed); err != nil {
			m.Discard()
			lane.in.release(size)
			return err
		}
	} else {
		m.buf, m.rest = a.take(), payload
	}
	wirePayload := len(payload)
	a.free() // before the protocol runs, so that what it sees of the budget is right
	l.push(lane, code, m, wirePayload)
	l.wakeAndYield()
	return nil
}
