package link

import "time"

// Mode says what happens to a message whose lane's inbox is full.
type Mode uint8

const (
	Wait       Mode = iota // hold the link up until there is room, within a credit of time; then stop the lane
	DropNewest             // drop the message that arrived
	DropOldest             // drop the messages that have waited longest
	Stop                   // stop the lane at once
)

// String returns the name used in logs and by people.
func (m Mode) String() string {
	switch m {
	case DropNewest:
		return "drop-newest"
	case DropOldest:
		return "drop-oldest"
	case Stop:
		return "stop"
	}
	return "wait"
}

// Policy is a lane's overload policy. The zero value waits for [DefaultWait].
type Policy struct {
	Mode Mode
	Wait time.Duration // with mode Wait: how long the lane may hold the link up in all; 0 means DefaultWait
}

// DefaultWait is how long a lane may hold up its link unless its policy says otherwise.
const DefaultWait = 10 * time.Second

// refillShare is the share of the time in which a lane does not hold the link up that it is given back as credit, as a
// divisor: a lane that reads one message a second can then take at most a fifth of the link's time, not all of it.
const refillShare = 4

// credit is the time a lane may still hold its link up. It belongs to the reader.
type credit struct {
	max  time.Duration
	left time.Duration
	asOf time.Time // when left was right; the zero time before the first use
}

func newCredit(p Policy) credit {
	if p.Wait <= 0 {
		p.Wait = DefaultWait
	}
	return credit{max: p.Wait, left: p.Wait}
}

// at returns the credit left at the given time.
func (c *credit) at(now time.Time) time.Duration {
	if !c.asOf.IsZero() {
		c.left = min(c.max, c.left+now.Sub(c.asOf)/refillShare)
	}
	c.asOf = now
	return c.left
}

// spend takes the time waited from the credit.
func (c *credit) spend(waited time.Duration, now time.Time) {
	c.left -= waited
	c.asOf = now
}
