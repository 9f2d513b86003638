package whispercmd

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sennit-net/sennit/protocols/shh"
)

// slowAfter is how long a proof of work may take before somebody who waits for it is told.
const slowAfter = 2 * time.Second

// remedy is what can be done about a proof of work that takes too long.
const remedy = "a smaller --pow or a shorter --ttl needs less of it, --pow-time gives it more time"

// sealing calls post, which makes a proof of work, and slow, if not nil, when that takes long, once and before it returns. The
// error of a search that ran out of time says what can be done.
func sealing(slow func(text string), within time.Duration, post func() error) error {
	if slow != nil {
		told := make(chan struct{})
		timer := time.AfterFunc(slowAfter, func() {
			defer close(told)
			slow(fmt.Sprintf("the proof of work takes long, up to %v: %s", within, remedy))
		})
		defer func() {
			if !timer.Stop() {
				<-told
			}
		}()
	}
	err := post()
	if err == nil {
		return nil
	}
	// From a running node comes the text alone.
	if errors.Is(err, shh.ErrTooLittleWork) || strings.Contains(err.Error(), shh.ErrTooLittleWork.Error()) {
		return fmt.Errorf("%w; not done in %v: %s", err, within, remedy)
	}
	return err
}
