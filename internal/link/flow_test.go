package link

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/internal/lanes"
)

// creditInbox returns an inbox of a link with credit, and where the last limit that it told the remote is found.
func creditInbox(limit int64, ledger *Ledger) (in *inbox, told *uint64) {
	in, told = new(inbox), new(uint64)
	in.init(limit, Wait, ledger)
	in.flow = newFlow()
	in.tell = func(limit uint64) { *told = max(*told, limit) }
	return in, told
}

func TestTheFirstWindowIsFreeASecondCostsTwiceAndALargeMessageOnce(t *testing.T) {
	const w = lanes.InitialLimit
	for _, test := range []struct {
		taken, window, limit uint64
		want                 int64
	}{
		{0, w, w, 0},
		{1000, w, w, 0},
		{1000, w, w + 1000, 0},
		{0, 2 * w, w, 0},
		{0, 2 * w, 2 * w, 2 * w},
		{w, 2 * w, 2 * w, 0},
		{w, 4 * w, 5 * w, 6 * w},
		{0, w, w + 1, 1},
		{0, w, 1 << 24, 1<<24 - w},
		{0, 2 * w, 3 * w, 3 * w},
		{5, 2 * w, 5 + 3*w, 3 * w},
	} {
		f := &flow{taken: test.taken, window: test.window}
		if got := f.charge(test.limit); got != test.want {
			t.Errorf("taken %d, window %d, limit %d: %d, want %d", test.taken, test.window, test.limit, got, test.want)
		}
	}
}

func TestALimitIsRaisedByAQuarterOfAWindowOrMoreAndOnlyForWhatWasRead(t *testing.T) {
	const size = 1 << 10
	in, told := creditInbox(DefaultInbox, nil)
	var sent uint64
	push := func() {
		sent += lanes.MessageCost + size
		in.arrive([]*Message{{Size: size, cost: lanes.MessageCost + size}}, sent, 0)
	}
	for sent+lanes.MessageCost+size <= lanes.InitialLimit {
		push()
	}
	if *told != 0 {
		t.Errorf("a limit of %d for messages that nobody has read", *told)
	}
	raises, before := 0, uint64(lanes.InitialLimit)
	for in.queue.len() > 0 {
		if _, err := in.pop(); err != nil {
			t.Fatal(err)
		}
		if *told != 0 && *told != before {
			if *told < before+lanes.InitialLimit/4 || *told != in.flow.taken+lanes.InitialLimit {
				t.Errorf("from %d to %d, when %d were read", before, *told, in.flow.taken)
			}
			before = *told
			raises++
		}
	}
	if raises != 3 { // what is left of the window is less than a message, so the last quarter is not full
		t.Errorf("%d raises", raises)
	}
}

func TestAWindowIsDoubledWhenHalfOfItComesInTwoRoundTripsAndUpToTheInbox(t *testing.T) {
	const w = lanes.InitialLimit
	for _, test := range []struct {
		inbox  int64
		hogged float64 // part of the ledger that others have
		came   []uint64
		want   uint64
	}{
		{4 << 20, 0, []uint64{w/2 - 1}, w},
		{4 << 20, 0, []uint64{w / 2}, 2 * w},
		{4 << 20, 0, []uint64{w, w - 1}, 2 * w},
		{4 << 20, 0, []uint64{w, w, 2 * w, 4 * w, 8 * w, 16 * w, 32 * w}, 16 * w},
		{3 * w, 0, []uint64{w, 2 * w, 3 * w}, 3 * w},
		{1000, 0, []uint64{w, w}, w}, // an inbox below the initial limit has no effect
		{4 << 20, 0.51, []uint64{w, w}, w},
		{4 << 20, 0.49, []uint64{w}, 2 * w},
	} {
		ledger := NewLedger(1 << 30)
		ledger.charge(int64(test.hogged * (1 << 30)))
		in, _ := creditInbox(test.inbox, ledger)
		in.sleepers = 1 // the protocol waits for more
		for _, came := range test.came {
			in.measured(came)
		}
		if in.flow.window != test.want {
			t.Errorf("inbox %d, others %v, came %d: window %d, want %d", test.inbox, test.hogged, test.came, in.flow.window, test.want)
		}
	}
}

