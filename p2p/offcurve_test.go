package p2p

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"math/big"
	"net"
	"net/netip"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// offCurve are public keys, 64 bytes, that are no point of the curve in its one form.
func offCurve() map[string][]byte {
	curve := crypto.S256().Params()
	pair := func(x, y *big.Int) []byte {
		return append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)
	}
	return map[string][]byte{
		"zero":          make([]byte, 64),
		"off the curve": pair(curve.Gx, new(big.Int).Add(curve.Gy, big.NewInt(1))),
		"on the twist":  pair(big.NewInt(5), curve.Gy), // no point has this x
		"x is prime":    pair(curve.P, curve.Gy),
		"y is prime":    pair(curve.Gx, curve.P),
		"all ones":      bytes.Repeat([]byte{0xff}, 64),
	}
}

// offCurveRecords are the compressed forms that stand for no point.
func offCurveRecords() map[string][]byte {
	forms := map[string][]byte{"no bytes": {}, "no prefix": make([]byte, 32), "prefix 4": append([]byte{4}, big.NewInt(1).FillBytes(make([]byte, 32))...)}
	for name, x := range map[string][]byte{
		"x of no point":      big.NewInt(5).FillBytes(make([]byte, 32)),
		"x is the prime":     crypto.S256().Params().P.Bytes(),
		"x beyond the prime": bytes.Repeat([]byte{0xff}, 32),
	} {
		forms[name] = append([]byte{2}, x...)
	}
	return forms
}

func TestNodeURLsWithAKeyOffTheCurveAreRefused(t *testing.T) {
	good := hex.EncodeToString(crypto.FromECDSAPub(&keyB.PublicKey)[1:])
	if _, err := enode.Parse(enode.ValidSchemes, "enode://"+good+"@127.0.0.1:30303"); err != nil {
		t.Fatalf("a good URL: %v; the bad ones would prove nothing", err)
	}
	for name, key := range offCurve() {
		n, err := enode.Parse(enode.ValidSchemes, "enode://"+hex.EncodeToString(key)+"@127.0.0.1:30303")
		if err == nil {
			t.Errorf("%s: node %v", name, n)
		}
	}
}

func TestNodeRecordsWithAKeyOffTheCurveAreRefused(t *testing.T) {
	var record enr.Record
	record.Set(enr.IPv4Addr(netip.MustParseAddr("127.0.0.1")))
	record.Set(enr.TCP(30303))
	if err := enode.SignV4(&record, keyB); err != nil {
		t.Fatal(err)
	}
	good, err := rlp.EncodeToBytes(&record)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(b []byte) error {
		_, err := enode.Parse(enode.ValidSchemes, "enr:"+base64.RawURLEncoding.EncodeToString(b))
		return err
	}
	if err := parse(good); err != nil {
		t.Fatalf("a good record: %v; the bad ones would prove nothing", err)
	}
	key := crypto.CompressPubkey(&keyB.PublicKey)
	for name, form := range offCurveRecords() {
		if len(form) != len(key) {
			continue // would need other lengths around it
		}
		bad := bytes.Replace(good, key, form, 1)
		if err := parse(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// unsignedNode returns a node whose record nobody has checked, with these bytes for a key: what a program can make by
// itself, and a test's identity scheme lets through.
func unsignedNode(key []byte, addr netip.AddrPort) *enode.Node {
	record := new(enr.Record)
	record.Set(enr.IPv4Addr(addr.Addr()))
	record.Set(enr.TCP(addr.Port()))
	record.Set(enr.WithEntry("secp256k1", key))
	return enode.SignNull(record, enode.ID{1})
}

func TestNodesWithAKeyOffTheCurveAreSentNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := make(chan []byte, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			fd, err := l.Accept()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(fd)
			fd.Close()
			heard <- b
		}
	}()
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	for name, key := range offCurveRecords() {
		node := unsignedNode(key, addr)
		r, err := Probe(t.Context(), ProbeConfig{}, node)
		probeError(t, err, "node", "no secp256k1 key")
		if r != nil {
			t.Errorf("%s: probed %+v", name, r)
		}
		rec := new(refusals)
		srv := startTestServer(t, func(srv *Server) { srv.Recorder, srv.NoDial = rec, false })
		srv.AddPeer(node)
		if ev := rec.last(t, 1); ev.Err != errNoPublicKey {
			t.Errorf("%s: recorded %+v", name, ev)
		}
		if b := <-heard; len(b) != 0 {
			t.Errorf("%s: the node was sent %x", name, b)
		}
		srv.Stop()
	}
	l.Close()
	<-ended
}
