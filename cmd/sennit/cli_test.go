package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the help texts to testdata/help")

// asProgram is set in the environment of a copy of this test that is to be something else.
const (
	asProgram = "SENNIT_TEST_AS"
	asMain    = "main"  // the program itself
	asStuck   = "stuck" // a program that does not stop when it is told to
)

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case asMain:
		main()
	case asStuck:
		withSignals(func(ctx context.Context) int {
			fmt.Println("ready")
			<-ctx.Done()
			fmt.Println("stopping")
			select {}
		})
	default:
		// goleveldb gives this goroutine a second to notice that its database is closed, and does not wait for it.
		goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
	}
}

// outcome is what a run of the program left behind.
type outcome struct {
	status         int
	stdout, stderr string
}

func sennit(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), args, &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

// commands returns all commands of the program but cobra's own.
func commands(cmd *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		if c.Name() != "help" && c.Name() != "completion" {
			list = append(list, commands(c)...)
		}
	}
	return list
}

func TestHelpReadsAsAgreed(t *testing.T) {
	for _, cmd := range commands(newRoot()) {
		path := strings.Fields(cmd.CommandPath())
		got := sennit(t, append(path[1:], "--help")...)
		if got.status != exitOK || got.stderr != "" {
			t.Errorf("%v: status %d, %s", path, got.status, got.stderr)
		}
		file := filepath.Join("testdata", "help", strings.Join(path, "-")+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got.stdout), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.stdout); diff != "" {
			t.Errorf("%s differs; if it should, run the test with -update:\n%s", file, diff)
		}
	}
}

func TestEveryCommandExplainsItselfWithAnExample(t *testing.T) {
	for _, cmd := range commands(newRoot()) {
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" && !cmd.HasSubCommands() {
			t.Errorf("%s lacks a summary, an explanation or an example", cmd.CommandPath())
		}
		for _, line := range strings.Split(cmd.Long, "\n") {
			if len(line) > 80 {
				t.Errorf("%s: line is longer than a terminal: %q", cmd.CommandPath(), line)
			}
		}
		if cmd.Args == nil {
			t.Errorf("%s takes any arguments", cmd.CommandPath())
		}
	}
}

func TestMistakesOnTheCommandLineExitWithTwoAndSayWhatToDo(t *testing.T) {
	tests := []struct {
		args string
		want string // part of standard error
	}{
		{"frob", `unknown command "frob"`},
		{"run --frob", "--frob"},
		{"run --frob", "sennit run --help"},
		{"run extra", `"extra" is one argument too many`},
		{"run --maxpeers many", "--maxpeers"},
		{"run --config /no/such/file", "/no/such/file"},
		{"run --listen nonsense", "HOST:PORT"},
		{"run --cap eth", "name/version/length"},
		{"run --cap sennit/1/2", "given twice"},
		{"run --log-level loud", "trace, debug, info, warn, error"},
		{"run --log-format xml", "text, json"},
		{"run --nodekey a --nodekeyhex b", "say one of them"},
		{"run --http-namespaces eth,frob", `"frob", want some of admin`},
		{"run --http 127.0.0.1:0 --http-namespaces=", "--http-namespaces is empty"},
		{"run --eth --eth-genesis /no/such/genesis.json", "/no/such/genesis.json"},
		{"run --eth --eth-genesis /dev/null --eth-chain /no/such/chain.rlp", "/no/such/chain.rlp"},
		{"hello", "ENODE is missing"},
		{"hello enode://abc", "enode://abc"},
		{"hello --timeout soon enode://abc", "--timeout"},
		{"hello --cap eth " + testURL, "name/version"},
		{"hello --key /no/such/file " + testURL, "--key"},
		{"key show", "FILE is missing"},
		{"key frob", `unknown command "frob"`},
		{"enr", "ENR or ENODE is missing"},
		{"demo --policy panic", "stop, wait, drop-newest, drop-oldest"},
		{"demo --policy wait --wait 0s", "--wait"},
		{"demo --seconds 0", "--seconds"},
		{"version 2", `"2" is one argument too many`},
		{"run --maxpeers many", `"many" is not a whole number`},
		{"run --v4=maybe", `"maybe" is not true or false`},
		{"run --config ''", "--config: the name of the file is empty"},
		{"run --listen 127.0.0.1:70000", `"70000" is not a port`},
		{"run --netrestrict 10.0.0.0", `network "10.0.0.0"`},
		{"run --nat magic", "upnp"},
		{"run --static enode://ab@127.0.0.1:1", "2 hex digits, want 128"},
		{"run --bootnodes enr:+", "URL-safe base64"},
		{"hello nonsense", `node "nonsense": want an enode URL`},
		{"hello --timeout 5 " + testURL, `"5" is not a time such as`},
		{"demo --seconds x", `"x" is not a number`},
		{"run --bzz-capacity much", `--bzz-capacity: "much" is not a whole number`},
		{"eth head --eth-version x", `--eth-version: "x" is not a whole number`},
		{"eth head --rpc x --node " + testURL, "--node and --rpc: say one of them"},
		{"whisper send hello", "--to, --password, --key: one of them is needed"},
		{"key new a b", `"b" is one argument too many`},
		{"key new ''", "FILE is empty"},
		{"key show ''", "FILE is empty"},
		{"key show a --port 1", "give --enode as well"},
		{"key show a --enode --port 70000", `"70000" is not a whole number from 0 to 65535`},
		{"completion NOSUCHSHELL", `shell "NOSUCHSHELL" is not known: want one of bash, fish, powershell, zsh`},
		{"completion bash extra", `"extra" is one argument too many`},
		{"help frob", `"frob" is no command of sennit: want one of`},
		{"help key frob", `"frob" is no command of sennit key: want one of new, show`},
		{"help run frob", "sennit run has no commands"},
	}
	for _, tt := range tests {
		args := strings.Fields(tt.args)
		for i := range args {
			args[i] = strings.Trim(args[i], "'")
		}
		got := sennit(t, args...)
		if got.status != exitUsage || !strings.Contains(got.stderr, tt.want) || got.stdout != "" {
			t.Errorf("%s: status %d, standard error %q, standard output %q; want 2, %q and nothing", tt.args, got.status, got.stderr, got.stdout, tt.want)
		}
	}
}

