// Package eth speaks the Ethereum wire protocol, versions 63, 68, 69, 70, 71 and 72, over package p2p.
package eth
