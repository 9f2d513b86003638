//lint:file-ignore SA1019 the replacements know only the NIST curves

package rlpx

import (
	"crypto/ecdsa"
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/ethereum/go-ethereum/crypto"
)

const (
	secretSize    = 32 // private key, x-coordinate, nonce, hash
	pointSize     = 64 // public key on the wire: x and y
	signatureSize = 65 // r, s, recovery id 0..3

	uncompressed = 0x04 // prefix of a point in the 65-byte form
)

// point is a point of secp256k1. Every point that comes from outside is made by parsePoint or checkKey, so that one that
// exists is on the curve: secp256k1 has prime order, hence no other check is needed before multiplying with it.
type point struct{ x, y *big.Int }

var (
	// generator stands in for points that a remote failed to provide.
	generator = point{crypto.S256().Params().Gx, crypto.S256().Params().Gy}
	// order is the number of points: private keys are below it.
	order = crypto.S256().Params().N
)

// parsePoint reads the 64 bytes of a public key. If they are no point of the curve, or have a coordinate that is not
// reduced modulo the field's prime, it returns the generator and false.
func parsePoint(b []byte) (point, bool) {
	if len(b) != pointSize {
		return generator, false
	}
	// The coordinates are checked against the prime before anything is computed with them: not all curve code stands
	// larger ones.
	var x, y secp256k1.FieldVal
	if x.SetByteSlice(b[:secretSize]) || y.SetByteSlice(b[secretSize:]) || !onCurve(&x, &y) {
		return generator, false
	}
	return point{new(big.Int).SetBytes(b[:secretSize]), new(big.Int).SetBytes(b[secretSize:])}, true
}

// onCurve checks y² = x³ + 7.
func onCurve(x, y *secp256k1.FieldVal) bool {
	var left, right secp256k1.FieldVal
	left.SquareVal(y).Normalize()
	right.SquareVal(x).Mul(x).AddInt(7).Normalize()
	return left.Equals(&right)
}

// parsePrefixedPoint reads the 65 bytes of a public key in uncompressed form.
func parsePrefixedPoint(b []byte) (point, bool) {
	if len(b) != 1+pointSize || b[0] != uncompressed {
		return generator, false
	}
	return parsePoint(b[1:])
}

// checkKey returns the point of a public key that the program provides.
func checkKey(key *ecdsa.PublicKey) (point, error) {
	if key == nil || key.X == nil || key.Y == nil {
		return generator, ErrBadKey
	}
	if key.X.Sign() < 0 || key.Y.Sign() < 0 || key.X.BitLen() > 8*secretSize || key.Y.BitLen() > 8*secretSize {
		return generator, ErrBadKey
	}
	var b [pointSize]byte
	point{key.X, key.Y}.put(b[:])
	p, ok := parsePoint(b[:])
	if !ok {
		return generator, ErrBadKey
	}
	return p, nil
}

// put writes the point's 64 bytes.
func (p point) put(b []byte) {
	p.x.FillBytes(b[:secretSize])
	p.y.FillBytes(b[secretSize:pointSize])
}

// key returns the point as a public key.
func (p point) key() *ecdsa.PublicKey {
	return &ecdsa.PublicKey{Curve: crypto.S256(), X: p.x, Y: p.y}
}

// secret is a private key: a number in 1..N-1, big-endian.
type secret [secretSize]byte

// shared returns the Diffie-Hellman secret with the owner of p: the x-coordinate of the product (rlpx.md, "Notation").
func (s *secret) shared(p point) (z [secretSize]byte) {
	multiply(p, s).FillBytes(z[:])
	return z
}

// The operations that cost nearly all the time of a handshake. They are variables so that the tests can count them: how
// often they run must not tell a remote what was wrong with its packet.
var (
	multiply = func(p point, s *secret) *big.Int {
		x, _ := crypto.S256().ScalarMult(p.x, p.y, s[:])
		return x
	}
	ecrecover = crypto.Ecrecover
)

// sign returns a recoverable signature of hash.
func (s *secret) sign(hash [secretSize]byte) ([]byte, error) {
	key := &ecdsa.PrivateKey{D: new(big.Int).SetBytes(s[:])}
	key.Curve = crypto.S256()
	return crypto.Sign(hash[:], key)
}

// substituteSignature is one that recovers to some point whatever the hash: r is the generator's x-coordinate, s is 1.
var substituteSignature = func() (sig [signatureSize]byte) {
	generator.x.FillBytes(sig[:secretSize])
	sig[2*secretSize-1] = 1
	return sig
}()

// recoverSigner returns the public key whose owner signed hash. If there is none it does the work for another signature
// and returns some point and false.
func recoverSigner(hash [secretSize]byte, sig [signatureSize]byte) (point, bool) {
	if sig[signatureSize-1] <= 3 {
		if key, err := ecrecover(hash[:], sig[:]); err == nil {
			return parsePrefixedPoint(key)
		}
	}
	if key, err := ecrecover(hash[:], substituteSignature[:]); err == nil {
		p, _ := parsePrefixedPoint(key)
		return p, false
	}
	return generator, false
}

// identity is a node's static key, in the forms the handshake needs.
type identity struct {
	secret secret
	public point
}

// newIdentity checks and converts a private key.
func newIdentity(key *ecdsa.PrivateKey) (*identity, error) {
	if key == nil || key.D == nil || key.D.Sign() <= 0 || key.D.Cmp(order) >= 0 {
		return nil, ErrBadKey
	}
	public, err := checkKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	id := &identity{public: public}
	key.D.FillBytes(id.secret[:])
	return id, nil
}
