package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sennit-net/sennit/protocols/bzz"
)

func TestASwarmSectionThatMakesNoSenseIsRefused(t *testing.T) {
	for want, change := range map[string]func(*Bzz){
		"bzz.NetworkID is 0":  func(c *Bzz) { c.NetworkID = 0 },
		"LaterNetworkID is 0": func(c *Bzz) { c.LaterNetworkID = 0 },
		`Dialects is "0.5"`:   func(c *Bzz) { c.Dialects = "0.5" },
		"Capacity is 1000":    func(c *Bzz) { c.Capacity = 1000 },
	} {
		c := withBzz(change)
		if err := errors.Join(c.check()...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestChunksAreBelowTheDataDirectoryUnlessToldOtherwise(t *testing.T) {
	for _, test := range []struct{ data, dir, want string }{
		{"/data", "", filepath.Join("/data", "swarm")},
		{"/data", "/chunks", "/chunks"},
		{"", "/chunks", "/chunks"},
		{"", "", ""},
	} {
		c := Config{Node: Node{DataDir: test.data}, Bzz: Bzz{Dir: test.dir}}
		if got, err := c.ChunkDir(); got != test.want || (err == nil) == (test.want == "") {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
}

func TestTheSwarmSectionBecomesTheSettingsOfANode(t *testing.T) {
	c := withBzz(func(c *Bzz) { c.Dialects, c.LaterNetworkID, c.Light = "early", 9, true })
	want := bzz.Config{Dialects: bzz.Early, NetworkID: 3, LaterNetworkID: 9, Light: true}
	if got := c.Settings(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
