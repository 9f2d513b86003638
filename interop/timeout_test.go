package interop

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sennit-net/sennit/interop/stack"
)

// TestSilentRemotesAreDropped at each stage: before the handshake after 5 s, before Hello after 5 s or 30 s, on a link after 30 s (rlpx,
// limits and timers), never with a Disconnect. That the node waits is not measured, only that it does not wait for ever.
func TestSilentRemotesAreDropped(t *testing.T) {
	eachStack(t, func(t *testing.T, s stack.Stack) {
		t.Parallel()
		h := target(t, s, stack.Config{})
		t.Run("before the handshake", func(t *testing.T) {
			t.Parallel()
			addr, _ := h.Self().TCPEndpoint()
			fd, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer fd.Close()
			if err := fd.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if data, err := io.ReadAll(fd); err != nil || len(data) > 0 {
				t.Errorf("the node sends %x and ends with %v", data, err)
			}
		})
		t.Run("before Hello", func(t *testing.T) {
			t.Parallel()
			c := dialClient(t, stack.Geth{}, h, stack.NewKey())
			if code, data, err := c.next(); err != nil || code != stack.HelloCode {
				t.Fatalf("no Hello but code %d, %x, error %v", code, data, err)
			}
			if got := c.end(t); got != nil {
				t.Errorf("the node sends Disconnect %x", got)
			}
		})
		t.Run("on a link", func(t *testing.T) {
			t.Parallel()
			c, _ := linked(t, h)
			pings := 0
			for {
				code, data, _, err := c.Read()
				if err != nil {
					break
				}
				if code != stack.PingCode {
					t.Fatalf("code %d, %x on a silent link", code, data)
				}
				pings++
			}
			if pings == 0 {
				t.Error("the node sent no ping")
			}
			if e := awaitEvent(t, h, "drop"); !strings.Contains(e.Error, "timeout") {
				t.Errorf("the drop event says %q", e.Error)
			}
		})
	})
}
