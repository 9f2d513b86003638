package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sennit-net/sennit/protocols/shh"
)

// startRun runs `sennit run --shh` with a data directory that is short enough for a socket, and returns it with the node's URL.
func startRun(t *testing.T, args ...string) (url, dataDir string) {
	t.Helper()
	dataDir, err := os.MkdirTemp("", "sennit")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dataDir) })
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var log bytes.Buffer
	done := make(chan int, 1)
	go func() {
		args = append([]string{"run", "--datadir", dataDir, "--listen", "127.0.0.1:0", "--nat", "none", "--nodiscover", "--shh"}, args...)
		done <- run(ctx, args, in, &log)
		in.Close()
	}()
	t.Cleanup(func() {
		stop()
		if status := <-done; status != exitOK {
			t.Errorf("run ends with %d:\n%s", status, &log)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), dataDir
}

func TestAWhisperGoesFromOneCommandToTheOther(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows the running node's pipe has one name, whatever the data directory")
	}
	url, dataDir := startRun(t)
	key := keyFileWith(t, testKey, 0o600)
	through := map[string][]string{"a link of its own": {"--node", url}, "the running node": {"--datadir", dataDir}}
	for name, via := range through {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var heard, errors bytes.Buffer
		done := make(chan int, 1)
		go func() {
			args := append([]string{"whisper", "listen", "--password", "secret", "--topic", "0xdeadbeef", "--from", testPublic, "--count", "1", "--json"}, via...)
			done <- run(ctx, args, &heard, &errors)
		}()
		// Whether the listener listens yet cannot be seen from here, so the message is sent until it is heard.
		for status := -1; status < 0; {
			sent := sennit(t, append([]string{"whisper", "send", "--password", "secret", "--topic", "deadbeef", "--ttl", "5s", "--sign", key, "hello"}, via...)...)
			if sent.status != exitOK || !strings.HasPrefix(sent.stdout, "0x") || len(sent.stdout) != 67 {
				t.Fatalf("%s: %+v", name, sent)
			}
			select {
			case status = <-done:
			case <-time.After(50 * time.Millisecond):
			}
		}
		cancel()
		var m shh.ReceivedMessage
		if err := json.Unmarshal(heard.Bytes(), &m); err != nil || string(m.Payload) != "hello" || m.Sig.String() != "0x04"+testPublic || m.TTL != 5 {
			t.Errorf("%s: %v, %s, %s", name, err, &heard, &errors)
		}
	}
	sent := sennit(t, "whisper", "send", "--node", url, "--to", testPublic, "--json", "hello")
	var result struct{ Hash string }
	if err := json.Unmarshal([]byte(sent.stdout), &result); err != nil || sent.status != exitOK || len(result.Hash) != 66 {
		t.Errorf("%v: %+v", err, sent)
	}
}

func TestWhisperCommandsSayWhatIsWrong(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.ipc")
	tests := []struct {
		args   string
		status int
		want   string
	}{
		{"send", exitUsage, "TEXT is missing"},
		{"send x", exitUsage, "--to, --password, --key: one of them is needed"},
		{"send --password p x", exitUsage, "--topic is needed"},
		{"send --password= --topic 01020304 x", exitUsage, "--password: it is empty"},
		{"listen --password= --topic 01020304", exitUsage, "--password: it is empty"},
		{"send --password p --topic 00000000 x", exitUsage, "not zeros"},
		{"send --password p --topic xyz x", exitUsage, "--topic"},
		{"send --password p --topic 0102030405 x", exitUsage, "at most 8 hex digits"},
		{"send --key 12 --topic 01020304 x", exitUsage, "--key: want a key of 64 hex digits"},
		{"send --to zz x", exitUsage, "--to"},
		{"send --to " + testPublic + " --password p x", exitUsage, "say one of them"},
		{"send --to " + testPublic + " --sign /no/such/file x", exitUsage, "--sign"},
		{"send --to " + testPublic + " --ttl 1ms x", exitUsage, "--ttl"},
		{"send --to " + testPublic + " --pow-time 0s x", exitUsage, "--pow-time"},
		{"send --to " + testPublic + " --timeout 0s x", exitUsage, "--timeout"},
		{"send --to " + testPublic + " --node enode://x x", exitUsage, `--node: node "enode://x": its key has 'x' as character 1`},
		{"send --to enode://1234@127.0.0.1:5 x", exitUsage, `--to: node "enode://1234@127.0.0.1:5": its key has 4 hex digits, want 128`},
		{"send --to " + testPublic + " --node " + testURL + " --rpc x x", exitUsage, "say one of them"},
		{"send --to " + testPublic + " --rpc " + none + " x", exitFailed, "start one with 'sennit run --shh'"},
		{"listen", exitUsage, "--private-key, --password, --key: one of them is needed"},
		{"listen --password p", exitUsage, "--topic is needed"},
		{"listen --private-key /no/such/file", exitUsage, "--private-key"},
		{"listen --password p --topic 01020304 --from zz", exitUsage, "--from"},
		{"listen --password p --topic 01020304 --count -1", exitUsage, "--count"},
		{"listen --password p --topic 01020304 --rpc " + none, exitFailed, "none.ipc"},
		{"listen extra --password p", exitUsage, "one argument too many"},
		{"frob", exitUsage, `unknown command "frob"`},
	}
	for _, tt := range tests {
		got := sennit(t, append([]string{"whisper"}, strings.Fields(tt.args)...)...)
		if got.status != tt.status || !strings.Contains(got.stderr, tt.want) || got.stdout != "" {
			t.Errorf("%s: %+v, want %d and %q", tt.args, got, tt.status, tt.want)
		}
	}
}

func TestAMessageThatCannotBeSealedInTimeSaysWhichFlagsHelp(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows the running node's pipe has one name, whatever the data directory")
	}
	url, dataDir := startRun(t)
	for _, via := range [][]string{{"--node", url}, {"--datadir", dataDir}} {
		args := []string{"whisper", "send", "--password", "p", "--topic", "01020304", "--pow", "1e12", "--pow-time", "1s", "x"}
		got := sennit(t, append(args, via...)...)
		if got.status != exitFailed || !strings.Contains(got.stderr, "not done in 1s: a smaller --pow or a shorter --ttl") {
			t.Errorf("%v: %+v", via, got)
		}
	}
}

func TestARunningNodeWithoutWhisperIsToldApart(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows the running node's pipe has one name, whatever the data directory")
	}
	_, dataDir := startRun(t, "--shh=false")
	got := sennit(t, "whisper", "listen", "--datadir", dataDir, "--password", "p", "--topic", "01020304")
	if got.status != exitFailed || !strings.Contains(got.stderr, "it does not speak Whisper; start it with 'sennit run --shh'") {
		t.Errorf("%+v", got)
	}
}
