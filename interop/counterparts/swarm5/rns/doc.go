// Package rns stands in for a module that go.mod of Swarm 0.5.8 names and nothing here imports. Its version cannot be had
// any more.
package rns
