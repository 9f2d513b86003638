package shh

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// someTime is a moment for tests that need none in particular.
var someTime = time.Unix(1_700_000_000, 0)

// envelopeAt returns a sealed envelope that is different for each n and expires so many seconds after the moment.
func envelopeAt(now time.Time, n uint64, seconds int64, size int) *Envelope {
	e := &Envelope{Expiry: uint32(now.Unix() + seconds), TTL: uint32(seconds), Data: make([]byte, size)}
	binary.BigEndian.PutUint64(e.Data, n)
	e.finish()
	return e
}

func TestAnEnvelopeIsCheckedInTheOrderOfTheSpecification(t *testing.T) {
	now := someTime.Unix()
	pass := terms{maxSize: 100, rules: BothRules, bloom: FullBloom()}
	tests := []struct {
		name         string
		expiry, sent int64
		change       func(*terms)
		want         Fault
	}{
		{"now", now + 50, now, nil, NoFault},
		{"10 s ahead", now + 60, now + 10, nil, NoFault},
		{"11 s ahead", now + 61, now + 11, nil, FaultFuture},
		{"with a TTL of 136 years", 100, 200 - 1<<32, nil, FaultOld},
		{"sent before the year 1970", 5, -5, nil, FaultFuture},
		{"expires now", now, now - 50, nil, NoFault},
		{"expired", now - 1, now - 50, nil, FaultExpired},
		{"expired 20 s ago", now - 20, now - 50, nil, FaultExpired},
		{"expired 21 s ago", now - 21, now - 50, nil, FaultOld},
		{"expired, and 5 s ahead as its sent time wraps", now - 1, now + 5, nil, FaultExpired},
		{"expired an hour ago, and 5 s ahead", now - 3600, now + 5, nil, FaultOld},
		{"ttl 0", now, now, nil, NoFault},
		{"of the largest size", now + 50, now, func(c *terms) { c.maxSize = headerLength + 8 }, NoFault},
		{"too large", now + 50, now, func(c *terms) { c.maxSize = headerLength + 7 }, FaultSize},
		{"too cheap", now + 50, now, func(c *terms) { c.minWork = 1e6 }, FaultWork},
		{"of another topic", now + 50, now, func(c *terms) { c.bloom = BloomOf(Topic{9, 9, 9}) }, FaultTopic},
		{"too large and too cheap", now + 50, now, func(c *terms) { c.maxSize, c.minWork = 1, 1e6 }, FaultSize},
	}
	for _, tt := range tests {
		e := &Envelope{Expiry: uint32(tt.expiry), TTL: uint32(tt.expiry - tt.sent), Data: make([]byte, 8)}
		e.finish()
		c := pass
		if tt.change != nil {
			tt.change(&c)
		}
		work, fault := c.check(e, someTime)
		if fault != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, fault, tt.want)
		}
		if ahead := tt.sent - now; ahead > 0 && fault == NoFault {
			if want := e.Work().By19 * float64(e.TTL) / float64(int64(e.TTL)+ahead+1); work.By19 != want {
				t.Errorf("%s: the work is %v, want %v", tt.name, work.By19, want)
			}
		}
	}
}

func TestOneRuleIsEnoughUnlessTheConfigurationSaysOtherwise(t *testing.T) {
	for _, rule := range []Rules{Rule18, Rule19} {
		e := unsealed(t, 100, time.Second)
		if err := Seal(t.Context(), e, 5, rule); err != nil {
			t.Fatal(err)
		}
		for accept, want := range map[Rules]Fault{BothRules: NoFault, rule: NoFault, BothRules &^ rule: FaultWork} {
			if by := e.Work().Reaching(5); by != rule {
				continue // by chance it is good by the other one as well
			}
			c := terms{maxSize: 1 << 20, minWork: 5, rules: accept, bloom: FullBloom()}
			if _, fault := c.check(e, time.Now()); fault != want {
				t.Errorf("sealed by %v, accepted by %v: %v, want %v", rule, accept, fault, want)
			}
		}
	}
}

// poolHolds fails the test unless the pool's numbers agree with each other.
func poolHolds(t *testing.T, p *pool) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	bytes, live := int64(0), 0
	for _, e := range p.order {
		if !e.removed {
			live++
			bytes += e.charge()
			if p.byHash[e.env.hash] != e || p.heaps[0].entries[e.place[0]] != e || p.heaps[1].entries[e.place[1]] != e {
				t.Fatal("an entry is not where it says it is")
			}
		}
	}
	if bytes != p.bytes || live != len(p.byHash) || live != p.heaps[0].Len() || live != p.heaps[1].Len() || len(p.order)-live != p.removed {
		t.Fatalf("%d bytes counted as %d, %d entries in maps and heaps of %d, %d, %d, removed %d of %d", bytes, p.bytes,
			live, len(p.byHash), p.heaps[0].Len(), p.heaps[1].Len(), p.removed, len(p.order))
	}
	if p.bytes > p.limit {
		t.Fatalf("%d bytes, limit %d", p.bytes, p.limit)
	}
	if !slices.IsSortedFunc(p.order, func(a, b *entry) int { return int(a.seq) - int(b.seq) }) {
		t.Fatal("the order is lost")
	}
}