func TestTheWindowOfAProtocolThatReadsNothingStaysAsItIs(t *testing.T) {
	in, told := creditInbox(DefaultInbox, nil)
	in.arrive([]*Message{{cost: 100_000}, {cost: 100_000}}, 200_000, 0)
	for i, step := range []struct {
		read bool
		want uint64
	}{{false, 1}, {false, 1}, {true, 2}, {false, 2}, {true, 4}, {false, 4}} {
		if step.read {
			if _, err := in.pop(); err != nil {
				t.Fatal(err)
			}
		}
		if in.measured(1 << 20); in.flow.window != step.want*lanes.InitialLimit {
			t.Errorf("step %d: window %d, limit %d", i, in.flow.window, *told)
		}
	}
}

func TestAnIdleLaneFallsBackToTheSmallestWindowAndKeepsWhatItWasGiven(t *testing.T) {
	ledger := NewLedger(1 << 30)
	in, _ := creditInbox(DefaultInbox, ledger)
	in.arrive([]*Message{{cost: 200_000}}, 200_000, 0)
	in.sleepers = 1
	in.measured(lanes.InitialLimit)
	in.measured(2 * lanes.InitialLimit)
	granted := in.flow.granted
	in.shrink() // since the last call there was something
	if in.flow.window != 4*lanes.InitialLimit {
		t.Errorf("window %d of a lane that was not idle", in.flow.window)
	}
	in.shrink()
	if in.flow.window != lanes.InitialLimit || in.flow.granted != granted {
		t.Errorf("window %d, limit %d, was %d", in.flow.window, in.flow.granted, granted)
	}
	if u := ledger.Used(); u != in.flow.charged || u == 0 {
		t.Errorf("%d charged for a limit of %d, the lane knows of %d", u, granted, in.flow.charged)
	}
	in.end(nil, true)
	if u := ledger.Used(); u != 0 {
		t.Errorf("%d bytes are not given back", u)
	}
}

// creditModel drives the receiving half of a lane's credit with everything that can happen to it, in any order.
type creditModel struct {
	t       *testing.T
	rng     *rand.Rand
	ledger  *Ledger
	in      *inbox
	told    *uint64
	limit   uint64 // what the remote knows
	sent    uint64
	arrival *Message // under way
	missing int
	hogged  int64
	refused int
}

// send is the remote's turn: a part of a message as large as credit and a record allow.
func (m *creditModel) send() {
	left := int64(m.limit - m.sent)
	if m.arrival == nil {
		if left < lanes.MessageCost+1 {
			return
		}
		total := m.rng.IntN(2000)
		if m.rng.IntN(3) == 0 {
			total = m.rng.IntN(1 << m.rng.IntN(24))
		}
		m.arrival = &Message{Size: uint32(total), cost: lanes.MessageCost + uint32(total)}
		m.missing = total
		m.sent += lanes.MessageCost
		left -= lanes.MessageCost
	}
	n := int(min(int64(m.missing), left, int64(1+m.rng.IntN(laneSegment))))
	m.missing -= n
	m.sent += uint64(n)
	var done []*Message
	if m.missing == 0 {
		done = []*Message{m.arrival}
		m.arrival = nil
	}
	m.in.arrive(done, m.sent, uint64(m.missing))
}

// read is the protocol's turn. One that finds nothing waits; then the message that is arriving can be completed, or it is
// known that the ledger is why not.
func (m *creditModel) read() {
	if m.in.queue.len() > 0 {
		if _, err := m.in.pop(); err != nil {
			m.t.Fatal(err)
		}
		return
	}
	m.in.mu.Lock()
	limit, refused := m.in.grantLocked(true)
	m.in.mu.Unlock()
	if limit > 0 {
		m.in.tell(limit)
	}
	f := m.in.flow
	switch {
	case refused:
		m.refused++
		if f.granted >= f.received+f.missing {
			m.t.Fatalf("waits for the ledger without need: %+v", f)
		}
		if f.received+f.missing-f.taken <= lanes.InitialLimit {
			m.t.Fatalf("a message within the initial limit waits for the ledger: %+v", f)
		}
	case f.granted < f.received+f.missing:
		m.t.Fatalf("nobody will raise the limit, but the message cannot be completed: %+v", f)
	case f.missing == 0 && f.granted-f.received < lanes.InitialLimit*3/4:
		m.t.Fatalf("everything is read, but the remote may send %d more: %+v", f.granted-f.received, f)
	}
}

// others charge the ledger and give back.
func (m *creditModel) others() {
	if m.rng.IntN(2) == 0 {
		n := m.rng.Int64N(m.ledger.limit - m.ledger.Used() + 1)
		m.hogged += n
		m.ledger.charge(n)
		return
	}
	n := m.rng.Int64N(m.hogged + 1)
	m.hogged -= n
	m.ledger.release(n)
}

