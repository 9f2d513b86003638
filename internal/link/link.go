package link

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/sennit-net/sennit/internal/lanes"
	"github.com/sennit-net/sennit/trace"
)

const (
	pingInterval = 15 * time.Second
	// silence is how long a link may be without a complete frame from the remote: one that sends a byte now and then could
	// otherwise keep the memory of a large frame for ever.
	silence = 30 * time.Second
	// farewell bounds what is done between the end of a link and its last byte.
	farewell = time.Second
	// Pings beyond this rate are not answered.
	pongsPerSecond, pongBurst = 10, 32
)

// errEnding ends receiving when the link has been ended by something else.
var errEnding = errors.New("link is ending")

// Config is what a link is made of.
type Config struct {
	Conn     net.Conn // the connection, which the link owns from now on
	Framing  Framing
	Unread   []byte // bytes that came in before the link took the connection over
	Lanes    []LaneConfig
	Ledger   *Ledger        // shared memory budget; nil for none
	Recorder trace.Recorder // nil for none
	ID       trace.Link     // how events name the link
}

// Cause is why a link ended.
type Cause struct {
	Err      error // never nil
	Side     trace.Side
	Reason   uint8  // disconnect reason, if Sent or Received
	Sent     bool   // Disconnect with the reason has been handed to the socket
	Received bool   // the remote told us
	Protocol string // protocol that brought the end about, if one did

	tell bool // the remote is to be told the reason
}

// Link runs one connection. Its methods are safe for concurrent use, but for Run and those of [Sink], which belong to the
// reader.
type Link struct {
	// Static after construction.
	conn     net.Conn
	framing  Framing
	lanes    []*Lane
	ledger   *Ledger
	recorder trace.Recorder
	id       trace.Link
	ending   chan struct{} // closed by whoever sets cause
	started  time.Time

	// Atomic, for anybody.
	cause    atomic.Pointer[Cause] // set once: the first cause stays
	writeErr atomic.Pointer[error] // why writing failed, while the reader looks for what the remote has to say about it
	running  atomic.Int32          // lanes that have not been stopped
	bytesIn  atomic.Uint64
	rtt      atomic.Int64  // ns
	minRTT   atomic.Int64  // ns
	pingSent atomic.Int64  // ns since started; 0 when no ping is unanswered
	pingWith atomic.Uint64 // number of the batch that the unanswered ping is in
	pongWith atomic.Uint64 // the same of the last ping that was answered
	pingDue  atomic.Bool   // Flush wants a ping sent

	send sender // has its own owners

	// Owned by the reader.
	in        Input
	pings     *rate.Limiter // of the remote's that are answered, on links whose pings have no limit of their own
	lastFrame time.Time     // when the last complete frame came
	resumed   time.Time     // when the link was last held up until, by a full inbox
	lastPing  time.Time
	pingOpen  bool      // a ping with an ID has not been answered
	pingCount uint64    // ID of the last ping
	tidied    time.Time // when memory of busier times was last given back
	rested    time.Time // when others could last run: after a read that had to wait, or a yield
	parting   bool      // the link has ended, and what comes is only looked through for credit
	probe     probe
	touched   []*Lane // lanes that the record at hand has had frames of
	toWake    []*Lane
	sinceWake int
	event     trace.Message // reused for every message that is recorded
}

// New returns a link that carries messages once Run is called. Lanes must be in the order of their offsets.
func New(cfg Config) *Link {
	l := &Link{
		conn: cfg.Conn, framing: cfg.Framing, ledger: cfg.Ledger, recorder: cfg.Recorder, id: cfg.ID,
		ending:  make(chan struct{}),
		started: time.Now(),
		pings:   rate.NewLimiter(pongsPerSecond, pongBurst),
	}
	shape := cfg.Framing.Shape()
	stream := newStream(cfg.Conn)
	l.send = sender{conn: cfg.Conn, stream: stream, framing: cfg.Framing, failed: l.writeFailed, pinged: l.pinged, parted: l.interruptRead, pace: pace{most: shape.Batch, bytes: shape.Batch}}
	l.send.wake.L = &l.send.mu
	l.send.loop = l.send.writeLoop
	l.in = Input{stream: stream, size: shape.Read, unread: cfg.Unread, onRead: l.beforeRead, onBytes: l.received, onTick: l.tick}
	for i, c := range cfg.Lanes {
		lane := new(Lane)
		lane.init(l, i+1, c, cfg.Ledger, &shape)
		l.lanes = append(l.lanes, lane)
	}
	l.running.Store(int32(len(l.lanes)))
	return l
}

// Lanes returns the protocols' ends of the link, in the order of the configuration.
func (l *Link) Lanes() []*Lane { return l.lanes }

// Framing returns the name of the link's framing.
func (l *Link) Framing() string { return l.framing.Name() }

