package link

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sennit-net/sennit/internal/buffer"
)

const (
	// writeTimeout is how long one write, of a batch or a piece of a large frame, may take; the deadline is moved at most once
	// per deadlineStep.
	writeTimeout = 20 * time.Second
	deadlineStep = time.Second
	// busyGap is how soon the writer must be needed again, after it ran out of work, for it to stay and wait the next
	// time: starting it anew costs the growth of its stack.
	busyGap = 5 * time.Millisecond
	// workTime is for how long reader and writer work before they let others run: the scheduler would give them 10 ms. Half a
	// millisecond or more shows in the round trips beside bulk, less than this in nothing.
	workTime = 250 * time.Microsecond
)

// sender is the sending half of a link: the outboxes of all lanes, the control messages owed, and the writer.
type sender struct {
	// Static after construction.
	conn    net.Conn // for its deadlines
	stream  stream
	framing Framing
	loop    func()          // writeLoop as a value, so that starting it allocates nothing
	failed  func(error)     // called by the writer, without a lock, when a write has failed
	pinged  func(time.Time) // called by the writer, without a lock, before a ping is handed to the socket
	parted  func()          // called by the writer, without a lock, when the Disconnect has been handed to the socket
	writers sync.WaitGroup  // the writer, and one that waits beside one in place; whoever ends the link waits for them

	// Counted by the writer, read by anybody.
	bytesOut atomic.Uint64 // on the wire

	// Guarded by mu.
	mu       sync.Mutex
	fresh    ring[*outbox] // lanes that had nothing to send until now; they go first
	ready    ring[*outbox] // the other lanes, in the order of their turns
	running  bool          // a writer works
	inPlace  bool          // it is a goroutine that has called Lane.Write
	waiting  bool          // a writer waits on wake for running or leaving
	leaving  bool          // a writer that waits is to end
	wake     sync.Cond     // on mu
	dead     bool          // nothing is sent any more
	closing  bool          // the writer ends when nothing is queued, with a Disconnect as its last frame
	hopeless bool          // when closing: lanes without credit are not waited for any more
	starved  int           // lanes that have something to send and no credit
	owed     control       // control messages to be sent
	until    time.Time     // when closing: the write deadline

	// Owned by the writer.
	say      control          // control messages of the batch
	batch    []*buffer.Buffer // taken, to be sealed and written
	said     bool             // the Disconnect has been handed to the socket
	pace     pace             // how much of the batch is written at once
	vector   net.Buffers      // sealed, to be written
	deadline time.Time        // when the write deadline was last moved
	idle     time.Time        // when there was last nothing to do
	yielded  time.Time        // when others could last run
}

// enqueueLocked queues an encoded message, for which some bytes have been reserved, and sees to it that a writer runs. With
// inPlace that is the caller if nothing else is to be written: it must call writeInPlace then, as it is told.
func (s *sender) enqueueLocked(o *outbox, e *encoded, reserved int64, inPlace bool) (write bool) {
	o.releaseLocked(reserved - o.putLocked(e))
	if o.starved {
		return false
	}
	if !o.queued {
		o.queued = true
		s.fresh.push(o)
	}
	if inPlace && !s.running && !s.dead && !s.closing {
		s.running, s.inPlace = true, true
		s.writers.Add(1)
		return true
	}
	s.startLocked()
	return false
}

// writeInPlace writes one batch, and leaves what has come meanwhile to a writer of its own.
func (s *sender) writeInPlace() {
	defer s.writers.Done()
	s.mu.Lock()
	taken := s.takeLocked()
	s.mu.Unlock()
	if taken && !s.writeBatch() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.inPlace = false, false
	if s.pendingLocked() {
		s.startLocked()
	}
}

func (s *sender) startLocked() {
	if s.running || s.dead {
		return
	}
	s.running = true
	if s.waiting {
		s.leaving = false
		s.wake.Signal()
		return
	}
	s.writers.Add(1)
	go s.loop()
}

// relax ends a writer that waits.
func (s *sender) relax() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = s.waiting
	s.wake.Signal()
}

// oweAPong has a pong sent; it never blocks. It returns false if as many are owed as may be.
func (s *sender) oweAPong(id pingID, atMost int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owed.owed == atMost {
		return false
	}
	s.owed.pongs[s.owed.owed] = id
	s.owed.owed++
	s.startLocked()
	return true
}

// sendAPing has a ping sent; it never blocks.
func (s *sender) sendAPing(id pingID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owed.ping, s.owed.pingID = true, id
	s.startLocked()
}

// oweCredit has the remote told a lane's limit; it never blocks.
func (s *sender) oweCredit(l *Lane, limit uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.out.due == 0 {
		s.owed.credits = append(s.owed.credits, creditDue{lane: l})
	}
	l.out.due = max(l.out.due, limit)
	s.startLocked()
}

// grant takes a limit from the remote.
func (s *sender) grant(o *outbox, limit uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit <= o.granted {
		return
	}
	o.granted = limit
	if o.starved {
		o.starved, o.queued = false, true
		s.starved--
		s.ready.push(o)
		s.startLocked()
	}
}

// startClose has the writer send what has been accepted and then Disconnect with the reason, all until the given time.
func (s *sender) startClose(reason uint8, until time.Time) {
	s.mu.Lock()
	s.closing, s.until = true, until
	s.owed.bye, s.owed.reason = true, reason
	s.startLocked()
	s.mu.Unlock()
	s.conn.SetWriteDeadline(until)
}

// finishClose waits for the writer to end, without waiting for credit any more. It tells whether the Disconnect was handed
// to the socket.
func (s *sender) finishClose() (said bool) {
	s.mu.Lock()
	s.hopeless = true
	s.wake.Signal()
	s.mu.Unlock()
	s.writers.Wait()
	return s.said
}

