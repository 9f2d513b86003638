package version

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestBuildInformationIsRead(t *testing.T) {
	i := Info{Version: "(devel)", Go: "go1.26.0", Platform: "linux/amd64"}
	i.add(&debug.BuildInfo{
		Main:     debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}},
		Deps:     []*debug.Module{{Path: "example.org/x", Version: "v9"}, {Path: gethModule, Version: "v1.17.10"}},
	})
	want := Info{"v1.2.3", "abc", true, "2026-01-02T03:04:05Z", "go1.26.0", "linux/amd64", "v1.17.10"}
	if i != want {
		t.Errorf("got %+v, want %+v", i, want)
	}
	if got := i.ClientName(); got != "sennit/v1.2.3/linux-amd64/go1.26.0" {
		t.Errorf("client name %q", got)
	}
}

func TestReplacedModuleIsTheOneInUse(t *testing.T) {
	var i Info
	i.add(&debug.BuildInfo{Deps: []*debug.Module{{Path: gethModule, Version: "v1.17.10", Replace: &debug.Module{Version: "v1.18.0"}}}})
	if i.GoEthereum != "v1.18.0" {
		t.Errorf("go-ethereum %q", i.GoEthereum)
	}
}

func TestTheRunningProgramKnowsItsPlatform(t *testing.T) {
	if i := Get(); i.Go != runtime.Version() || i.Platform != runtime.GOOS+"/"+runtime.GOARCH || i.Version == "" {
		t.Errorf("got %+v", i)
	}
	dev := Info{Version: "(devel)", Platform: "a/b", Go: "go1"}
	if got := dev.ClientName(); got != "sennit/devel/a-b/go1" {
		t.Errorf("client name %q", got)
	}
}
