package link

import "time"

const (
	// paceTime is for how long what is handed to the kernel at once should keep the connection busy: what is in there
	// already cannot be overtaken, not by a ping either.
	paceTime = 4 * time.Millisecond
	// minPace is the least that is handed over at once, in bytes; the framing's batch is the most.
	minPace = 4 << 10
	// blockedTime is how long a write takes that has waited for room; a shorter one says nothing about the connection.
	blockedTime = time.Millisecond
	// paceStep is how long writes must have gone through at once before more is handed over.
	paceStep = 50 * time.Millisecond
)

// pace is how many bytes are handed to the kernel at once. It follows the rate of the connection, as far as that can be
// seen from writes that had to wait. It belongs to the writer.
type pace struct {
	most   int       // static
	bytes  int       // minPace to most
	rising time.Time // when bytes last changed or a write last waited
}

// wrote takes note of a write of n bytes. It tells whether the pace has changed.
func (p *pace) wrote(n int, began, ended time.Time) (changed bool) {
	before := p.bytes
	switch took := ended.Sub(began); {
	case took >= blockedTime:
		fits := int(float64(n) / took.Seconds() * paceTime.Seconds())
		p.bytes = min(max((p.bytes+fits)/2, minPace), p.most)
		p.rising = ended
	case p.bytes < p.most && ended.Sub(p.rising) >= paceStep:
		p.bytes = min(2*p.bytes, p.most)
		p.rising = ended
	}
	return p.bytes != before
}

// unsent is how many bytes may wait in the kernel to be sent before a write does, when so many are handed over at once.
func unsent(atOnce int) int { return 2 * atOnce }