// over tells whether the Disconnect is being sent or nothing is sent any more, so that no credit can matter.
func (s *sender) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// drop throws away what has been accepted and not been sent.
func (s *sender) drop(lanes []*Lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh, s.ready, s.starved = ring[*outbox]{}, ring[*outbox]{}, 0
	s.owed.owed, s.owed.ping, s.owed.credits = 0, false, nil
	for _, l := range lanes {
		l.out.dropLocked()
		l.out.starved, l.out.due = false, 0
	}
}

// kill drops everything and sends nothing more; a write in progress ends when the connection is closed.
func (s *sender) kill(lanes []*Lane) {
	s.drop(lanes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dieLocked()
}

// dieLocked has nothing taken any more, and a writer that waits beside one in place end.
func (s *sender) dieLocked() {
	s.dead = true
	s.wake.Signal()
}

// refuse makes the lanes' writes fail with err, those that wait included. What they have accepted is still sent.
func (s *sender) refuse(err error, lanes ...*Lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lanes {
		l.out.endLocked(err)
	}
}

// writeLoop seals and writes what is queued. When nothing is, it ends, or waits if it had run out of work just before.
func (s *sender) writeLoop() {
	defer s.writers.Done()
	s.yielded = time.Now()
	for s.take() {
		if !s.writeBatch() {
			return
		}
		s.yield()
	}
}

// writeBatch seals and writes what has been taken. When that fails nothing is written any more.
func (s *sender) writeBatch() bool {
	err := s.write()
	for i, b := range s.batch {
		b.Free()
		s.batch[i] = nil
	}
	s.batch = s.batch[:0]
	if s.said = s.say.bye && err == nil; s.said {
		s.parted()
	}
	if err == nil {
		return true
	}
	s.failed(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.inPlace = false, false
	s.dieLocked()
	return false
}

// take fills the batch with what goes out next: control messages, then segments of the lanes in turn, about a
// batch. It returns false when the writer must end.
func (s *sender) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.takeLocked() {
		if !s.stayLocked() {
			return false
		}
	}
	return true
}

func (s *sender) takeLocked() bool {
	s.say.owed, s.say.ping, s.say.bye, s.say.credits = 0, false, false, s.say.credits[:0]
	if s.dead {
		return false
	}
	if s.owed.owed > 0 || s.owed.ping || len(s.owed.credits) > 0 {
		s.takeControlLocked()
	}
	s.takeLanesLocked()
	if len(s.batch) == 0 && s.owed.bye && (s.starved == 0 || s.hopeless) {
		s.say.bye, s.say.reason = true, s.owed.reason
		s.batch = append(s.batch, s.framing.Control(&s.say))
		s.owed.bye = false
		s.dieLocked()
	}
	return len(s.batch) > 0
}

// stayLocked waits for something to do if the writer had run out of work less than busyGap before, or if the link is to
// end and lanes wait for credit. It returns false when the writer must end.
func (s *sender) stayLocked() bool {
	now := time.Now()
	busy := now.Sub(s.idle) < busyGap
	s.idle = now
	byeDue := s.owed.bye && !s.dead // but lanes wait for credit
	s.running = false
	if !byeDue && (s.dead || s.closing || !busy) {
		return false
	}
	s.waiting = true
	for (!s.running || s.inPlace) && !s.leaving && !s.dead && !(byeDue && s.hopeless) {
		s.wake.Wait()
	}
	s.waiting, s.leaving = false, false
	s.yielded = time.Now()
	if byeDue {
		s.running = true
	}
	return s.running && !s.inPlace
}

// takeControlLocked takes the control messages that are owed, into one segment.
func (s *sender) takeControlLocked() {
	for i := range s.owed.credits {
		due := &s.owed.credits[i]
		due.limit, due.lane.out.due = due.lane.out.due, 0
	}
	spare := s.say.credits
	s.say = s.owed
	s.say.bye = false
	s.owed.owed, s.owed.ping, s.owed.credits = 0, false, spare
	s.batch = append(s.batch, s.framing.Control(&s.say))
}

// write seals the batch and writes it, in one call if it is not large.
func (s *sender) write() error {
	if s.say.ping {
		s.pinged(time.Now())
	}
	pending := 0
	for _, b := range s.batch {
		for from := 0; from < len(b.B); {
			wire, to := s.framing.Seal(b.B, from)
			s.vector = append(s.vector, wire)
			pending += len(wire)
			from = to
			if pending >= s.pace.most {
				if err := s.flush(); err != nil {
					return err
				}
				pending = 0
			}
		}
	}
	return s.flush()
}

// flush writes the vector.
func (s *sender) flush() error {
	if len(s.vector) == 0 {
		return nil
	}
	began := time.Now()
	s.moveDeadline(began)
	n, err := s.stream.writeAll(s.vector)
	clear(s.vector)
	s.vector = s.vector[:0]
	s.bytesOut.Add(uint64(n))
	if s.pace.wrote(int(n), began, time.Now()) {
		limitUnsent(s.conn, unsent(s.pace.bytes))
	}
	return err
}

// yield lets others run after a long time of work.
func (s *sender) yield() {
	if now := time.Now(); now.Sub(s.yielded) >= workTime {
		yield()
		s.yielded = time.Now()
	}
}

// moveDeadline gives the coming writes time, but not more than the end of the link does.
func (s *sender) moveDeadline(now time.Time) {
	if now.Sub(s.deadline) < deadlineStep {
		return
	}
	s.deadline = now
	s.conn.SetWriteDeadline(now.Add(writeTimeout))
	s.mu.Lock()
	closing, until := s.closing, s.until
	s.mu.Unlock()
	if closing {
		s.conn.SetWriteDeadline(until)
	}
}
