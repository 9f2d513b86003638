package shh

import (
	"crypto/ecdsa"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Of a server's node database: it ends by itself, a second after the database was closed.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// offCurve returns a public key that is none.
func offCurve(t testing.TB) *ecdsa.PublicKey {
	key := newKey(t).PublicKey
	//lint:ignore SA1019 there is no other way to make a key of coordinates that are no point
	key.X = key.Y
	return &key
}
