//go:build !amd64

package keccak

// width is how many messages this processor hashes at once.
var width = 1

func blocks8(*[8 * Size]byte, *[8 * BlockSize]byte, uint64) {
	panic("keccak: no wide hash on this processor")
}

func blocks4(*[4 * Size]byte, *[4 * BlockSize]byte, uint64) {
	panic("keccak: no wide hash on this processor")
}