func TestAFullPoolKeepsWhatCostMost(t *testing.T) {
	const size = 1000 - 20 // with 20 of RLP around it and the overhead, 1512 bytes
	p := newPool(10 * (1000 + entryOverhead))
	for i := range 10 {
		if isNew, fault := p.add(envelopeAt(someTime, uint64(i), 50, size), Work{By18: float64(i)}, noPeer, someTime); !isNew || fault != NoFault {
			t.Fatalf("envelope %d: %v", i, fault)
		}
	}
	if _, fault := p.add(envelopeAt(someTime, 100, 50, size), Work{By19: 0}, noPeer, someTime); fault != FaultPoolFull {
		t.Errorf("an envelope as cheap as the cheapest: %v", fault)
	}
	poolHolds(t, p)
	if isNew, fault := p.add(envelopeAt(someTime, 101, 50, 2*size), Work{By19: 2.5}, noPeer, someTime); !isNew || fault != NoFault {
		t.Errorf("a larger and dearer one: %v", fault)
	}
	poolHolds(t, p)
	if _, fault := p.add(envelopeAt(someTime, 102, 50, 5*size), Work{By19: 2.7}, noPeer, someTime); fault != FaultPoolFull {
		t.Errorf("one for which dearer ones would have to go: %v", fault)
	}
	if _, fault := p.add(envelopeAt(someTime, 103, 50, 20*size), Work{By19: 1e9}, noPeer, someTime); fault != FaultPoolFull {
		t.Errorf("one larger than the pool: %v", fault)
	}
	poolHolds(t, p)
	if s := p.stats(someTime); s.envelopes != 9 || s.evicted != 2 {
		t.Errorf("%+v", s)
	}
}

func TestThePoolsNumbersAgreeWhateverHappens(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := newPool(200_000)
	now := someTime
	for i := range 20_000 {
		e := envelopeAt(now, uint64(rng.IntN(5000)), 1+rng.Int64N(60), 8+rng.IntN(600))
		p.add(e, Work{By18: rng.Float64()}, rng.IntN(3)-1, now)
		if i%50 == 0 {
			now = now.Add(time.Second)
		}
		if i%997 == 0 {
			poolHolds(t, p)
		}
	}
	poolHolds(t, p)
	if s := p.stats(now.Add(2 * time.Minute)); s.envelopes != 0 || s.bytes != 0 || s.expired == 0 || s.evicted == 0 {
		t.Errorf("in the end: %+v", s)
	}
	poolHolds(t, p)
	if n := len(p.all(now)); n != 0 {
		t.Errorf("%d envelopes", n)
	}
}

func TestAPeerIsSentWhatItDoesNotHaveOnce(t *testing.T) {
	p := newPool(1 << 20)
	a, b := p.join(), p.join()
	all := &appetite{wants: quiet, counting: counting{rules: BothRules}, maxSize: 1 << 20}
	for i := range 10 {
		from := []int{noPeer, a, b}[i%3]
		p.add(envelopeAt(someTime, uint64(i), 50, 100), Work{}, from, someTime)
	}
	p.add(envelopeAt(someTime, 0, 50, 100), Work{}, b, someTime) // b has it as well
	next, got := uint64(0), 0
	for {
		batch := p.collect(a, next, 300, all, someTime)
		if len(batch.raw) == 0 {
			break
		}
		if len(batch.raw) > 2 {
			t.Errorf("%d envelopes of 120 bytes in a packet of 300", len(batch.raw))
		}
		p.sent(batch, a)
		next, got = batch.next, got+len(batch.raw)
	}
	if got != 7 {
		t.Errorf("a is sent %d of 7", got)
	}
	if again := p.collect(a, 0, 1<<20, all, someTime); len(again.raw) != 0 {
		t.Errorf("a is sent %d once more", len(again.raw))
	}
	if got := len(p.collect(b, 0, 1<<20, all, someTime).raw); got != 6 {
		t.Errorf("b is sent %d of 6", got)
	}
	if n := p.holders(envelopeAt(someTime, 0, 50, 100).hash); n != 2 {
		t.Errorf("%d peers have the first envelope", n)
	}
	p.leave(a)
	if c := p.join(); c != a || len(p.collect(c, 0, 1<<20, all, someTime).raw) != 10 {
		t.Errorf("who gets the place of a peer that has gone has what that had")
	}
	if large := p.collect(b, 0, 1, all, someTime); len(large.raw) != 1 {
		t.Errorf("%d envelopes in a packet too small for one", len(large.raw))
	}
}

func TestPeerSetsGrow(t *testing.T) {
	var s peerSet
	for _, n := range []int{0, 63, 64, 1000} {
		if s.has(n) {
			t.Errorf("%d is there", n)
		}
		if s.add(n); !s.has(n) {
			t.Errorf("%d is not there", n)
		}
	}
	s.remove(5000)
	if s.remove(64); s.has(64) || !s.has(63) || s.has(999) {
		t.Errorf("%x", s)
	}
}
