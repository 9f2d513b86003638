package demo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sennit-net/sennit/p2p"
)

// Policies are the values that [Settings.Policy] may have.
var Policies = []string{"stop", "wait", "drop-newest", "drop-oldest"}

// Settings are what a command line says, for a program to bind its flags to. They are made to be used as returned by
// [DefaultSettings]; the zero value is refused by [Settings.Options].
type Settings struct {
	Seconds float64       // how long to show each stack
	Policy  string        // one of Policies
	Wait    time.Duration // for policy "wait"
	Plain   bool          // lines even on a terminal
}

// DefaultSettings returns what applies where nothing is said.
func DefaultSettings() Settings {
	return Settings{Seconds: 5, Policy: "stop", Wait: time.Second}
}

// Options returns the options for an output, or an error that names the flag that is wrong.
func (s Settings) Options(out io.Writer) (Options, error) {
	policy, err := s.policy()
	switch {
	case err != nil:
		return Options{}, err
	case !(s.Seconds > 0 && s.Seconds <= 3600): // this way round for what is not a number
		return Options{}, errors.New("--seconds: want more than 0 and at most 3600")
	}
	return Options{
		Duration: time.Duration(s.Seconds * float64(time.Second)),
		Policy:   policy,
		Live:     !s.Plain && isTerminal(out),
	}, nil
}

func (s Settings) policy() (p2p.OverloadPolicy, error) {
	switch s.Policy {
	case "stop":
		return p2p.OverloadStop(), nil
	case "wait":
		if s.Wait <= 0 {
			return p2p.OverloadPolicy{}, fmt.Errorf("--wait %v: want more than 0", s.Wait)
		}
		return p2p.OverloadWait(s.Wait), nil
	case "drop-newest":
		return p2p.OverloadDropNewest(), nil
	case "drop-oldest":
		return p2p.OverloadDropOldest(), nil
	}
	return p2p.OverloadPolicy{}, fmt.Errorf("--policy %q: want one of %s", s.Policy, strings.Join(Policies, ", "))
}

// isTerminal tells whether w understands the control sequences that move the cursor.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || slices.Contains([]string{"", "dumb"}, os.Getenv("TERM")) && runtime.GOOS != "windows" {
		return false
	}
	// The old console of Windows does not understand them unless asked to; Windows Terminal sets this variable.
	if runtime.GOOS == "windows" && os.Getenv("WT_SESSION") == "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
