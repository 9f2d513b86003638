package p2p

import (
	"time"

	"github.com/ethereum/go-ethereum/common/mclock"
)

// recentSet remembers keys for a fixed time: node IDs that were dialed, addresses that connected. It holds at most limit
// keys and forgets the oldest when it is full, so that an attacker with many addresses costs bounded memory.
//
// The zero value is not usable; not safe for concurrent use.
type recentSet[K comparable] struct {
	ttl   time.Duration
	limit int // keys; 0 means no limit
	seen  map[K]struct{}
	order []recentKey[K] // oldest first; all keys live equally long, so this is also the order in which they end
}

type recentKey[K comparable] struct {
	key K
	end mclock.AbsTime
}

func newRecentSet[K comparable](ttl time.Duration, limit int) *recentSet[K] {
	return &recentSet[K]{ttl: ttl, limit: limit, seen: make(map[K]struct{})}
}

// add remembers k from now on for the set's time. A key that is known keeps its end.
func (s *recentSet[K]) add(k K, now mclock.AbsTime) {
	if s.has(k) {
		return
	}
	if s.limit > 0 && len(s.order) >= s.limit {
		s.dropOldest()
	}
	s.seen[k] = struct{}{}
	s.order = append(s.order, recentKey[K]{k, now.Add(s.ttl)})
}

// has reports whether k is remembered. Call expire first.
func (s *recentSet[K]) has(k K) bool {
	_, ok := s.seen[k]
	return ok
}

// expire forgets the keys whose time is over and calls fn, which may be nil, with each.
func (s *recentSet[K]) expire(now mclock.AbsTime, fn func(K)) {
	for len(s.order) > 0 && s.order[0].end <= now {
		k := s.dropOldest()
		if fn != nil {
			fn(k)
		}
	}
}

// nextEnd returns when the next key ends, and false if there is none.
func (s *recentSet[K]) nextEnd() (mclock.AbsTime, bool) {
	if len(s.order) == 0 {
		return 0, false
	}
	return s.order[0].end, true
}

func (s *recentSet[K]) dropOldest() K {
	k := s.order[0].key
	delete(s.seen, k)
	s.order = s.order[1:] // append moves the rest to a new array once this one is used up
	return k
}
