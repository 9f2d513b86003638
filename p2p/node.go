package p2p

import (
	"crypto/ecdsa"
	"net"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/p2p/netutil"
)

// nodeOf returns the node of an inbound connection: all we know is its key and where it comes from. The ports are those
// of the connection, as in go-ethereum, so they are not where the node listens.
func nodeOf(fd net.Conn, key *ecdsa.PublicKey) *enode.Node {
	var port int
	if tcp, ok := fd.RemoteAddr().(*net.TCPAddr); ok {
		port = tcp.Port
	}
	ip := netutil.AddrAddr(fd.RemoteAddr())
	if !ip.IsValid() {
		return checkedNode(key, nil, port)
	}
	return checkedNode(key, ip.AsSlice(), port)
}

// checkedNode is enode.NewV4(key, ip, port, port) for a key that is known to be good, which NewV4 takes out of the record
// twice again, a square root on the curve each time.
func checkedNode(key *ecdsa.PublicKey, ip net.IP, port int) *enode.Node {
	var r enr.Record
	if len(ip) > 0 {
		r.Set(enr.IP(ip))
	}
	if port != 0 {
		r.Set(enr.UDP(port))
		r.Set(enr.TCP(port))
	}
	r.Set((*enode.Secp256k1)(key))
	scheme := checkedKey(enode.PubkeyToIDV4(key))
	if err := r.SetSig(scheme, []byte{}); err != nil {
		panic(err) // the record is too large: these entries are not
	}
	n, err := enode.New(scheme, &r)
	if err != nil {
		panic(err) // the scheme refuses nothing
	}
	return n
}

// checkedKey is the identity scheme of an unsigned record whose key was checked before; it is the node's ID.
type checkedKey enode.ID

func (checkedKey) Verify(*enr.Record, []byte) error { return nil }

func (id checkedKey) NodeAddr(*enr.Record) []byte { return id[:] }
