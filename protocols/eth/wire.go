package eth

import (
	"fmt"
	"slices"
)

// Name is the protocol's name in Hello.
const Name = "eth"

// The codes of messages (section 3 of the protocol). Which of them a version has, [Knows] tells.
const (
	CodeStatus                uint64 = 0x00
	CodeNewBlockHashes        uint64 = 0x01 // 63 to 68
	CodeTransactions          uint64 = 0x02
	CodeGetBlockHeaders       uint64 = 0x03
	CodeBlockHeaders          uint64 = 0x04
	CodeGetBlockBodies        uint64 = 0x05
	CodeBlockBodies           uint64 = 0x06
	CodeNewBlock              uint64 = 0x07 // 63 to 68
	CodeAnnouncement          uint64 = 0x08 // NewPooledTransactionHashes; from 68
	CodeGetPooledTransactions uint64 = 0x09 // from 68
	CodePooledTransactions    uint64 = 0x0a // from 68
	CodeGetNodeData           uint64 = 0x0d // 63
	CodeNodeData              uint64 = 0x0e // 63
	CodeGetReceipts           uint64 = 0x0f
	CodeReceipts              uint64 = 0x10
	CodeBlockRangeUpdate      uint64 = 0x11 // from 69
	CodeGetBlockAccessLists   uint64 = 0x12 // from 71
	CodeBlockAccessLists      uint64 = 0x13 // from 71
	CodeGetCells              uint64 = 0x14 // 72
	CodeCells                 uint64 = 0x15 // 72
)

// codeInfo says what a code stands for and in which versions.
type codeInfo struct {
	name       string
	from, to   uint // versions
	newMessage func() Message
}

var codes = [...]codeInfo{
	CodeStatus:                {"Status", 63, 72, func() Message { return new(Status) }},
	CodeNewBlockHashes:        {"NewBlockHashes", 63, 68, func() Message { return new(NewBlockHashes) }},
	CodeTransactions:          {"Transactions", 63, 72, func() Message { return new(Transactions) }},
	CodeGetBlockHeaders:       {"GetBlockHeaders", 63, 72, func() Message { return new(GetBlockHeaders) }},
	CodeBlockHeaders:          {"BlockHeaders", 63, 72, func() Message { return &Items{For: CodeBlockHeaders} }},
	CodeGetBlockBodies:        {"GetBlockBodies", 63, 72, func() Message { return &GetByHash{For: CodeGetBlockBodies} }},
	CodeBlockBodies:           {"BlockBodies", 63, 72, func() Message { return &Items{For: CodeBlockBodies} }},
	CodeNewBlock:              {"NewBlock", 63, 68, func() Message { return new(NewBlock) }},
	CodeAnnouncement:          {"NewPooledTransactionHashes", 68, 72, func() Message { return new(Announcement) }},
	CodeGetPooledTransactions: {"GetPooledTransactions", 68, 72, func() Message { return &GetByHash{For: CodeGetPooledTransactions} }},
	CodePooledTransactions:    {"PooledTransactions", 68, 72, func() Message { return &Items{For: CodePooledTransactions} }},
	CodeGetNodeData:           {"GetNodeData", 63, 63, func() Message { return &GetByHash{For: CodeGetNodeData} }},
	CodeNodeData:              {"NodeData", 63, 63, func() Message { return &Items{For: CodeNodeData} }},
	CodeGetReceipts:           {"GetReceipts", 63, 72, func() Message { return new(GetReceipts) }},
	CodeReceipts:              {"Receipts", 63, 72, func() Message { return new(Receipts) }},
	CodeBlockRangeUpdate:      {"BlockRangeUpdate", 69, 72, func() Message { return new(BlockRange) }},
	CodeGetBlockAccessLists:   {"GetBlockAccessLists", 71, 72, func() Message { return &GetByHash{For: CodeGetBlockAccessLists} }},
	CodeBlockAccessLists:      {"BlockAccessLists", 71, 72, func() Message { return &Items{For: CodeBlockAccessLists} }},
	CodeGetCells:              {"GetCells", 72, 72, func() Message { return new(GetCells) }},
	CodeCells:                 {"Cells", 72, 72, func() Message { return new(Cells) }},
}

// Versions lists the versions of the protocol that this package speaks, ascending. The caller may change the slice.
func Versions() []uint { return slices.Clone(versions) }

var versions = []uint{63, 68, 69, 70, 71, 72}

// Length is the number of message codes that a version takes up on a link; 0 for a version that this package does not
// speak. It decides the codes of all protocols that are sorted after this one.
func Length(version uint) uint64 {
	switch version {
	case 63, 68:
		return 17
	case 69, 70:
		return 18
	case 71:
		return 20
	case 72:
		return 22
	}
	return 0
}

// Knows reports whether a version has messages with a code.
func Knows(version uint, code uint64) bool {
	return code < Length(version) && codes[code].from != 0 && codes[code].from <= version && version <= codes[code].to
}

// CodeName is the name of the messages with a code, as in the specification: "GetBlockHeaders". For a code that no version
// has it is the code in hexadecimal.
func CodeName(code uint64) string {
	if code < uint64(len(codes)) && codes[code].name != "" {
		return codes[code].name
	}
	return fmt.Sprintf("0x%02x", code)
}

// hasIDs reports whether requests of a version carry an identifier that answers repeat.
func hasIDs(version uint) bool { return version >= 66 }
