package shh

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/log"
)

func newTestWhisper(t testing.TB, c Config) *Whisper {
	t.Helper()
	c.Logger = log.NewLogger(log.DiscardHandler())
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func subscribe(t testing.TB, w *Whisper, f Filter) *Subscription {
	t.Helper()
	s, err := w.Subscribe(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestAFilterLetsPassWhatItSays(t *testing.T) {
	w := newTestWhisper(t, Config{MinWork: -1})
	key, me, you := NewSymKey(), newKey(t), newKey(t)
	topic := Topic{1, 2, 3, 4}
	message := Outgoing{SymKey: key, Topic: topic, Payload: []byte("x"), Work: -1}
	with := func(change func(*Outgoing)) Outgoing {
		m := message
		change(&m)
		return m
	}
	tests := []struct {
		name   string
		filter Filter
		m      Outgoing
		want   bool
	}{
		{"any topic", Filter{SymKey: key}, message, true},
		{"its topic among others", Filter{SymKey: key, Topics: []Topic{{9}, topic}}, message, true},
		{"another topic", Filter{SymKey: key, Topics: []Topic{{9}}}, message, false},
		{"another key", Filter{SymKey: NewSymKey()}, message, false},
		{"a key pair", Filter{PrivateKey: me}, message, false},
		{"to me", Filter{PrivateKey: me}, with(func(m *Outgoing) { m.SymKey, m.To = nil, &me.PublicKey }), true},
		{"to you", Filter{PrivateKey: me}, with(func(m *Outgoing) { m.SymKey, m.To = nil, &you.PublicKey }), false},
		{"from you", Filter{SymKey: key, From: &you.PublicKey}, with(func(m *Outgoing) { m.From = you }), true},
		{"from me", Filter{SymKey: key, From: &you.PublicKey}, with(func(m *Outgoing) { m.From = me }), false},
		{"from nobody", Filter{SymKey: key, From: &you.PublicKey}, message, false},
		{"too cheap", Filter{SymKey: key, MinWork: 1e6}, message, false},
	}
	for _, tt := range tests {
		s := subscribe(t, w, tt.filter)
		if _, err := w.Post(t.Context(), tt.m); err != nil {
			t.Fatal(err)
		}
		got := s.Retrieve()
		if (len(got) == 1) != tt.want {
			t.Errorf("%s: %d messages", tt.name, len(got))
		}
		if tt.want && (string(got[0].Payload) != "x" || got[0].Topic != topic || got[0].TTL != 50 || got[0].Direct) {
			t.Errorf("%s: %+v", tt.name, got[0])
		}
		s.Close()
	}
}

func TestFiltersThatMakeNoSenseAreRefused(t *testing.T) {
	w := newTestWhisper(t, Config{})
	for name, f := range map[string]Filter{
		"no key": {}, "two keys": {SymKey: NewSymKey(), PrivateKey: newKey(t)}, "a short key": {SymKey: []byte{1}}, "a key of zeros": {SymKey: make([]byte, 32)},
		"a signer off the curve": {SymKey: NewSymKey(), From: offCurve(t)},
	} {
		if s, err := w.Subscribe(f); err == nil {
			s.Close()
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestAMessageIsDecryptedOncePerKeyAndShared(t *testing.T) {
	w := newTestWhisper(t, Config{MinWork: -1})
	key, pair := NewSymKey(), newKey(t)
	a, b := subscribe(t, w, Filter{SymKey: key}), subscribe(t, w, Filter{SymKey: key})
	c, d := subscribe(t, w, Filter{PrivateKey: pair}), subscribe(t, w, Filter{PrivateKey: pair})
	for _, m := range []Outgoing{{SymKey: key}, {To: &pair.PublicKey}} {
		if _, err := w.Post(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if x, y := a.Retrieve(), b.Retrieve(); len(x) != 1 || len(y) != 1 || x[0] != y[0] {
		t.Errorf("%v, %v", x, y)
	}
	if x, y := c.Retrieve(), d.Retrieve(); len(x) != 1 || len(y) != 1 || x[0] != y[0] {
		t.Errorf("%v, %v", x, y)
	}
	if n := w.Stats().Delivered; n != 4 {
		t.Errorf("delivered %d", n)
	}
}

func TestAQueueIsBoundedInBytesAndDropsTheOldest(t *testing.T) {
	w := newTestWhisper(t, Config{MinWork: -1})
	key := NewSymKey()
	s := subscribe(t, w, Filter{SymKey: key, QueueBytes: 5 * (1000 + messageOverhead)})
	for i := range 20 {
		if _, err := w.Post(t.Context(), Outgoing{SymKey: key, Payload: []byte{byte(i)}, Padding: append(make([]byte, 998), 1)}); err != nil {
			t.Fatal(err)
		}
	}
	got := s.Retrieve()
	if len(got) != 5 || got[0].Payload[0] != 15 || got[4].Payload[0] != 19 || s.Dropped() != 15 || s.bytes != 0 {
		t.Errorf("%d messages from %d on, %d dropped, %d bytes left", len(got), got[0].Payload[0], s.Dropped(), s.bytes)
	}
	if _, err := w.Post(t.Context(), Outgoing{SymKey: key, Payload: make([]byte, 20_000)}); err != nil {
		t.Fatal(err)
	}
	if got := s.Retrieve(); len(got) != 1 {
		t.Errorf("a message larger than the queue: %d", len(got))
	}
}

func TestACopyOfAMessageIsKnownAgain(t *testing.T) {
	w := newTestWhisper(t, Config{MinWork: -1})
	s := subscribe(t, w, Filter{SymKey: NewSymKey()})
	put := func(from, to int) int {
		for i := from; i < to; i++ {
			s.put(&Message{Hash: [32]byte{byte(i), byte(i >> 8)}})
		}
		return len(s.Retrieve())
	}
	if n := put(0, recentMessages+10); n != recentMessages+10 {
		t.Errorf("%d of %d are new", n, recentMessages+10)
	}
	if n := put(10, recentMessages+10); n != 0 {
		t.Errorf("of the latest, %d are new", n)
	}
	if n := put(0, 1); n != 1 {
		t.Error("a message from long ago is known")
	}
}

func TestNextWaitsForAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWhisper(t, Config{MinWork: -1})
		key := NewSymKey()
		s := subscribe(t, w, Filter{SymKey: key})
		type result struct {
			m   *Message
			err error
		}
		results := make(chan result)
		next := func(ctx context.Context) {
			m, err := s.Next(ctx)
			results <- result{m, err}
		}
		go next(t.Context())
		go next(t.Context())
		synctest.Wait()
		for range 2 {
			if _, err := w.Post(t.Context(), Outgoing{SymKey: key}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if r := <-results; r.err != nil || r.m == nil {
				t.Errorf("%v, %v", r.m, r.err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go next(ctx)
		if r := <-results; !errors.Is(r.err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", r.m, r.err)
		}
		go next(t.Context())
		synctest.Wait()
		s.Close()
		if r := <-results; !errors.Is(r.err, ErrUnsubscribed) {
			t.Errorf("%v, %v", r.m, r.err)
		}
	})
}

func TestPostsThatMakeNoSenseAreRefused(t *testing.T) {
	w := newTestWhisper(t, Config{MinWork: -1, MaxMessageSize: 2000})
	key := NewSymKey()
	for name, m := range map[string]Outgoing{
		"no key":           {},
		"two keys":         {SymKey: key, To: &newKey(t).PublicKey},
		"a TTL below 1 s":  {SymKey: key, TTL: time.Millisecond},
		"a negative TTL":   {SymKey: key, TTL: -time.Second},
		"a TTL of 1e5 a":   {SymKey: key, TTL: 290 * 365 * 24 * time.Hour},
		"padding of zeros": {SymKey: key, Padding: make([]byte, 5)},
		"too large":        {SymKey: key, Payload: make([]byte, 2000)},
		"a key of zeros":   {SymKey: make([]byte, 32)},
	} {
		if _, err := w.Post(t.Context(), m); err == nil {
			t.Errorf("%s is posted", name)
		}
	}
	if _, err := w.PostDirect(t.Context(), [32]byte{1}, Outgoing{SymKey: key}); err == nil {
		t.Error("a direct message goes to nobody")
	}
	e := unsealed(t, 1, DefaultTTL)
	e.Expiry, e.TTL = 2, 1
	var fault *EnvelopeError
	if err := w.PostEnvelope(e); !errors.As(err, &fault) || fault.Fault != FaultOld {
		t.Errorf("an old envelope: %v", err)
	}
}

func TestConfigurationsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, c := range map[string]Config{
		"MaxMessageSize": {MaxMessageSize: 11 << 20}, "negative size": {MaxMessageSize: -1}, "PoolBytes": {PoolBytes: 1000}, "Accept": {Accept: 4},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	w := newTestWhisper(t, Config{})
	if w.MinWork() != DefaultMinWork || w.MaxMessageSize() != DefaultMaxMessageSize || w.Light() || w.pool.limit != DefaultPoolBytes {
		t.Errorf("the zero value means %v, %v, %v, %v", w.MinWork(), w.MaxMessageSize(), w.Light(), w.pool.limit)
	}
	if w.SetMinWork(-1) == nil || w.SetMaxMessageSize(5) == nil {
		t.Error("settings without sense are accepted")
	}
}

func TestTheLargestMessageHasRoomInThePool(t *testing.T) {
	w := newTestWhisper(t, Config{PoolBytes: 2 << 20})
	if err := w.SetMaxMessageSize(2 << 20); err == nil || w.MaxMessageSize() != DefaultMaxMessageSize {
		t.Errorf("%v, the largest message is now %d bytes", err, w.MaxMessageSize())
	}
}

func TestSubscriptionsAtTheSameTimeAllHaveTheirTopicsPass(t *testing.T) {
	const subscriptions = 64
	for range 50 {
		w := newTestWhisper(t, Config{Bloom: new(Bloom)})
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range subscriptions {
			all.Go(func() {
				<-start
				if _, err := w.Subscribe(Filter{SymKey: NewSymKey(), Topics: []Topic{{byte(i)}}}); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		all.Wait()
		bloom := w.Bloom()
		for i := range subscriptions {
			if topic := (Topic{byte(i)}); !bloom.Passes(topic) {
				t.Fatalf("topic %v does not pass", topic)
			}
		}
	}
}
