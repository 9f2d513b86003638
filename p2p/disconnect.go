package p2p

import "github.com/sennit-net/sennit/internal/link"

func encodeDisconnect(reason DiscReason) []byte { return link.AppendDisconnect(nil, uint8(reason)) }

// decodeDisconnect returns the reason in a Disconnect's payload, DiscInvalid if there is none to be found.
func decodeDisconnect(payload []byte) DiscReason { return DiscReason(link.ParseDisconnect(payload)) }
