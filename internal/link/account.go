package link

import "sync/atomic"

const (
	// sharedFrom is the least budget, in bytes, of which each link has a share: with less, the share of a link that is alone
	// could not hold the largest message while it is assembled and decompressed.
	sharedFrom = 448 << 20
	// shareOfFree is the part of what is left that a link may hold, as a divisor.
	shareOfFree = 8
)

// account is what one link has of the ledger. Of a budget that is large enough it may not hold more than an eighth of what is
// left: so links that want all they can get leave something, each a ninth less than the one before, and one that holds little
// gets of it. A link whose share is used up waits as if the ledger were spent; its share grows whenever anybody gives bytes
// back, and that is when who waits is woken. It is safe for concurrent use; charges of one link at the same time may go beyond
// its share by one of them.
type account struct {
	*Ledger
	held atomic.Int64
}

// charge takes n bytes, or nothing and returns false when the ledger does not have them or the link's share is used up.
func (a *account) charge(n int64) bool {
	if a.Ledger == nil || n <= 0 {
		return true
	}
	if a.limit >= sharedFrom && a.held.Load()+n > (a.limit-a.used.Load()-n)/shareOfFree || !a.Ledger.charge(n) {
		return false
	}
	a.held.Add(n)
	return true
}

// release gives n bytes back and wakes who waits for them.
func (a *account) release(n int64) {
	if a.Ledger == nil || n <= 0 {
		return
	}
	a.held.Add(-n)
	a.Ledger.release(n)
}
