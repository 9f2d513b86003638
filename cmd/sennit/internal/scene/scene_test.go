package scene

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"
	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/protocols/eth"
)

func TestMain(m *testing.M) {
	// Of the node database: it ends by itself, a second after the database was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

func TestAMessageAFileAndHeadersCrossOneLinkAtOnce(t *testing.T) {
	var out bytes.Buffer
	if err := Run(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, part := range []string{"one link, lanes/1", "bzz/", "bzz-retrieve/", "eth/", "hive/", "shh/6", "eth: 50000 headers", "was sealed, sent and read", "chunk by chunk"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in\n%s", part, &out)
		}
	}
}

func TestTheEndOfTheContextEndsTheScene(t *testing.T) {
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(enough)
	if err := Run(ctx, new(bytes.Buffer)); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestTheChainIsAChain(t *testing.T) {
	c := newChain(100)
	var _ eth.Backend = c
	for i := range uint64(100) {
		hash, ok := c.Hash(i)
		n, canonical, known := c.Number(hash)
		if !ok || !canonical || !known || n != i || len(c.Header(hash)) == 0 || !bytes.Equal(c.Body(hash), emptyBody) || c.Receipts(hash) == nil {
			t.Fatalf("block %d: %v", i, hash)
		}
	}
	if _, ok := c.Hash(100); ok || c.Header([32]byte{}) != nil || c.Body([32]byte{}) != nil || c.Receipts([32]byte{}) != nil {
		t.Error("a block that does not exist is known")
	}
	var _ rlp.RawValue = c.PooledTransaction([32]byte{})
	if last, _ := c.Hash(99); c.Head().Hash != last || c.Head().Number != 99 {
		t.Errorf("head %+v", c.Head())
	}
}
