package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The key, public key and node ID of the test vectors of EIP-778.
const (
	testKey    = "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291"
	testPublic = "ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31387574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f"
	testID     = "a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7"
	testURL    = "enode://" + testPublic + "@127.0.0.1:30303"
	testENR    = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
)

func keyFileWith(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.key")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestKeyShowTellsThePublicHalfOnly(t *testing.T) {
	file := keyFileWith(t, testKey, 0o600)
	tests := []struct{ args, want string }{
		{"", "node id     " + testID + "\npublic key  " + testPublic + "\n"},
		{" --enode", testURL + "\n"},
		{" --enode --ip 192.0.2.7 --port 7 --udp 8", "enode://" + testPublic + "@192.0.2.7:7?discport=8\n"},
		{" --enode --ip 2001:db8::1", "enode://" + testPublic + "@[2001:db8::1]:30303\n"},
	}
	for _, tt := range tests {
		got := sennit(t, strings.Fields("key show "+file+tt.args)...)
		if got != (outcome{exitOK, tt.want, ""}) {
			t.Errorf("%s: %+v, want %q", tt.args, got, tt.want)
		}
		if strings.Contains(got.stdout, testKey) {
			t.Errorf("%s: shows the key", tt.args)
		}
	}
	if got := sennit(t, "key", "show", file, "--enode", "--ip", "nowhere"); got.status != exitUsage || !strings.Contains(got.stderr, "--ip") {
		t.Errorf("bad --ip: %+v", got)
	}
}

func TestKeyNewMakesAKeyOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.key")
	made := sennit(t, "key", "new", file)
	if made.status != exitOK {
		t.Fatalf("%+v", made)
	}
	shown := sennit(t, "key", "show", file)
	if made.stdout != "key file    "+file+"\n"+shown.stdout {
		t.Errorf("new says\n%s, show says\n%s", made.stdout, shown.stdout)
	}
	if again := sennit(t, "key", "new", file); again.status != exitFailed || !strings.Contains(again.stderr, "move the file away") {
		t.Errorf("second call: %+v", again)
	}
	if after := sennit(t, "key", "show", file); after != shown {
		t.Error("the second call changed the key")
	}
}

func TestKeyNewWithoutAFileUsesTheDefaultDirectory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the configuration directory is moved with XDG_CONFIG_HOME, which is for Unix but macOS")
	}
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	if got := sennit(t, "key", "new"); got.status != exitOK || !strings.Contains(got.stdout, filepath.Join(dir, "sennit", "nodekey")) {
		t.Errorf("%+v", got)
	}
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("HOME", "")
	if got := sennit(t, "key", "new"); got.status != exitFailed || !strings.Contains(got.stderr, "say a FILE") {
		t.Errorf("without a home: %+v", got)
	}
}

func TestCommandsRefuseAKeyThatIsOpenToOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits for group and others")
	}
	file := keyFileWith(t, testKey, 0o644)
	for _, args := range [][]string{
		{"key", "show", file},
		{"run", "--listen", "", "--nodiscover", "--datadir", t.TempDir(), "--nodekey", file},
		{"hello", "--key", file, testURL},
	} {
		got := sennit(t, args...)
		if got.status == exitOK || !strings.Contains(got.stderr, "chmod 600 "+file) || got.stdout != "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestENRExplainsRecordsAndURLs(t *testing.T) {
	tests := []struct {
		args   string
		status int
		want   []string // parts of standard output
	}{
		{testENR, exitOK, []string{"valid (identity scheme v4)", testID, "127.0.0.1:30303", "secp256k1"}},
		{testURL, exitOK, []string{"not signed", testID, "tcp         127.0.0.1:30303"}},
		{strings.Replace(testENR, "HCCdl8", "HCCdmA", 1), exitFailed, []string{"INVALID", "entries"}},
		{"nonsense", exitFailed, nil},
	}
	for _, tt := range tests {
		got := sennit(t, "enr", tt.args)
		if got.status != tt.status || (got.stderr == "") != (tt.status == exitOK) {
			t.Errorf("%s: status %d, standard error %q", tt.args, got.status, got.stderr)
		}
		for _, part := range tt.want {
			if !strings.Contains(got.stdout, part) {
				t.Errorf("%s: no %q in\n%s", tt.args, part, got.stdout)
			}
		}
	}
	var report struct{ ID, Signature string }
	got := sennit(t, "enr", "--json", testENR)
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || report.ID != testID || report.Signature != "valid" {
		t.Errorf("--json: %v, %+v", err, report)
	}
}

func TestVersionTellsTheBuild(t *testing.T) {
	if got := sennit(t, "version"); got.status != exitOK || !strings.Contains(got.stdout, runtime.Version()) {
		t.Errorf("%+v", got)
	}
	var info struct{ Version, Go string }
	if err := json.Unmarshal([]byte(sennit(t, "version", "--json").stdout), &info); err != nil || info.Go != runtime.Version() || info.Version == "" {
		t.Errorf("--json: %v, %+v", err, info)
	}
}