func (m *creditModel) check() {
	f := m.in.flow
	if *m.told > m.limit {
		m.limit = *m.told
	}
	if f.granted < m.limit || f.granted > max(m.limit, lanes.InitialLimit) {
		m.t.Fatalf("the remote knows of %d: %+v", m.limit, f)
	}
	if m.ledger.Used() != m.hogged+f.charged || m.ledger.Used() > m.ledger.limit {
		m.t.Fatalf("%d used of %d, others have %d: %+v", m.ledger.Used(), m.ledger.limit, m.hogged, f)
	}
	if beyond := int64(f.granted-f.taken) - lanes.InitialLimit; f.charged < beyond {
		m.t.Fatalf("%d charged for %d beyond the initial limit: %+v", f.charged, beyond, f)
	}
}

func TestCreditNeverStallsALaneNorTakesMemoryThatIsNotCharged(t *testing.T) {
	for seed := range uint64(300) {
		m := &creditModel{t: t, rng: rand.New(rand.NewPCG(seed, 3)), ledger: NewLedger(1 << (18 + seed%12)), limit: lanes.InitialLimit}
		m.in, m.told = creditInbox(int64(1)<<(16+seed%9), m.ledger)
		for range 2000 {
			switch m.rng.IntN(16) {
			case 0:
				m.in.measured(uint64(m.rng.IntN(1 << 21)))
			case 1:
				m.others()
			case 2:
				if m.rng.IntN(4) == 0 {
					m.in.shrink()
				}
			case 3, 4, 5, 6, 7, 8:
				m.read()
			default:
				m.send()
			}
			m.check()
		}
		m.in.end(nil, true)
		if m.ledger.Used() != m.hogged {
			t.Fatalf("%d bytes are not given back", m.ledger.Used()-m.hogged)
		}
	}
}

func TestAMessageThatTheInitialLimitHasRoomForIsLetInWhenTheLedgerIsSpent(t *testing.T) {
	ledger := NewLedger(1 << 30)
	in, told := creditInbox(DefaultInbox, ledger)
	// The window grows, but not so much that a raise is due: nothing is charged.
	in.arrive(nil, 200_000, 60_000)
	in.flow.granted = 200_000
	in.flow.window = 4 * lanes.InitialLimit
	hog(ledger, 0)
	in.mu.Lock()
	limit, refused := in.grantLocked(true)
	in.mu.Unlock()
	if refused || limit < 260_000 || limit > lanes.InitialLimit {
		t.Errorf("limit %d, refused %v, told %d", limit, refused, *told)
	}
}

func TestAReaderWaitsForTheLedgerAndGoesOnWhenOthersGiveBack(t *testing.T) {
	for _, size := range []int{300_000, 1 << 20, MaxMessage} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger := NewLedger(64 << 20)
				a, b := lanesPair(t, 64<<10, 0, lanesNamed("aaa", "bbb"), func(a, b *Config) { b.Ledger = ledger })
				hog(ledger, 0)
				go write(a.Lanes()[0], 1, randomBytes(size))
				start := time.Now()
				time.AfterFunc(5*time.Second, func() { ledger.release(ledger.limit) })
				// Meanwhile the other lane goes on.
				go func() {
					for range 4 {
						write(a.Lanes()[1], 2, randomBytes(1000))
					}
				}()
				for range 4 {
					read(t, b.Lanes()[1])
				}
				if waited := time.Since(start); waited != 0 {
					t.Errorf("the other lane has waited for %v", waited)
				}
				if _, p := read(t, b.Lanes()[0]); len(p) != size {
					t.Errorf("%d bytes came", len(p))
				}
				if waited := time.Since(start); waited != 5*time.Second {
					t.Errorf("it came after %v", waited)
				}
				endBoth(t, a, b)
				if u := ledger.Used(); u != 0 {
					t.Errorf("%d bytes are not given back", u)
				}
			})
		})
	}
}

func TestALaneThatWaitsForTheLedgerIsFreedByItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := NewLedger(64 << 20)
		a, b := lanesPair(t, 64<<10, 0, lanesNamed("aaa"), func(a, b *Config) { b.Ledger = ledger })
		hog(ledger, 0)
		go write(a.Lanes()[0], 1, randomBytes(1<<20))
		done := make(chan error)
		go func() { _, err := b.Lanes()[0].Read(); done <- err }()
		synctest.Wait()
		b.End(8, errTestOver, "")
		if err := <-done; err == nil {
			t.Error("read a message that cannot have come")
		}
		endBoth(t, a, b)
		if u := ledger.Used(); u != ledger.limit {
			t.Errorf("%d bytes are not given back", u-ledger.limit)
		}
	})
}
