package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// origin says where values come from, as far as it is not the defaults.
type origin struct {
	file  string
	keys  map[string]place // of the file, by their names in lower case, the section included
	flags map[string]bool  // the flags that were given
}

// place is where a file has a key.
type place struct {
	line int
	name string // as it is written there, the section included
}

func (o *origin) line(key string) int { return o.keys[strings.ToLower(key)].line }

// mistake is a value that makes no sense.
type mistake struct {
	key  string // its section included
	flag string // the flag that sets it as well; empty if there is none
	what error  // follows the key in a sentence: "is -1, want 0 or more"
}

func (m *mistake) Error() string { return m.key + " " + m.what.Error() }
func (m *mistake) Unwrap() error { return m.what }

// mistakes is a list of them, as errors.
type mistakes []error

// add adds a mistake, with what is wrong in the words of fmt.Errorf.
func (l *mistakes) add(key, flag, format string, args ...any) {
	*l = append(*l, &mistake{key, flag, fmt.Errorf(format, args...)})
}

// place joins mistakes, saying where the values come from that they are about. It returns nil if there are none.
func (o *origin) place(list mistakes) error {
	var placed []error
	for _, err := range list {
		m, _ := errors.AsType[*mistake](err)
		switch {
		case m.flag != "" && o.flags[m.flag]:
			placed = append(placed, fmt.Errorf("--%s %w", m.flag, m.what))
		case o.line(m.key) > 0:
			placed = append(placed, fmt.Errorf("configuration: %s: line %d: %w", o.file, o.line(m.key), m))
		default:
			placed = append(placed, m)
		}
	}
	return errors.Join(placed...)
}

// Blame says in front of err where a value comes from that err is about: in the file, or with a flag. Key is its name with
// the section, as in "node.DataDir"; flag is the one that sets it as well, empty if there is none. An error about a default is
// returned as it is, and so is nil.
func (c *Config) Blame(key, flag string, err error) error {
	line := c.from.line(key)
	switch {
	case err == nil:
		return nil
	case flag != "" && c.from.flags[flag]:
		return fmt.Errorf("--%s: %w", flag, err)
	case line > 0:
		return fmt.Errorf("configuration: %s: line %d: %s: %w", c.from.file, line, key, err)
	}
	return err
}

// findKeys returns the keys of a TOML document, as origin has them; of a document that is damaged those before the damage.
// Sections are among them.
func findKeys(document []byte) map[string]place {
	keys := make(map[string]place)
	var (
		parser  unstable.Parser
		section string
	)
	parser.Reset(document)
	for parser.NextExpression() {
		switch e := parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			section = noteKey(&parser, keys, "", e)
		case unstable.KeyValue:
			noteValue(&parser, keys, section, e)
		}
	}
	return keys
}

// noteValue notes the key of a value in a section and, if that is a table, the keys in it.
func noteValue(parser *unstable.Parser, keys map[string]place, section string, e *unstable.Node) {
	key := noteKey(parser, keys, section, e)
	if value := e.Value(); value.Kind == unstable.InlineTable {
		for it := value.Children(); it.Next(); {
			noteValue(parser, keys, key, it.Node())
		}
	}
}

// noteKey notes the key of an expression and returns it.
func noteKey(parser *unstable.Parser, keys map[string]place, section string, e *unstable.Node) string {
	at := place{name: section}
	for it := e.Key(); it.Next(); {
		if at.name != "" {
			at.name += "."
		}
		at.name += string(it.Node().Data)
		at.line = parser.Shape(it.Node().Raw).Start.Line
	}
	keys[strings.ToLower(at.name)] = at
	return at.name
}
