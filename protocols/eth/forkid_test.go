package eth

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"
)

func id(hash string, next uint64) ForkID { return ForkID{Hash: [4]byte(unhex(hash)), Next: next} }

func TestForkIDsOfThePublicNetworks(t *testing.T) {
	grayGlacier := uint64(15050000)
	tests := []struct {
		network      string
		number, time uint64
		want         ForkID
	}{
		{"mainnet", 0, 0, id("fc64ec04", 1150000)},
		{"mainnet", 1149999, 0, id("fc64ec04", 1150000)},
		{"mainnet", 1150000, 0, id("97c2c34c", 1920000)},
		{"mainnet", 1920000, 0, id("91d1f948", 2463000)},
		{"mainnet", 2463000, 0, id("7a64da13", 2675000)},
		{"mainnet", 2675000, 0, id("3edd5b10", 4370000)},
		{"mainnet", 4370000, 0, id("a00bc324", 7280000)},
		{"mainnet", 7280000, 0, id("668db0af", 9069000)},
		{"mainnet", 9069000, 0, id("879d6e30", 9200000)},
		{"mainnet", 9200000, 0, id("e029e991", 12244000)},
		{"mainnet", 12244000, 0, id("0eb440f6", 12965000)},
		{"mainnet", 12965000, 0, id("b715077d", 13773000)},
		{"mainnet", 13773000, 0, id("20c327fc", 15050000)},
		{"mainnet", grayGlacier, 0, id("f0afd0e3", 1681338455)},
		{"mainnet", 20000000, 1681338454, id("f0afd0e3", 1681338455)},
		{"mainnet", 20000000, 1681338455, id("dce96c2d", 1710338135)},
		{"mainnet", 20000000, 1710338135, id("9f3d2254", 1746612311)},
		{"mainnet", 20000000, 1746612311, id("c376cf8b", 1764798551)},
		{"mainnet", 20000000, 1764798551, id("5167e2a6", 1765290071)},
		{"mainnet", 20000000, 1765290071, id("cba2a1c0", 1767747671)},
		{"mainnet", 20000000, 1767747671, id("07c9462e", 0)},
		{"sepolia", 0, 0, id("fe3366e7", 1735371)},
		{"sepolia", 1735371, 0, id("b96cbd13", 1677557088)},
		{"sepolia", 1735372, 1677557088, id("f7f9bc08", 1706655072)},
		{"sepolia", 1735372, 1706655072, id("88cf81d9", 1741159776)},
		{"sepolia", 1735372, 1741159776, id("ed88b5fd", 1760427360)},
		{"sepolia", 1735372, 1760427360, id("e2ae4999", 1761017184)},
		{"sepolia", 1735372, 1761017184, id("56078a1e", 1761607008)},
		{"sepolia", 1735372, 1761607008, id("268956b6", 1791294816)},
		{"sepolia", 1735372, 1791294816, id("6c1d9423", 0)},
	}
	for _, tt := range tests {
		if got := mustNetwork(tt.network).ForkIDAt(tt.number, tt.time); got != tt.want {
			t.Errorf("%s at block %d, time %d: %v, want %v", tt.network, tt.number, tt.time, got, tt.want)
		}
	}
}

func TestForkIDsAreCheckedAsInEIP2124AndEIP6122(t *testing.T) {
	blocks := *mainnet // without the forks by time
	blocks.TimeForks = nil
	const max = math.MaxUint64
	tests := []struct {
		chain        *ChainConfig
		number, time uint64
		remote       ForkID
		want         error
	}{
		{&blocks, 7279999, 0, id("a00bc324", 0), nil},
		{&blocks, 7279999, 0, id("a00bc324", 7280000), nil},
		{&blocks, 7279999, 0, id("a00bc324", max), nil},
		{&blocks, 7279999, 0, id("668db0af", 0), nil},
		{&blocks, 7279999, 0, id("a00bc324", 7279999), ErrIncompatible},
		{&blocks, 7279999, 0, id("5cddc0e1", 0), ErrIncompatible},
		{&blocks, 7987396, 0, id("a00bc324", 7280000), nil},
		{&blocks, 7987396, 0, id("3edd5b10", 4370000), nil},
		{&blocks, 7987396, 0, id("a00bc324", 0), ErrRemoteStale},
		{&blocks, 7987396, 0, id("5cddc0e1", 0), ErrIncompatible},
		{&blocks, 7987396, 0, id("afec6b27", 0), ErrIncompatible},
		{&blocks, 88888888, 0, id("f0afd0e3", 88888888), ErrIncompatible},
		{mainnet, 20000000, 1681338455, id("f0afd0e3", 1681338455), nil},
		{mainnet, 20000000, 1681338455, id("20c327fc", 15050000), nil},
		{mainnet, 20000000, 1681338455, id("f0afd0e3", 0), ErrRemoteStale},
		{mainnet, 20000000, 1681338455, id("dce96c2d", 1710338135), nil},
		{mainnet, 20000000, 1681338455, id("dce96c2d", 0), nil},
		{mainnet, 20000000, 1681338455, id("dce96c2d", 1681338400), ErrIncompatible}, // a time that is behind us
		{mainnet, 20000000, 1681338455, id("9f3d2254", 1746612311), nil},             // ahead of us
		{mainnet, 0, 0, id("07c9462e", 0), nil},
		{mainnet, 0, 1767747671, id("07c9462e", 0), nil}, // our block is behind, whatever its time
	}
	for _, tt := range tests {
		if got := tt.chain.CheckForkID(tt.remote, tt.number, tt.time); !errors.Is(got, tt.want) || (got == nil) != (tt.want == nil) {
			t.Errorf("%v at block %d, time %d: %v, want %v", tt.remote, tt.number, tt.time, got, tt.want)
		}
	}
}

func TestForkIDsHaveTheBytesOfEIP2124(t *testing.T) {
	tests := []struct {
		id   ForkID
		want string
	}{
		{ForkID{}, "c6840000000080"},
		{id("deadbeef", 0xbaddcafe), "ca84deadbeef84baddcafe"},
		{id("ffffffff", math.MaxUint64), "ce84ffffffff88ffffffffffffffff"},
	}
	for _, tt := range tests {
		w := rlp.NewEncoderBuffer(nil)
		tt.id.write(w)
		if got := hex.EncodeToString(w.ToBytes()); got != tt.want {
			t.Errorf("%v is %s, want %s", tt.id, got, tt.want)
		}
		back, rest, err := splitForkID(unhex(tt.want))
		if back != tt.id || len(rest) > 0 || err != nil {
			t.Errorf("%s is %v, %d bytes left, %v", tt.want, back, len(rest), err)
		}
	}
	for _, bad := range []string{"", "80", "c0", "c58300000080", "c784000000008001", "c98400000000830000ff"} {
		if got, _, err := splitForkID(unhex(bad)); err == nil {
			t.Errorf("%s passed as %v", bad, got)
		}
	}
}

func TestForksAtTheGenesisBlockDoNotCount(t *testing.T) {
	c := mustNetwork("hoodi")
	if len(c.BlockForks) != 0 || len(c.TimeForks) == 0 || c.TimeForks[0] <= c.GenesisTime {
		t.Errorf("blocks %v, times %v, genesis %d", c.BlockForks, c.TimeForks, c.GenesisTime)
	}
	if _, err := Network("ropsten"); err == nil || fmt.Sprint(err) == "" {
		t.Error("ropsten is known")
	}
	for _, name := range Networks() {
		if !slices.IsSorted(mustNetwork(name).TimeForks) {
			t.Errorf("%s: the forks are not in order", name)
		}
	}
}
