package explain

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// Fork is the "eth" entry: which forks the node's chain has passed and which it expects (EIP-2124, EIP-6122).
type Fork struct {
	Hash string `json:"hash"` // checksum of genesis and passed forks, 8 hex digits
	Next uint64 `json:"next"` // block number or Unix time of the next fork; 0 if none is known
}

// keys says for each key known here what it means and how its value reads.
var keys = map[string]struct {
	meaning string
	read    func(rlp.RawValue) (string, error)
}{
	"id":        {"identity scheme", readText},
	"secp256k1": {"public key, compressed", readHex},
	"ip":        {"IPv4 address", readIP},
	"ip6":       {"IPv6 address", readIP},
	"tcp":       {"TCP port", readPort},
	"tcp6":      {"TCP port for IPv6", readPort},
	"udp":       {"UDP port", readPort},
	"udp6":      {"UDP port for IPv6", readPort},
	"quic":      {"QUIC port", readPort},
	"quic6":     {"QUIC port for IPv6", readPort},
	"eth":       {"execution chain: fork identifier (EIP-2124)", readFork},
	"eth2":      {"consensus chain: fork digest, next fork version and epoch", readEth2},
	"attnets":   {"consensus chain: attestation subnets", readBits},
	"syncnets":  {"consensus chain: sync committee subnets", readBits},
	"cgc":       {"consensus chain: custody group count", readNumber},
	"snap":      {"serves snap", nil},
	"les":       {"serves light clients", nil},
	"client":    {"client name and version (EIP-7636)", nil},
}

// entries explains the pairs of a record, which are sorted by key already.
func entries(record *enr.Record) ([]Entry, *Fork) {
	var (
		list []Entry
		fork *Fork
	)
	pairs := record.AppendElements(nil)[1:] // without the sequence number
	for i := 0; i+1 < len(pairs); i += 2 {
		key, _ := pairs[i].(string)
		raw, _ := pairs[i+1].(rlp.RawValue)
		known := keys[key]
		entry := Entry{Key: printable([]byte(key)), Meaning: known.meaning, Raw: hex.EncodeToString(raw)}
		if known.read == nil {
			known.read = readAny
		}
		value, err := known.read(raw)
		if err != nil {
			value = fmt.Sprintf("malformed: %v", err)
		} else if key == "eth" {
			fork, _ = parseFork(raw)
		}
		entry.Value = value
		list = append(list, entry)
	}
	return list, fork
}

func readBytes(raw rlp.RawValue) ([]byte, error) {
	var b []byte
	err := rlp.DecodeBytes(raw, &b)
	return b, err
}

func readText(raw rlp.RawValue) (string, error) {
	b, err := readBytes(raw)
	return printable(b), err
}

func readHex(raw rlp.RawValue) (string, error) {
	b, err := readBytes(raw)
	return hex.EncodeToString(b), err
}

func readIP(raw rlp.RawValue) (string, error) {
	b, err := readBytes(raw)
	if err != nil {
		return "", err
	}
	ip, ok := netip.AddrFromSlice(b)
	if !ok {
		return "", fmt.Errorf("%d bytes are not an IP address", len(b))
	}
	return ip.String(), nil
}

func readPort(raw rlp.RawValue) (string, error) {
	var port uint16
	err := rlp.DecodeBytes(raw, &port)
	return fmt.Sprint(port), err
}

func readNumber(raw rlp.RawValue) (string, error) {
	var n uint64
	err := rlp.DecodeBytes(raw, &n)
	return fmt.Sprint(n), err
}

func readBits(raw rlp.RawValue) (string, error) {
	b, err := readBytes(raw)
	set := 0
	for _, x := range b {
		set += bits.OnesCount8(x)
	}
	return fmt.Sprintf("%d of %d (0x%x)", set, 8*len(b), b), err
}

// parseFork reads [[hash, next], ...]; later elements are reserved.
func parseFork(raw rlp.RawValue) (*Fork, error) {
	var entry struct {
		ID struct {
			Hash [4]byte
			Next uint64
		}
		Rest []rlp.RawValue `rlp:"tail"`
	}
	if err := rlp.DecodeBytes(raw, &entry); err != nil {
		return nil, err
	}
	return &Fork{Hash: hex.EncodeToString(entry.ID.Hash[:]), Next: entry.ID.Next}, nil
}

// firstForkTime tells block numbers from times: no chain has so many blocks, and no fork was scheduled by time before
// (EIP-6122).
const firstForkTime = 1_438_269_973 // the time of Ethereum's genesis

func readFork(raw rlp.RawValue) (string, error) {
	fork, err := parseFork(raw)
	if err != nil {
		return "", err
	}
	switch {
	case fork.Next == 0:
		return fmt.Sprintf("fork hash 0x%s, no next fork known", fork.Hash), nil
	case fork.Next >= firstForkTime && fork.Next <= math.MaxInt32:
		return fmt.Sprintf("fork hash 0x%s, next fork at %s", fork.Hash, time.Unix(int64(fork.Next), 0).UTC().Format(time.RFC3339)), nil
	}
	return fmt.Sprintf("fork hash 0x%s, next fork at %d", fork.Hash, fork.Next), nil
}

// readEth2 reads an SSZ ENRForkID: digest 4, next fork version 4, next fork epoch 8 (little-endian).
func readEth2(raw rlp.RawValue) (string, error) {
	b, err := readBytes(raw)
	if err != nil {
		return "", err
	}
	if len(b) != 16 {
		return "", fmt.Errorf("%d bytes, want 16", len(b))
	}
	text := fmt.Sprintf("fork digest 0x%x, next fork version 0x%x", b[:4], b[4:8])
	if epoch := binary.LittleEndian.Uint64(b[8:]); epoch != math.MaxUint64 {
		return fmt.Sprintf("%s at epoch %d", text, epoch), nil
	}
	return text + ", no next fork known", nil
}

// readAny shows a value of unknown meaning: text as text, everything else as the hex of its RLP.
func readAny(raw rlp.RawValue) (string, error) {
	if b, err := readBytes(raw); err == nil && len(b) > 0 && printable(b) == string(b) {
		return string(b), nil
	}
	return fmt.Sprintf("0x%x (RLP)", []byte(raw)), nil
}

// printable returns b as text if it is plain ASCII without control characters, and as hex otherwise: what a remote wrote
// must not reach a terminal as it is.
func printable(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return fmt.Sprintf("0x%x", b)
		}
	}
	return string(b)
}
