// Package kit holds what the programs swarm and trio share: the Swarm of go-ethereum 1.8.27 and its Whisper on a server of
// its peer layer, a tap that prints what passes, and a console for commands.
package kit

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

var out sync.Mutex

// Say prints one line. It is safe for concurrent use.
func Say(f string, a ...interface{}) {
	out.Lock()
	defer out.Unlock()
	fmt.Printf(f+"\n", a...)
}

// Die ends the program if there is an error.
func Die(what string, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, what+":", err)
		os.Exit(1)
	}
}

// Console runs the commands that come on standard input, one a line: a name and, after a space, an argument. Each runs in a
// goroutine of its own and says what came of it. It returns after "quit", a signal, or the end of the input.
func Console(commands map[string]func(arg string)) {
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGINT, syscall.SIGTERM)
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- strings.TrimSpace(in.Text())
		}
	}()
	for {
		select {
		case <-sig:
			return
		case l, ok := <-lines:
			name, arg := l, ""
			if i := strings.IndexByte(l, ' '); i > 0 {
				name, arg = l[:i], l[i+1:]
			}
			if !ok || name == "quit" {
				return
			}
			if f := commands[name]; f != nil {
				go f(arg)
			} else if name != "" {
				Say("ERR unknown command %q", name)
			}
		}
	}
}
