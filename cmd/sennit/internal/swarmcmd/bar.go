package swarmcmd

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	barPeriod = 100 * time.Millisecond // between two drawings
	barWidth  = 30
)

// screen is held while a bar or a line is written: both may come at the same time, and a process has one terminal.
var screen sync.Mutex

// Lines returns a [Say] that writes lines with a name in front to out, clear of a [Bar] that may be drawn there.
func Lines(out io.Writer, name string) Say {
	wipe := ""
	if IsTerminal(out) {
		wipe = "\r\x1b[K"
	}
	return func(text string) {
		screen.Lock()
		defer screen.Unlock()
		fmt.Fprintf(out, "%s%s: %s\n", wipe, name, text)
	}
}

// Bar draws on a terminal how far something is. A nil Bar draws nothing. Its methods are safe for concurrent use.
type Bar struct {
	// Static after construction.
	out  io.Writer
	now  func() time.Time
	name string

	// Guarded by screen.
	began time.Time
	first int64 // done when it began
	drawn time.Time
	shown bool
}

// NewBar returns a bar with a name in front, or nil if out is no terminal that can draw one.
func NewBar(out io.Writer, name string) *Bar {
	if !IsTerminal(out) {
		return nil
	}
	return &Bar{out: out, now: time.Now, name: name}
}

// Tell is a [Progress].
func (b *Bar) Tell(done, total int64) {
	if b == nil {
		return
	}
	screen.Lock()
	defer screen.Unlock()
	now := b.now()
	if b.began.IsZero() {
		b.began, b.first = now, done
	}
	if now.Sub(b.drawn) < barPeriod && done != total {
		return
	}
	b.drawn, b.shown = now, true
	fmt.Fprintf(b.out, "\r\x1b[K%s", b.line(done, total, now.Sub(b.began)))
}

// End leaves the line as it is and begins another.
func (b *Bar) End() {
	if b == nil {
		return
	}
	screen.Lock()
	defer screen.Unlock()
	if b.shown {
		fmt.Fprintln(b.out)
	}
	b.shown, b.began = false, time.Time{}
}

func (b *Bar) line(done, total int64, took time.Duration) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%-12s ", b.name)
	if total > 0 {
		full := int(min(done, total) * barWidth / total)
		fmt.Fprintf(&s, "[%s%s] %3d %%  ", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), min(done, total)*100/total)
	}
	s.WriteString(Bytes(done))
	if total > 0 {
		fmt.Fprintf(&s, " of %s", Bytes(total))
	}
	if seconds := took.Seconds(); seconds >= 1 {
		rate := float64(done-b.first) / seconds
		fmt.Fprintf(&s, "  %s/s", Bytes(int64(rate)))
		if left := total - done; rate > 0 && left > 0 {
			fmt.Fprintf(&s, "  %v left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
		}
	}
	return s.String()
}

// Bytes returns a number of bytes for people.
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	x := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		if x /= 1000; x < 999.5 {
			return fmt.Sprintf("%.3g %s", x, unit)
		}
	}
	return fmt.Sprintf("%.0f TB", x)
}

// IsTerminal tells whether w understands the control sequence that clears a line.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || runtime.GOOS != "windows" && (os.Getenv("TERM") == "" || os.Getenv("TERM") == "dumb") {
		return false
	}
	// The old console of Windows does not understand it unless asked to; Windows Terminal sets this variable.
	if runtime.GOOS == "windows" && os.Getenv("WT_SESSION") == "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
