//go:build !amd64

package keccak

// wide is whether blocks8 can be used.
var wide = false

func blocks8(*[Lanes * Size]byte, *[Lanes * BlockSize]byte, uint64) {
	panic("keccak: no wide hash on this processor")
}
