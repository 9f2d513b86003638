// Package version tells what this program was built from.
package version

import (
	"runtime"
	"runtime/debug"
	"strings"
)

const gethModule = "github.com/ethereum/go-ethereum"

// Info is what is known of the build. Fields are empty when the build does not say.
type Info struct {
	Version    string `json:"version"`            // module version, "(devel)" outside a release
	Commit     string `json:"commit,omitempty"`   // source revision
	Modified   bool   `json:"modified,omitempty"` // the source had changes beyond Commit
	Date       string `json:"date,omitempty"`     // of Commit, RFC 3339
	Go         string `json:"go"`
	Platform   string `json:"platform"`             // "linux/amd64"
	GoEthereum string `json:"goEthereum,omitempty"` // version of the go-ethereum packages in use
}

// Get returns the information in the running executable.
func Get() Info {
	info := Info{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if build, ok := debug.ReadBuildInfo(); ok {
		info.add(build)
	}
	return info
}

func (i *Info) add(build *debug.BuildInfo) {
	if build.Main.Version != "" {
		i.Version = build.Main.Version
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			i.Commit = s.Value
		case "vcs.modified":
			i.Modified = s.Value == "true"
		case "vcs.time":
			i.Date = s.Value
		}
	}
	for _, dep := range build.Deps {
		if dep.Path != gethModule {
			continue
		}
		if dep.Replace != nil {
			dep = dep.Replace
		}
		i.GoEthereum = dep.Version
	}
}

// ClientName returns the name a node of this build gives itself in Hello: "sennit/v1.2.3/linux-amd64/go1.26.0".
func (i Info) ClientName() string {
	version := strings.Trim(i.Version, "()")
	return strings.Join([]string{"sennit", version, strings.ReplaceAll(i.Platform, "/", "-"), i.Go}, "/")
}
