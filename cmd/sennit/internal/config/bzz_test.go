package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestASwarmSectionThatMakesNoSenseIsRefused(t *testing.T) {
	for want, change := range map[string]func(*Bzz){
		"NetworkID is 0":   func(c *Bzz) { c.NetworkID = 0 },
		"Capacity is 1000": func(c *Bzz) { c.Capacity = 1000 },
	} {
		c := withBzz(change)
		if err := c.check(); err == nil || !strings.Contains(err.Error(), want) {
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
