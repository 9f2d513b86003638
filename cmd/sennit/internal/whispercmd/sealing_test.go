package whispercmd

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/protocols/shh"
)

func TestAProofOfWorkThatTakesLongIsSaidOnce(t *testing.T) {
	for takes, want := range map[time.Duration]int{time.Second: 0, 3 * time.Second: 1, time.Minute: 1} {
		synctest.Test(t, func(t *testing.T) {
			var told []string
			err := sealing(func(text string) { told = append(told, text) }, 30*time.Second, func() error {
				time.Sleep(takes) // of the bubble's time
				return nil
			})
			if err != nil || len(told) != want {
				t.Errorf("after %v: told %q, %v", takes, told, err)
			}
			for _, text := range told {
				if !strings.Contains(text, "up to 30s") || !strings.Contains(text, "--pow ") || !strings.Contains(text, "--ttl") || !strings.Contains(text, "--pow-time") {
					t.Errorf("told %q", text)
				}
			}
		})
	}
}

func TestAProofOfWorkThatIsNotDoneInTimeSaysWhatToDo(t *testing.T) {
	other := errors.New("something else")
	for _, tt := range []struct {
		err    error
		remedy bool
	}{
		{fmt.Errorf("%w: want 40 zero bits", shh.ErrTooLittleWork), true},
		{errors.New("by RPC: " + shh.ErrTooLittleWork.Error()), true},
		{other, false},
	} {
		err := sealing(nil, time.Second, func() error { return tt.err })
		if !errors.Is(err, tt.err) || strings.Contains(err.Error(), "--pow-time") != tt.remedy {
			t.Errorf("%v: %v", tt.err, err)
		}
	}
}
