// Package interop holds what is checked against peer layers that are not ours: go-ethereum's p2p as a library and
// ethereumjs' devp2p as a process. It is a module of its own, so that nobody who uses Sennit gets those along.
//
// The tests of this package link real servers over TCP on 127.0.0.1, our own and go-ethereum's in every combination;
// go-ethereum with itself is the control that shows a test to expect the right thing. Package stack puts both behind one
// interface, package apicheck compares the exported APIs, and the program in bench measures one beside the other.
package interop
