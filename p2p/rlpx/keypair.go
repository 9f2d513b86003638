package rlpx

import (
	"crypto/rand"
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/ethereum/go-ethereum/crypto"
)

// keyPair is an ephemeral key. Each serves one handshake, for one multiplication of the generator (here) and one
// Diffie-Hellman operation (through go-ethereum's crypto, constant-time with cgo).
//
// The multiplication of the generator looks points up in a table and takes time that depends on the key. That can be
// afforded here and nowhere else: to gain a key from timing takes many measurements of the same key, and of each
// ephemeral key there is exactly one, spread over the rest of a handshake; and the key is worth one session, not the
// identity of the node. A static key must never come this way.
type keyPair struct {
	secret secret
	public point
}

// newSecret returns a random private key. It is all that an initiator's ephemeral key needs: its public half is not
// sent, the recipient recovers it from the signature.
func newSecret() *secret {
	s, _ := newScalar()
	return s
}

// newScalar returns a random private key in both its forms.
func newScalar() (*secret, *secp256k1.ModNScalar) {
	for {
		s, k := new(secret), new(secp256k1.ModNScalar)
		rand.Read(s[:]) // never fails
		if overflow := k.SetBytes((*[secretSize]byte)(s)); overflow == 0 && !k.IsZero() {
			return s, k
		}
	}
}

// newKeyPairs returns n fresh key pairs. Made together they share one modular inversion, a third of the work for each.
func newKeyPairs(n int) []keyPair {
	pairs := make([]keyPair, n)
	points := make([]secp256k1.JacobianPoint, n)
	for i := range pairs {
		s, k := newScalar()
		pairs[i].secret = *s
		secp256k1.ScalarBaseMultNonConst(k, &points[i])
		k.Zero()
	}
	for i, inverse := range invertZ(points) {
		pairs[i].public = affine(&points[i], &inverse)
	}
	return pairs
}

// invertZ returns the inverses of the Z coordinates, none of which is 0, with one inversion for all of them: that of
// their product, taken apart again (Montgomery's trick).
func invertZ(points []secp256k1.JacobianPoint) []secp256k1.FieldVal {
	products := make([]secp256k1.FieldVal, len(points)) // products[i] is that of all Z before i
	var product secp256k1.FieldVal
	product.SetInt(1)
	for i := range points {
		products[i] = product
		product.Mul(&points[i].Z)
	}
	rest := invert(&product)
	for i := len(points) - 1; i >= 0; i-- {
		products[i].Mul(&rest)
		rest.Mul(&points[i].Z)
	}
	return products
}

// invert returns the inverse of v, which is not 0. The generic inversion of math/big is several times faster than
// exponentiation, but not constant-time; it gets to see only a random multiple of v.
func invert(v *secp256k1.FieldVal) secp256k1.FieldVal {
	var b [secretSize]byte
	var blind, blinded, inverse secp256k1.FieldVal
	for {
		rand.Read(b[:]) // never fails
		if overflow := blind.SetBytes(&b); overflow == 0 && !blind.IsZero() {
			break
		}
	}
	blinded.Mul2(v, &blind).Normalize()
	blinded.PutBytes(&b)
	n := new(big.Int).SetBytes(b[:])
	n.ModInverse(n, crypto.S256().Params().P).FillBytes(b[:])
	inverse.SetBytes(&b)
	inverse.Mul(&blind)
	return inverse
}

// affine returns p as a plain point, given the inverse of its Z coordinate.
func affine(p *secp256k1.JacobianPoint, inverse *secp256k1.FieldVal) point {
	var square, x, y secp256k1.FieldVal
	square.SquareVal(inverse)
	x.Mul2(&p.X, &square).Normalize()
	y.Mul2(&p.Y, square.Mul(inverse)).Normalize()
	var bx, by [secretSize]byte
	x.PutBytes(&bx)
	y.PutBytes(&by)
	return point{new(big.Int).SetBytes(bx[:]), new(big.Int).SetBytes(by[:])}
}
