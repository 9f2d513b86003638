package interop

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/file"
)

// TestLaterSwarmExchangesChunksAndFiles links a node of both dialects to Swarm 0.5.8, either side dialing, and has chunks and
// files of 3 MB go either way by retrieval.
func TestLaterSwarmExchangesChunksAndFiles(t *testing.T) {
	t.Parallel()
	for _, weDial := range []bool{true, false} {
		t.Run(map[bool]string{true: "we dial", false: "they dial"}[weDial], func(t *testing.T) {
			t.Parallel()
			ours := startOurs(t, nil)
			var theirs *counterpart
			if weDial {
				theirs = startCounterpart(t, "swarm5", "")
				ours.server.AddPeer(theirs.node)
			} else {
				theirs = startCounterpart(t, "swarm5", "", "-dial", ours.server.Self().URLv4())
			}
			theirs.expect("RUN+ " + id(ours.server.Self()) + " bzz-retrieve")
			theirs.Say("put of theirs")
			theirs.expect("PUT ")
			got, err := ours.Get(context.Background(), smallChunk(t, "of theirs").Address())
			if err != nil || string(got.Payload()) != "of theirs" {
				t.Fatalf("got %q, %v", got.Payload(), err)
			}
			path, content := randomFile(t, 3_000_000)
			theirs.Say("upload %s", path)
			hash := strings.Fields(theirs.expect("UPLOADED "))[1]
			if !bytes.Equal(ours.download(t, hash), content) {
				t.Error("what we download is not what they uploaded")
			}
			_, content = randomFile(t, 3_000_000)
			theirs.Say("download %v %s", ours.upload(t, content, file.SplitOptions{}), path)
			if l := theirs.expect("DOWNLOADED "); l != fmt.Sprintf("DOWNLOADED %d <nil>", len(content)) {
				t.Fatal(l)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
				t.Errorf("what they download is not what we uploaded: %v", err)
			}
			if s := ours.Stats(); s.Invalid != 0 || s.Peers != 1 || s.Queued != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestLaterSwarmSyncs is TestSwarmSyncs with Swarm 0.5.8.
func TestLaterSwarmSyncs(t *testing.T) {
	t.Parallel()
	ours := startOurs(t, nil)
	theirs := startCounterpart(t, "swarm5", "", "-sync")
	path, content := randomFile(t, 10_000_000)
	theirs.Say("upload %s", path)
	theirs.expect("UPLOADED ")
	_, mine := randomFile(t, 10_000_000)
	ours.upload(t, mine, file.SplitOptions{})
	ours.server.AddPeer(theirs.node)
	began := time.Now()
	for _, addr := range addresses(t, content) {
		ours.awaitChunk(t, addr)
	}
	for _, addr := range addresses(t, mine) {
		awaitTheirs(t, theirs, addr.String())
	}
	t.Logf("synced after %v: %+v", time.Since(began).Round(time.Millisecond), ours.Stats())
	<-time.After(time.Until(began.Add(45 * time.Second))) // longer than any timer of theirs
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

// TestLaterSwarmFindsNodesThroughOthers has two nodes meet that know a third in common.
func TestLaterSwarmFindsNodesThroughOthers(t *testing.T) {
	t.Parallel()
	ours, middle := startOurs(t, nil), startCounterpart(t, "swarm5", "")
	other := startCounterpart(t, "swarm5", "", "-dial", middle.node.URLv4())
	middle.expect("RUN+ " + id(other.node) + " hive")
	ours.server.AddPeer(middle.node)
	other.expect("RUN+ " + id(ours.server.Self()) + " hive") // it, or we, have dialed
}

// TestLaterSwarmLight links light nodes of either kind.
func TestLaterSwarmLight(t *testing.T) {
	t.Parallel()
	ours, light := startOurs(t, nil), startOurs(t, func(c *bzz.Config) { c.Light = true })
	theirs := startCounterpart(t, "swarm5", "", "-light", "-dial", ours.server.Self().URLv4())
	full := startCounterpart(t, "swarm5", "", "-sync")
	c := smallChunk(t, "of ours")
	if err := ours.Put(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	theirs.Say("get %v", c.Address())
	if l := theirs.expect("GOT "); l != `GOT "of ours" <nil>` {
		t.Error(l)
	}
	full.Say("put of theirs")
	full.expect("PUT ")
	light.server.AddPeer(full.node)
	if _, err := light.Get(context.Background(), smallChunk(t, "of theirs").Address()); err != nil {
		t.Error(err)
	}
}

// TestSwarmsOfTwoGenerationsMeet has a node of ours stand between 1.8.27 and 0.5.8: what one puts, the other gets.
func TestSwarmsOfTwoGenerationsMeet(t *testing.T) {
	t.Parallel()
	ours := startOurs(t, nil)
	early := startSwarm(t, "-dial", ours.server.Self().URLv4())
	later := startCounterpart(t, "swarm5", "", "-dial", ours.server.Self().URLv4())
	early.expect("RUN+ " + id(ours.server.Self()) + " stream")
	later.expect("RUN+ " + id(ours.server.Self()) + " bzz-retrieve")
	for _, d := range []struct{ from, to *counterpart }{{early, later}, {later, early}} {
		path, content := randomFile(t, 1_000_000)
		d.from.Say("upload %s", path)
		hash := strings.Fields(d.from.expect("UPLOADED "))[1]
		d.to.Say("download %s %s", hash, path+".to")
		if l := d.to.expect("DOWNLOADED "); l != "DOWNLOADED 1000000 <nil>" {
			t.Fatal(l)
		}
		if got, err := os.ReadFile(path + ".to"); err != nil || !bytes.Equal(got, content) {
			t.Errorf("another content: %v", err)
		}
	}
}