// Run carries messages until the link ends, and returns why it did. When it returns the connection is closed and no
// goroutine of the link is left; messages that had arrived may still be read from the lanes, unless the end came from
// this side. It must be called once.
func (l *Link) Run() Cause {
	l.lastFrame = time.Now()
	l.lastPing, l.in.receivedAt, l.tidied = l.lastFrame, l.lastFrame, l.lastFrame
	l.bytesIn.Add(uint64(len(l.in.unread)))
	l.conn.SetReadDeadline(l.lastFrame.Add(pingInterval))
	if l.writeErr.Load() != nil { // a message was written before this
		l.conn.SetReadDeadline(l.lastFrame.Add(farewell))
	}
	if l.pingDue.Load() { // a protocol has called Flush before this
		l.interruptRead()
	}
	tuneSocket(l.conn, l.framing.Shape().Window)
	limitUnsent(l.conn, unsent(l.framing.Shape().Batch))
	err := l.framing.Receive(&l.in, l)
	var (
		bye    *remoteEnd
		breach lanes.Breach
	)
	switch {
	case errors.As(err, &breach) && l.writeErr.Load() == nil:
		l.endBreach(err)
	case errors.As(err, &bye):
		l.end(Cause{Err: err, Side: trace.SideRemote, Reason: bye.reason, Received: true, tell: bye.reason != reasonNetworkError})
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		l.end(Cause{Err: l.orWriteError(io.EOF), Side: trace.SideRemote})
	default:
		l.end(Cause{Err: l.orWriteError(err), Side: trace.SideNetwork})
	}
	l.endLanes() // whoever set the cause may not have come to it yet
	cause := *l.cause.Load()
	cause.Sent, cause.tell = l.farewell(cause), false
	l.in.release()
	for _, lane := range l.lanes {
		lane.incoming.drop()
	}
	return cause
}

// End ends the link from this side with the given reason, which the remote is told after everything accepted so far has
// been sent. It never blocks. The first end of a link is the one that counts, but lanes read nothing more after this;
// unless it is only the end of one protocol, which must not cost the others what had arrived before the link ended.
func (l *Link) End(reason uint8, err error, protocol string) {
	first := l.end(Cause{Err: err, Side: trace.SideLocal, Reason: reason, Protocol: protocol, tell: reason != reasonNetworkError})
	if !first && protocol != "" {
		return
	}
	for _, lane := range l.lanes {
		lane.in.end(io.EOF, true)
	}
}

// endBreach ends the link because the remote has broken the protocol of the framing, and tells it.
func (l *Link) endBreach(err error) {
	l.end(Cause{Err: err, Side: trace.SideNetwork, Reason: reasonProtocolError, tell: true})
}

const (
	reasonNetworkError     = 1 // never told to a remote
	reasonProtocolError    = 2
	reasonSubprotocolError = 0x10
)

// end sets the cause and makes the reader return, unless there is a cause already.
func (l *Link) end(c Cause) (first bool) {
	if !l.cause.CompareAndSwap(nil, &c) {
		return false
	}
	close(l.ending)
	l.interruptRead()
	l.endLanes()
	return true
}

// interruptRead has a read in progress, or the next one, return.
func (l *Link) interruptRead() { l.conn.SetReadDeadline(time.Unix(1, 0)) }

// endLanes has the lanes accept nothing more.
func (l *Link) endLanes() {
	l.send.refuse(ErrEnded, l.lanes...)
	for _, lane := range l.lanes {
		lane.in.end(io.EOF, false)
	}
}

// farewell sends what is still to be sent and closes the connection, in bounded time. It tells whether Disconnect went
// out. A remote that has sent Disconnect itself gets its reason back and nothing else, as it reads no more.
func (l *Link) farewell(c Cause) (told bool) {
	until := time.Now().Add(farewell)
	if c.Received || !c.tell {
		l.send.drop(l.lanes)
	}
	if c.tell {
		l.send.startClose(c.Reason, until)
		if l.framing.Shape().Credit && !c.Received {
			l.awaitCredit()
		}
		told = l.send.finishClose()
		if !c.Received {
			l.drain(until)
		}
	}
	l.send.kill(l.lanes)
	l.conn.Close()
	l.send.writers.Wait()
	return told
}

// awaitCredit goes on receiving, for half of the farewell at most, until the writer has sent everything: lanes may need
// credit from the remote for what they have accepted. Messages that come are forgotten.
func (l *Link) awaitCredit() {
	l.parting = true
	l.conn.SetReadDeadline(time.Now().Add(farewell / 2))
	if l.send.over() {
		return // and may have said so before the deadline was set
	}
	l.framing.Receive(&l.in, l)
}

