// Package mpt computes roots of Merkle Patricia tries (Yellow Paper, appendix D) from all of their entries at once. go-ethereum's
// package trie brings a database along; roots are all that is needed here.
package mpt

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// Pair is an entry of a trie.
type Pair struct{ Key, Value []byte }

// Root is the root of the trie with the entries. No key is a prefix of another. It changes the order of pairs.
func Root(pairs []Pair) common.Hash {
	if len(pairs) == 0 {
		return types.EmptyRootHash
	}
	slices.SortFunc(pairs, func(a, b Pair) int { return bytes.Compare(a.Key, b.Key) })
	return crypto.Keccak256Hash(appendNode(nil, pairs, 0))
}

// ListRoot is the root of the trie that has the items of a list by their RLP encoded index: transactions, receipts,
// withdrawals. An item that is a string stands for its content, one that is a list for itself.
func ListRoot(list []byte) (common.Hash, error) {
	n, err := rlp.CountValues(list)
	if err != nil {
		return common.Hash{}, err
	}
	pairs := make([]Pair, 0, min(n, len(list)))
	for i := uint64(0); len(list) > 0; i++ {
		kind, value, rest, err := rlp.Split(list)
		if err != nil {
			return common.Hash{}, err
		}
		if kind == rlp.List {
			value = list[:len(list)-len(rest)]
		}
		pairs = append(pairs, Pair{rlp.AppendUint64(nil, i), value})
		list = rest
	}
	return Root(pairs), nil
}

// nibble is one of the half bytes of a key, the high one of the first byte first.
func nibble(key []byte, i int) byte {
	if i%2 == 0 {
		return key[i/2] >> 4
	}
	return key[i/2] & 15
}

// appendNode appends the node below which the pairs stand, which are sorted and have the nibbles before depth in common.
func appendNode(dst []byte, pairs []Pair, depth int) []byte {
	first, last := pairs[0].Key, pairs[len(pairs)-1].Key
	if len(pairs) == 1 {
		path := appendString(nil, hexPrefix(first, depth, 2*len(first), 2))
		return appendList(dst, appendString(path, pairs[0].Value))
	}
	fork := depth
	for nibble(first, fork) == nibble(last, fork) {
		fork++
	}
	if fork > depth {
		path := appendString(nil, hexPrefix(first, depth, fork, 0))
		return appendList(dst, appendChild(path, pairs, fork))
	}
	var children []byte
	for n := byte(0); n < 16; n++ {
		end := 0
		for end < len(pairs) && nibble(pairs[end].Key, depth) == n {
			end++
		}
		if end == 0 {
			children = append(children, 0x80)
			continue
		}
		children = appendChild(children, pairs[:end], depth+1)
		pairs = pairs[end:]
	}
	return appendList(dst, append(children, 0x80))
}

// appendChild appends what a node says of a node below it: its hash, or the node itself if that is shorter.
func appendChild(dst []byte, pairs []Pair, depth int) []byte {
	node := appendNode(nil, pairs, depth)
	if len(node) < common.HashLength {
		return append(dst, node...)
	}
	return appendString(dst, crypto.Keccak256(node))
}

// hexPrefix packs the nibbles from one place of a key to another; flag is 2 for the end of a key, else 0.
func hexPrefix(key []byte, from, to int, flag byte) []byte {
	out := make([]byte, 0, 1+(to-from)/2)
	if (to-from)%2 == 1 {
		out = append(out, (flag+1)<<4|nibble(key, from))
		from++
	} else {
		out = append(out, flag<<4)
	}
	for ; from < to; from += 2 {
		out = append(out, nibble(key, from)<<4|nibble(key, from+1))
	}
	return out
}

// appendString appends the RLP string with a content.
func appendString(dst, content []byte) []byte {
	if len(content) == 1 && content[0] < 0x80 {
		return append(dst, content[0])
	}
	return append(appendHead(dst, 0x80, len(content)), content...)
}

// appendList appends the RLP list with a content.
func appendList(dst, content []byte) []byte {
	return append(appendHead(dst, 0xc0, len(content)), content...)
}

// appendHead appends what stands before n bytes of content of a string (kind 0x80) or a list (kind 0xc0).
func appendHead(dst []byte, kind byte, n int) []byte {
	if n < 56 {
		return append(dst, kind+byte(n))
	}
	size := bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, uint64(n)), "\x00")
	return append(append(dst, kind+55+byte(len(size))), size...)
}
