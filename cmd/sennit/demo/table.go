package demo

import (
	"fmt"
	"strings"
	"time"
)

var columns = []string{"protocol", "sent", "read", "bytes read", "messages/s", "MB/s", "rtt p50", "rtt p99", "longest", "inbox", "dropped", "state"}

// table returns the state as lines of equal columns: the first and the last to the left, numbers to the right.
func (s *snapshot) table() []string {
	cells := [][]string{columns}
	for i := range s.rows {
		cells = append(cells, s.rows[i].cells())
	}
	width := make([]int, len(columns))
	for _, line := range cells {
		for i, c := range line {
			width[i] = max(width[i], len([]rune(c)))
		}
	}
	var lines []string
	for _, line := range cells {
		var b strings.Builder
		for i, c := range line {
			switch i {
			case 0:
				fmt.Fprintf(&b, "%-*s", width[i], c)
			case len(line) - 1:
				fmt.Fprintf(&b, "  %s", c)
			default:
				fmt.Fprintf(&b, "  %*s", width[i], c)
			}
		}
		lines = append(lines, b.String())
	}
	return lines
}

func (r *row) cells() []string {
	p50, p99, longest := "", "", ""
	if e := r.echo; e != nil {
		p50, p99, longest = short(e.p50), short(e.p99), short(e.longest)
	}
	inbox, dropped := "-", "-"
	if st := r.stats; st != nil {
		inbox, dropped = size(st.InboxBytes), count(st.Dropped)
	}
	return []string{r.name, count(r.sent), count(r.received), size(r.bytes), count(r.messageRate), megabytes(r.byteRate), p50, p99, longest, inbox, dropped, r.state()}
}

// state says in a word or two how the listener's end fares.
func (r *row) state() string {
	switch st := r.stats; {
	case st == nil:
		return "-"
	case st.Stopped:
		return fmt.Sprintf("stopped after %s messages", count(st.MessagesIn))
	case st.Dropped > 0:
		return "runs, messages dropped"
	case st.Waited > 0:
		return "runs, held the link up " + short(st.Waited)
	}
	return "runs"
}

// line returns the state as one line for a log.
func (s *snapshot) line() string {
	parts := []string{fmt.Sprintf("%4.1f s", s.elapsed.Seconds())}
	for i := range s.rows {
		r := &s.rows[i]
		text := fmt.Sprintf("%s %s/s %s MB/s", r.name, count(r.messageRate), megabytes(r.byteRate))
		switch {
		case r.echo != nil:
			text = fmt.Sprintf("%s %s/s, rtt p50 %s p99 %s", r.name, count(r.messageRate), short(r.echo.p50), short(r.echo.p99))
		case r.received == 0 && r.stats != nil:
			text = fmt.Sprintf("%s %s", r.name, r.state())
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " | ")
}

// number is what [count] and [size] show.
type number interface{ ~uint64 | ~int64 | ~float64 }

// count returns n with commas between the thousands.
func count[N number](n N) string {
	digits := fmt.Sprintf("%.0f", float64(n))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// size returns n bytes in the largest unit that leaves at least one of it.
func size[N number](n N) string {
	v, unit := float64(n), "B"
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, larger
	}
	if unit == "B" || v >= 100 {
		return fmt.Sprintf("%.0f %s", v, unit)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// megabytes returns a rate in bytes per second as megabytes.
func megabytes(rate float64) string {
	if rate > 0 && rate < 10e6 {
		return fmt.Sprintf("%.2f", rate/1e6)
	}
	return fmt.Sprintf("%.0f", rate/1e6)
}

// short returns d with three digits.
func short(d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	text := d.Round(unit).String()
	return strings.NewReplacer("µs", " µs", "ms", " ms", "ns", " ns").Replace(text)
}
