package p2p

import (
	"crypto/ecdsa"
	"net"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/p2p/netutil"
)

// known returns the node at the other end: the one that was dialed, and for an inbound connection one made of what is known
// of it, its key and where it comes from. The ports are those of the connection, as in go-ethereum, so they are not where
// the node listens. Most peers are never asked for it.
func (c *conn) known() *enode.Node {
	if n := c.node.Load(); n != nil {
		return n
	}
	c.node.CompareAndSwap(nil, inboundNode(c.fd.RemoteAddr(), c.id, c.key))
	return c.node.Load()
}

// inboundNode returns the node with the given key, in the form with 65 bytes and checked before, at an address.
func inboundNode(addr net.Addr, id enode.ID, key []byte) *enode.Node {
	public, err := crypto.UnmarshalPubkey(key)
	if err != nil {
		panic(err) // the handshake has refused it
	}
	var port int
	if tcp, ok := addr.(*net.TCPAddr); ok {
		port = tcp.Port
	}
	var ip net.IP
	if a := netutil.AddrAddr(addr); a.IsValid() {
		ip = a.AsSlice()
	}
	return checkedNode(public, id, ip, port)
}

// checkedNode is enode.NewV4(key, ip, port, port) for a key that is known to be good, which NewV4 takes out of the record
// twice again, a square root on the curve each time.
func checkedNode(key *ecdsa.PublicKey, id enode.ID, ip net.IP, port int) *enode.Node {
	var r enr.Record
	if len(ip) > 0 {
		r.Set(enr.IP(ip))
	}
	if port != 0 {
		r.Set(enr.UDP(port))
		r.Set(enr.TCP(port))
	}
	r.Set((*enode.Secp256k1)(key))
	scheme := checkedKey(id)
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
