package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/file"
)

// eachSwarm runs a test for either side dialing a Swarm of go-ethereum 1.8.27, and hands it a link that is up.
func eachSwarm(t *testing.T, args []string, f func(*testing.T, *swarmNode, *counterpart)) {
	for _, weDial := range []bool{true, false} {
		name := "we dial"
		if !weDial {
			name = "they dial"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours := startOurs(t, nil)
			var theirs *counterpart
			if weDial {
				theirs = startSwarm(t, args...)
				ours.server.AddPeer(theirs.node)
			} else {
				theirs = startSwarm(t, append(args, "-dial", ours.server.Self().URLv4())...)
			}
			theirs.expect("RUN+ " + id(ours.server.Self()) + " stream")
			f(t, ours, theirs)
		})
	}
}

// TestSwarmExchangesChunksAndFiles has chunks and files of 10 MB go either way by retrieval.
func TestSwarmExchangesChunksAndFiles(t *testing.T) {
	t.Parallel()
	eachSwarm(t, nil, func(t *testing.T, ours *swarmNode, theirs *counterpart) {
		theirs.Say("put of theirs")
		theirs.expect("PUT ")
		got, err := ours.Get(context.Background(), smallChunk(t, "of theirs").Address())
		if err != nil || string(got.Payload()) != "of theirs" {
			t.Fatalf("got %q, %v", got.Payload(), err)
		}
		c := smallChunk(t, "of ours")
		if err := ours.Put(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		theirs.Say("get %v", c.Address())
		if l := theirs.expect("GOT "); l != `GOT "of ours" <nil>` {
			t.Fatal(l)
		}

		path, content := randomFile(t, 10_000_000)
		theirs.Say("upload %s", path)
		hash := strings.Fields(theirs.expect("UPLOADED "))[1]
		began := time.Now()
		if !bytes.Equal(ours.download(t, hash), content) {
			t.Fatal("what we download is not what they uploaded")
		}
		t.Logf("10 MB down in %v", time.Since(began).Round(time.Millisecond))

		_, content = randomFile(t, 10_000_000)
		ref := ours.upload(t, content, file.SplitOptions{})
		began = time.Now()
		theirs.Say("download %v %s", ref, path)
		if l := theirs.expect("DOWNLOADED "); l != fmt.Sprintf("DOWNLOADED %d <nil>", len(content)) {
			t.Fatal(l)
		}
		t.Logf("10 MB up in %v", time.Since(began).Round(time.Millisecond))
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("what they download is not what we uploaded: %v", err)
		}
		if s := ours.Stats(); s.Invalid != 0 || s.Peers != 1 || s.Queued != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestSwarmExchangesEncryptedFiles has encrypted content go either way.
func TestSwarmExchangesEncryptedFiles(t *testing.T) {
	t.Parallel()
	ours, theirs := startOurs(t, nil), startSwarm(t)
	ours.server.AddPeer(theirs.node)
	path, content := randomFile(t, 1_000_000)
	theirs.Say("encrypt %s", path)
	hash := strings.Fields(theirs.expect("UPLOADED "))[1]
	if len(hash) != 128 || !bytes.Equal(ours.download(t, hash), content) {
		t.Errorf("what we download from %s is not what they uploaded", hash)
	}
	ref := ours.upload(t, content, file.SplitOptions{Encrypt: true})
	to := filepath.Join(t.TempDir(), "to")
	theirs.Say("download %v %s", ref, to)
	if l := theirs.expect("DOWNLOADED "); l != "DOWNLOADED 1000000 <nil>" {
		t.Fatal(l)
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, content) {
		t.Errorf("what they download is not what we uploaded: %v", err)
	}
}

// TestSwarmSyncs has chunks that nobody asks for go where they belong: between two nodes that is everywhere. The link then
// stays up beyond the counterpart's timers: pings every 15 s, 30 s for a batch to come, 30 s of silence.
func TestSwarmSyncs(t *testing.T) {
	t.Parallel()
	ours := startOurs(t, func(c *bzz.Config) {
		c.Overlay = smallChunk(t, "before 0").Address() // which shares more bits with it than there are bins
		c.Overlay[chunk.AddressSize-1] ^= 1
	})
	var before []string
	for i := range 300 {
		c := smallChunk(t, fmt.Sprintf("before %d", i))
		before = append(before, c.Address().String())
		if err := ours.Put(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	theirs := startSwarm(t, "-sync", "-dial", ours.server.Self().URLv4())
	for i := range 200 {
		theirs.Say("put theirs before %d", i)
	}
	theirs.expect("RUN+ " + id(ours.server.Self()) + " stream")
	began := time.Now()
	for i := range 200 {
		ours.awaitChunk(t, smallChunk(t, fmt.Sprintf("theirs before %d", i)).Address())
	}
	for _, addr := range before {
		awaitTheirs(t, theirs, addr)
	}
	path, content := randomFile(t, 10_000_000)
	theirs.Say("upload %s", path)
	theirs.expect("UPLOADED ")
	for _, addr := range addresses(t, content) {
		ours.awaitChunk(t, addr)
	}
	_, content = randomFile(t, 10_000_000)
	ours.upload(t, content, file.SplitOptions{})
	for _, addr := range addresses(t, content) {
		awaitTheirs(t, theirs, addr.String())
	}
	t.Logf("synced after %v: %+v", time.Since(began).Round(time.Millisecond), ours.Stats())

	<-time.After(time.Until(began.Add(45 * time.Second)))
	c := smallChunk(t, "in the end")
	if err := ours.Put(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	awaitTheirs(t, theirs, c.Address().String())
	theirs.Say("put theirs in the end")
	ours.awaitChunk(t, smallChunk(t, "theirs in the end").Address())
	if theirs.has("RUN-") {
		t.Errorf("the link did not stay up: %s", theirs.expect("RUN-"))
	}
}

// addresses returns the addresses of the chunks of a file.
func addresses(t *testing.T, content []byte) (list []chunk.Address) {
	t.Helper()
	var mu sync.Mutex
	put := func(_ context.Context, c chunk.Chunk) error {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, c.Address())
		return nil
	}
	if _, _, err := file.Split(context.Background(), bytes.NewReader(content), put, file.SplitOptions{}); err != nil {
		t.Fatal(err)
	}
	return list
}

// awaitTheirs waits until the counterpart has a chunk in its own store.
func awaitTheirs(t *testing.T, theirs *counterpart, addr string) {
	t.Helper()
	timeout, again := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for {
		theirs.Say("has %s", addr)
		if strings.HasSuffix(theirs.expect("HAS "+addr), "true") {
			return
		}
		select {
		case <-again.C:
		case <-timeout:
			t.Fatalf("chunk %s does not reach them", addr)
		}
	}
}

// TestSwarmEnds looks at how each side sees the end of a link.
func TestSwarmEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		end         func(*swarmNode, *counterpart)
		theySee     string // the end of their protocol; "" if they cannot say
		weSee       string // the end as our drop event has it
		eitherWeSee string
	}{
		{"we stop the server", func(o *swarmNode, _ *counterpart) { o.server.Stop() }, "EOF", "client quitting", ""},
		{"we stop the node", func(o *swarmNode, _ *counterpart) { o.Stop() }, "EOF", "client quitting", ""},
		{"they quit", func(_ *swarmNode, c *counterpart) { c.Say("quit") }, "", "client quitting", "subprotocol error"},
		{"they are killed", func(_ *swarmNode, c *counterpart) { c.Kill() }, "", "EOF", "connection reset"},
		{"the connection is cut", func(o *swarmNode, _ *counterpart) { o.conns.cut() }, "EOF", "closed", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := startOurs(t, nil), startSwarm(t)
			ours.server.AddPeer(theirs.node)
			theirs.expect("RUN+ " + id(ours.server.Self()) + " stream")
			theirs.Say("put x")
			theirs.expect("PUT ")
			if _, err := ours.Get(context.Background(), smallChunk(t, "x").Address()); err != nil {
				t.Fatal(err)
			}
			test.end(ours, theirs)
			e := ours.event(t, p2p.PeerEventTypeDrop, theirs.node)
			if !strings.Contains(e.Error, test.weSee) && (test.eitherWeSee == "" || !strings.Contains(e.Error, test.eitherWeSee)) {
				t.Errorf("the drop event says %q, want %q", e.Error, test.weSee)
			}
			if test.theySee != "" {
				for _, proto := range []string{"bzz", "hive", "stream"} {
					if l := theirs.expect("RUN- " + id(ours.server.Self()) + " " + proto); !strings.HasSuffix(l, test.theySee) {
						t.Errorf("they say %q", l)
					}
				}
			}
		})
	}
}

// TestSwarmRefusesOtherNetworks looks at what becomes of nodes of another network, in both directions.
func TestSwarmRefusesOtherNetworks(t *testing.T) {
	t.Parallel()
	eachSwarm(t, []string{"-network", "7"}, func(t *testing.T, ours *swarmNode, theirs *counterpart) {
		ours.event(t, p2p.PeerEventTypeDrop, theirs.node)
		theirs.expect("RUN- " + id(ours.server.Self()) + " stream")
		if s := ours.Stats(); s.Peers != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestSwarmLight links light nodes of either kind.
func TestSwarmLight(t *testing.T) {
	t.Parallel()
	t.Run("theirs", func(t *testing.T) {
		t.Parallel()
		ours := startOurs(t, nil)
		theirs := startSwarm(t, "-light", "-dial", ours.server.Self().URLv4())
		theirs.expect("RUN+ " + id(ours.server.Self()) + " stream")
		c := smallChunk(t, "of ours")
		if err := ours.Put(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		theirs.Say("get %v", c.Address())
		if l := theirs.expect("GOT "); l != `GOT "of ours" <nil>` {
			t.Error(l)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := ours.Get(ctx, smallChunk(t, "x").Address()); !errors.Is(err, context.DeadlineExceeded) || ours.Stats().Asked != 0 {
			t.Errorf("a light node is asked for a chunk: %v, %+v", err, ours.Stats())
		}
		if theirs.has("RUN-") {
			t.Error("the link has ended")
		}
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		ours := startOurs(t, func(c *bzz.Config) { c.Light = true })
		theirs := startSwarm(t, "-sync", "-delay", "100ms", "-dial", ours.server.Self().URLv4())
		path, content := randomFile(t, 1_000_000)
		theirs.Say("upload %s", path)
		hash := strings.Fields(theirs.expect("UPLOADED "))[1]
		if !bytes.Equal(ours.download(t, hash), content) {
			t.Error("what we download is not what they uploaded")
		}
		if theirs.has("RUN-") {
			t.Error("the link has ended")
		}
	})
}

// TestSwarmFindsNodesThroughOthers has two nodes meet that know a third in common, and a chunk come over one in between.
func TestSwarmFindsNodesThroughOthers(t *testing.T) {
	t.Parallel()
	ours, middle := startOurs(t, nil), startSwarm(t)
	other := startSwarm(t, "-dial", middle.node.URLv4())
	middle.expect("RUN+ " + id(other.node) + " hive")
	ours.server.AddPeer(middle.node)
	other.expect("RUN+ " + id(ours.server.Self()) + " stream") // it, or we, have dialed
	t.Logf("%+v", ours.Stats())
}

// TestSwarmHandsRequestsOn has chunks found two links away, in both directions.
func TestSwarmHandsRequestsOn(t *testing.T) {
	t.Parallel()
	middle := startOurs(t, func(c *bzz.Config) { c.NoDial, c.NoSync = true, true })
	far := startSwarm(t, "-dial", middle.server.Self().URLv4())
	far.expect("RUN+ " + id(middle.server.Self()) + " stream")
	far.Say("put far away")
	far.expect("PUT ")
	asking := startSwarm(t, "-dial", middle.server.Self().URLv4(), "-light")
	asking.expect("RUN+ " + id(middle.server.Self()) + " stream")
	asking.Say("get %v", smallChunk(t, "far away").Address())
	if l := asking.expect("GOT "); l != `GOT "far away" <nil>` {
		t.Error(l)
	}
}

// TestSwarmNetwork has five nodes of theirs and two of ours find each other through one of them, sync, and fetch from one
// another what each has put. Nobody of theirs may find fault with ours; among themselves they do, because they send Quit for
// streams that the other does not know.
func TestSwarmNetwork(t *testing.T) {
	t.Parallel()
	var theirs []*counterpart
	boot := startSwarm(t, "-sync", "-delay", "1s")
	theirs = append(theirs, boot)
	for range 4 {
		theirs = append(theirs, startSwarm(t, "-sync", "-delay", "1s", "-dial", boot.node.URLv4()))
	}
	var ours []*swarmNode
	for range 2 {
		s := startOurs(t, nil)
		s.server.AddPeer(boot.node)
		ours = append(ours, s)
	}
	for _, s := range ours {
		boot.expect("RUN+ " + id(s.server.Self()) + " stream")
	}
	var hashes []string
	for i, c := range theirs {
		for j := range 20 {
			text := fmt.Sprintf("chunk %d of node %d", j, i)
			c.Say("put %s", text)
			hashes = append(hashes, smallChunk(t, text).Address().String())
		}
	}
	for i, s := range ours {
		for j := range 20 {
			chunk := smallChunk(t, fmt.Sprintf("chunk %d of our node %d", j, i))
			if err := s.Put(context.Background(), chunk); err != nil {
				t.Fatal(err)
			}
			hashes = append(hashes, chunk.Address().String())
		}
	}
	for _, hash := range hashes {
		addr, err := chunk.ParseAddress(hash)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range ours {
			if _, err := s.Get(context.Background(), addr); err != nil {
				t.Errorf("we do not find %s: %v", hash, err)
			}
		}
		for i, c := range theirs {
			c.Say("get %s", hash)
			if l := c.expect("GOT "); !strings.HasSuffix(l, " <nil>") {
				t.Errorf("node %d of theirs does not find %s: %s", i, hash, l)
			}
		}
	}
	<-time.After(10 * time.Second) // for what is synced to change as peers come and go
	for _, s := range ours {
		for i, c := range theirs {
			if prefix := "RUN- " + id(s.server.Self()) + " stream"; c.has(prefix) {
				t.Errorf("a link of node %d with ours has ended: %s", i, c.expect(prefix))
			}
		}
	}
}
