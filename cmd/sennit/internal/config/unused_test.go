package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestWhatHasNoEffectIsNamed(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		args []string
		want string // what is named, in order
	}{
		{nil, ""},
		{[]string{"--eth", "--eth-network", "sepolia", "--shh", "--shh-light", "--bzz", "--bzz-light"}, ""},
		{[]string{"--config", filepath.Join("..", "..", "..", "..", "docs", "sennit.toml")}, ""},
		{[]string{"--eth-relay", "--eth-network", "mainnet", "--shh"}, "--eth-network is for --eth, --eth-relay is for --eth"},
		{[]string{"--shh-minpow", "1"}, "--shh-minpow is for --shh"},
		{[]string{"--bzz-nosync"}, "--bzz-nosync is for --bzz"},
		{[]string{"--bzz=false", "--bzz-nosync"}, "--bzz-nosync is for --bzz"},
		{[]string{"--eth", "--eth-genesis", "g.json", "--eth-network", "mainnet"}, "Network (--eth-network) beside Genesis"},
		{[]string{"--http-namespaces", "eth"}, "--http-namespaces is for --http"},
		{[]string{"--config", file("[shh]\nLight = true\n")}, "the section [shh] is for Enabled = true"},
		{[]string{"--shh", "--config", file("[shh]\nLight = true\n")}, ""},
	}
	for _, tt := range tests {
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		f := Register(fs)
		if err := fs.Parse(tt.args); err != nil {
			t.Fatal(err)
		}
		c, err := f.Config()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(f.Unused(c), ", ")
		if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%q: %q, want %q", tt.args, got, tt.want)
		}
	}
}
