package eth

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/google/go-cmp/cmp"
)

// twoReceipts are those of the vectors of EIP-2481, a legacy one and one of type 1.
func twoReceipts() []*types.Receipt {
	list := []*types.Receipt{
		{Type: 0, Status: 0, CumulativeGasUsed: 1, Logs: []*types.Log{{
			Address: common.BytesToAddress([]byte{0x11}),
			Topics:  []common.Hash{common.HexToHash("dead"), common.HexToHash("beef")},
			Data:    []byte{1, 0, 0xff},
		}}},
		{Type: 1, Status: 1, CumulativeGasUsed: 444, Logs: []*types.Log{{
			Address: common.BytesToAddress([]byte{0x22}),
			Topics:  []common.Hash{common.HexToHash("05668"), common.HexToHash("9773")},
			Data:    []byte{2, 0xf, 0xf, 0xf, 6, 8},
		}}},
	}
	for _, r := range list {
		r.Bloom = types.CreateBloom(r)
	}
	return list
}

func encodeReceipts(t *testing.T, version uint, receipts []*types.Receipt) rlp.RawValue {
	t.Helper()
	items := make([]rlp.RawValue, len(receipts))
	for i, r := range receipts {
		var err error
		if items[i], err = EncodeReceipt(version, r); err != nil {
			t.Fatal(err)
		}
	}
	list, err := rlp.EncodeToBytes(items)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestReceiptsSurviveEveryLayout(t *testing.T) {
	want := twoReceipts()
	want = append(want, &types.Receipt{PostState: common.HexToHash("aa").Bytes(), CumulativeGasUsed: 21000, Logs: []*types.Log{}, Bloom: types.Bloom{}})
	for _, version := range Versions() {
		got, err := DecodeReceipts(version, encodeReceipts(t, version, want))
		if err != nil {
			t.Errorf("eth/%d: %v", version, err)
		} else if d := cmp.Diff(want, got); d != "" {
			t.Errorf("eth/%d (-want +got):\n%s", version, d)
		}
	}
}

func TestReceiptsOfVersion69HaveTheBytesOfTheSpecification(t *testing.T) {
	const want = "f8da820457f8d5f8d3f866808082014df85ff85d940000000000000000000000000000000000000011f842a0000000000000000000000000000000000000000000000000000000000000deada0000000000000000000000000000000000000000000000000000000000000beef830100ff" +
		"f86901018201bcf862f860940000000000000000000000000000000000000022f842a00000000000000000000000000000000000000000000000000000000000005668a0000000000000000000000000000000000000000000000000000000000000977386020f0f0f0608"
	receipts := twoReceipts()
	receipts[0].CumulativeGasUsed = 333
	got, err := Encode(69, &Receipts{ID: 1111, Lists: []rlp.RawValue{encodeReceipts(t, 69, receipts)}})
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("%x, %v\nwant %s", got, err, want)
	}
}

func TestMalformedReceiptsAreRefused(t *testing.T) {
	tests := []struct {
		version uint
		list    string
		want    string
	}{
		{69, "80", "rlp"},
		{69, "c101", "item 0 is a byte"},
		{69, "c5c4800280c0", "receipt 0: status: neither 0 nor 1"},
		{69, list("c4808080c0", list("8100", "80", "80", "c0")), "receipt 1: type: "},
		{69, list(list("8181", "80", "80", "c0")), "receipt 0: type 129 is above 127"},
		{69, list(list("80", "80", "80", "c0", "80")), "receipt 0: logs"},
		{69, list(list("80", "80", "80", "c101")), "receipt 0: logs"},
		{68, list(list("80", "80", "80", "c0")), "receipt 0: rlp"},
		{68, list("8200c0"), "receipt 0: "},
	}
	for _, tt := range tests {
		if _, err := DecodeReceipts(tt.version, unhex(tt.list)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("eth/%d %s: %v, want %q", tt.version, tt.list, err, tt.want)
		}
	}
}