// drain reads and forgets what the remote still sends, until it closes its end: to close a connection with unread bytes
// resets it, and the remote might lose the reason it was just told.
func (l *Link) drain(until time.Time) {
	half, ok := l.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	l.conn.SetReadDeadline(until)
	var sink [4 << 10]byte
	for {
		if _, err := l.conn.Read(sink[:]); err != nil {
			return
		}
	}
}

// stop stops a lane for the given cause: its protocol is told, the others go on. Without a lane left the link ends.
func (l *Link) stop(lane *Lane, cause error) {
	err := fmt.Errorf("%w: %w", ErrStopped, cause)
	lost := lane.in.stop(err)
	l.send.refuse(err, lane)
	for _, m := range lost {
		l.recordDrop(lane, m.Code, int(m.Size))
		m.Discard()
	}
	l.record(&trace.ProtocolStopped{Link: l.id, Protocol: lane.cfg.Name, Cause: cause})
	if l.running.Add(-1) == 0 {
		l.End(reasonSubprotocolError, fmt.Errorf("no protocol left: %s: %w", lane.cfg.Name, err), lane.cfg.Name)
	}
}

// laneOf returns the lane a code belongs to.
func (l *Link) laneOf(code uint64) (*Lane, error) {
	i := sort.Search(len(l.lanes), func(i int) bool { return code < l.lanes[i].cfg.Offset+l.lanes[i].cfg.Length })
	if i == len(l.lanes) || code < l.lanes[i].cfg.Offset {
		return nil, fmt.Errorf("%w: %#x", errUnknownCode, code)
	}
	return l.lanes[i], nil
}

// beforeRead runs before a read that may block.
func (l *Link) beforeRead() error {
	if len(l.toWake) > 0 {
		l.wake()
	}
	if time.Since(l.rested) >= workTime {
		yield()
		l.rested = time.Now()
	}
	if l.cause.Load() != nil && !l.parting {
		return errEnding
	}
	return nil
}

// received runs after a read.
func (l *Link) received(n int, at time.Time) {
	l.bytesIn.Add(uint64(n))
	if l.in.stream.waited() {
		l.rested = at
	}
}

// tick runs when the read deadline passes: it pings, notices a dead remote, and gives back memory of busier times. So
// the link needs no timer.
func (l *Link) tick() error {
	if l.cause.Load() != nil {
		return errEnding
	}
	if err := l.writeErr.Load(); err != nil {
		return *err
	}
	now := time.Now()
	heard := l.lastFrame
	if l.resumed.After(heard) {
		heard = l.resumed // while nothing is read, nothing can be heard
	}
	quiet := now.Sub(heard)
	if quiet >= silence {
		return fmt.Errorf("no complete frame received for %v: %w", silence, os.ErrDeadlineExceeded)
	}
	if due := l.pingDue.Swap(false); due || now.Sub(l.lastPing) >= pingInterval {
		l.ping(now)
	}
	if now.Sub(l.tidied) >= pingInterval { // and not whenever Flush wants a ping
		l.tidied = now
		if err := l.tidy(now); err != nil {
			return err
		}
	}
	next := l.lastPing.Add(pingInterval)
	if dead := heard.Add(silence); dead.Before(next) {
		next = dead
	}
	l.conn.SetReadDeadline(next)
	if l.cause.Load() != nil || l.writeErr.Load() != nil || l.pingDue.Load() {
		// Meanwhile: the deadline that was to end this read has been overwritten.
		return l.tick()
	}
	return nil
}

// tidy gives back memory of busier times, and notices a large message that does not come.
func (l *Link) tidy(now time.Time) error {
	l.send.relax()
	tuneSocket(l.conn, l.framing.Shape().Window)
	for _, lane := range l.lanes {
		if lane.stalled(now) {
			return fmt.Errorf("%s: less than %d bytes of a large message received in %v: %w", lane.cfg.Name, leastPerInterval, pingInterval, os.ErrDeadlineExceeded)
		}
		lane.slab.shrink()
		lane.in.shrink()
		lane.incoming.shrink()
	}
	return nil
}

// writeFailed runs when a write has failed. A remote that closes the connection has often said why before, so the reader
// gets a moment to find that.
func (l *Link) writeFailed(err error) {
	l.writeErr.CompareAndSwap(nil, &err)
	l.send.refuse(ErrEnded, l.lanes...)
	for _, lane := range l.lanes {
		lane.in.signalSpace() // the reader may be waiting
	}
	l.conn.SetReadDeadline(time.Now().Add(farewell))
	if l.cause.Load() != nil {
		l.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// orWriteError returns the error of a failed write if there was one, else err.
func (l *Link) orWriteError(err error) error {
	if w := l.writeErr.Load(); w != nil {
		return *w
	}
	return err
}

func (l *Link) record(e trace.Event) {
	if l.recorder != nil {
		l.recorder.Record(e)
	}
}
