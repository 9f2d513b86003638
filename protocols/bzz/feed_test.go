package bzz

import (
	"encoding/hex"
	"testing"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// Two updates that go-ethereum 1.8.27 has made, at levels 25 and 5.
var feedVectors = []struct{ addr, data string }{
	{"6f7fb1f3e58f81674ba42c62ba4dd0fd3d9c148a6e28ee72f58f0c52d48b6109", "000000000000000073656e6e6974000000000000000000000000000000000000000000000000000071562b71999873db5b286df957af199ec94617f700105e5f00000019616e20757064617465af9457c698acbbe87bc6b960c4129cc7fd1bd7be76a05100b6553207d460ef4205dd0765c6f22a835c834cd93779bc0ee75e970dc5eb91f84bc119b6f828cba501"},
	{"bdd13e6b6383e8d905f4377012d865987f39e242bc1fe3e89d0f7de9bbe0d402", "000000000000000073656e6e6974000000000000000000000000000000000000000000000000000071562b71999873db5b286df957af199ec94617f77856341200000005616e207570646174657c5a978764c8597802d85e91d6b7c64d5d85c34091253c212feecd42cad866a61bcb6b87445b24909623bb76ab969ac6b526294bd5196c937ad9e3e673d4f65101"},
}

func TestUpdatesOfFeedsAreTakenForWhatTheyAre(t *testing.T) {
	for _, v := range feedVectors {
		addr, err := chunk.ParseAddress(v.addr)
		if err != nil {
			t.Fatal(err)
		}
		data, err := hex.DecodeString(v.data)
		if err != nil {
			t.Fatal(err)
		}
		if !isFeedUpdate(addr, data) {
			t.Errorf("%v is no update", addr)
		}
		for i := range data {
			data[i] ^= 1
			if isFeedUpdate(addr, data) {
				t.Errorf("it is one with another byte %d as well", i)
			}
			data[i] ^= 1
		}
		if isFeedUpdate(addr, data[:100]) || isFeedUpdate(chunk.Address{}, data) {
			t.Error("a part of it, or one with another address, is one as well")
		}
	}
}

func TestAnUpdateOfAFeedIsHandedOnLikeAnyChunk(t *testing.T) {
	n := newNode(t, nil)
	addr, _ := chunk.ParseAddress(feedVectors[1].addr)
	data, _ := hex.DecodeString(feedVectors[1].data)
	c, err := chunk.Trusted(addr, data)
	if err != nil {
		t.Fatal(err)
	}
	r := meet(t, n, near(0, 1), false)
	done := getting(n, c)
	r.expectRequest()
	r.deliver(c)
	if err := <-done; err != nil || n.Stats().Invalid != 0 {
		t.Error(err)
	}
}