func TestWithoutACommandTheProgramListsThem(t *testing.T) {
	for _, args := range [][]string{{}, {"key"}, {"completion"}, {"help"}, {"help", "key"}} {
		got := sennit(t, args...)
		if got.status != exitOK || !strings.Contains(got.stdout, "Available Commands") {
			t.Errorf("%v: status %d, %q", args, got.status, got.stdout)
		}
	}
}

func TestHelpAndVersionCanBeAskedForInTheUsualWays(t *testing.T) {
	for _, command := range []string{"run", "key new"} {
		asked := sennit(t, strings.Fields("help "+command)...)
		if flag := sennit(t, strings.Fields(command+" --help")...); asked != flag || asked.status != exitOK {
			t.Errorf("help %s says %+v, --help %+v", command, asked, flag)
		}
	}
	flag, command := sennit(t, "--version"), sennit(t, "version")
	if line, _, _ := strings.Cut(command.stdout, "\n"); flag.status != exitOK || strings.Join(strings.Fields(line), " ")+"\n" != flag.stdout {
		t.Errorf("--version says %+v, version %q", flag, line)
	}
}

func TestShellsCanCompleteCommandsAndValues(t *testing.T) {
	tests := []struct{ args, want string }{
		{"he", "hello"},
		{"run --log-l", "--log-level"},
		{"run --log-level ", "debug"},
		{"run --nat ", "upnp"},
		{"demo --policy ", "drop-oldest"},
	}
	for _, tt := range tests {
		args := append([]string{"__complete"}, strings.Split(tt.args, " ")...)
		if got := sennit(t, args...); got.status != exitOK || !strings.Contains(got.stdout, tt.want) {
			t.Errorf("%q: status %d, %q has no %q", tt.args, got.status, got.stdout, tt.want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := sennit(t, "completion", shell); got.status != exitOK || !strings.Contains(got.stdout, "sennit") {
			t.Errorf("%s: status %d, %d bytes", shell, got.status, len(got.stdout))
		}
	}
}

func TestAnOutputThatFailsIsAFailure(t *testing.T) {
	for _, args := range []string{"version", "version --json", "enr " + testURL, "enr --json " + testURL} {
		var stderr bytes.Buffer
		if status := run(t.Context(), strings.Fields(args), brokenWriter{}, &stderr); status != exitFailed || !strings.Contains(stderr.String(), "disk full") {
			t.Errorf("%s: status %d, %q", args, status, stderr.String())
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestACommandThatIsInterruptedSaysSoAndNothingElse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reference := strings.Repeat("ab", 32)
	for _, tt := range []struct {
		status int
		args   []string
	}{
		{exitFailed, []string{"demo"}},
		{exitFailed, []string{"swarm", "get", reference, "--node", testURL, "--datadir", t.TempDir()}},
		{exitFailed, []string{"eth", "head", "--node", testURL}},
		{exitUnreachable, []string{"hello", testURL}},
	} {
		var stdout, stderr bytes.Buffer
		status := run(ctx, tt.args, &stdout, &stderr)
		if _, text, _ := strings.Cut(stderr.String(), ": "); status != tt.status || text != "interrupted\n" {
			t.Errorf("%v: status %d, want %d, %q", tt.args, status, tt.status, stderr.String())
		}
	}
}

func TestTheEndOfTheContextEndsTheDemonstration(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	var out bytes.Buffer
	if status := run(ctx, []string{"demo"}, &out, &out); status != exitFailed || !strings.Contains(out.String(), "enough") {
		t.Errorf("status %d, %q", status, out.String())
	}
}
