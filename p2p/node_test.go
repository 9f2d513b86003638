package p2p

import (
	"net"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

func TestTheNodeOfAConnectionIsTheOneThatEnodeMakes(t *testing.T) {
	key := &newKey(t).PublicKey
	keyID := enode.PubkeyToIDV4(key)
	tests := map[string]struct {
		ip   net.IP
		port int
	}{
		"IPv4":         {net.IPv4(192, 0, 2, 1).To4(), 30303},
		"IPv4 in IPv6": {net.IPv4(192, 0, 2, 1), 30303},
		"IPv6":         {net.ParseIP("2001:db8::1"), 1},
		"no port":      {net.IPv4(127, 0, 0, 1), 0},
		"no address":   {nil, 0},
	}
	for name, tt := range tests {
		got, want := checkedNode(key, keyID, tt.ip, tt.port), enode.NewV4(key, tt.ip, tt.port, tt.port)
		gotRecord, _ := rlp.EncodeToBytes(got.Record())
		wantRecord, _ := rlp.EncodeToBytes(want.Record())
		if got.URLv4() != want.URLv4() || got.String() != want.String() || string(gotRecord) != string(wantRecord) {
			t.Errorf("%s: got %v, %x, want %v, %x", name, got, gotRecord, want, wantRecord)
		}
		if got.ID() != want.ID() || !got.Pubkey().Equal(want.Pubkey()) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}
