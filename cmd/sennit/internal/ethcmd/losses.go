package ethcmd

import (
	"fmt"
	"io"
	"time"
)

// lossTelling is how often losses are told of at most: a slow output has gaps between any two events.
const lossTelling = time.Second

// Losses tells of lost events, at most once a second. It is for one goroutine.
type Losses struct {
	Out io.Writer // errors of it are of no interest

	count uint64
	told  time.Time
}

// Add takes note of lost events, which may be none, at a time, and tells of them unless it has told of others not long ago.
func (l *Losses) Add(n uint64, now time.Time) {
	if l.count += n; l.count > 0 && now.Sub(l.told) >= lossTelling {
		l.told = now
		l.Tell()
	}
}

// Tell tells of what has not been told of.
func (l *Losses) Tell() {
	if l.count > 0 {
		fmt.Fprintf(l.Out, "lost events: %d; more is heard than the output takes\n", l.count)
		l.count = 0
	}
}
