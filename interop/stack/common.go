package stack

import (
	"github.com/ethereum/go-ethereum/event"
)

// eventQueue is how many events wait for a test before the node's own feed waits.
const eventQueue = 4096

// inboundFlag is the bit that both servers' unexported connFlag has for an inbound connection; an untyped constant
// converts to either type.
const inboundFlag = 1 << 2

func maxPeers(c Config) int {
	if c.MaxPeers == 0 {
		return 50
	}
	return c.MaxPeers
}

// forward translates events until the subscription ends, then closes out. An event nobody has room for is dropped:
// a feed must not wait for a test.
func forward[E any](in <-chan E, sub event.Subscription, out chan<- Event, translate func(E) Event) {
	defer close(out)
	put := func(e E) {
		select {
		case out <- translate(e):
		default:
		}
	}
	for {
		select {
		case e := <-in:
			put(e)
		case <-sub.Err():
			for {
				select {
				case e := <-in:
					put(e)
				default:
					return
				}
			}
		}
	}
}
