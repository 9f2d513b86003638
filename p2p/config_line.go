package p2p

import (
	"bytes"
	"fmt"
	"sort"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// ExplainTOMLErrorIn is [ExplainTOMLError] for an error that decode has returned for the document, and says line and key
// of those errors too for which the decoder does not: it has no place for what an UnmarshalText says of a value that is
// no string, such as a number in a list of nodes. To find it, decode is called with several beginnings of the document; what it
// decodes into should be thrown away. In an inline table of several values the key is not known and left out.
func ExplainTOMLErrorIn(document []byte, err error, decode func([]byte) error) error {
	if err == nil || isPlaced(err) {
		return ExplainTOMLError(err)
	}
	all := tomlExpressions(document)
	// Decoding ends at the first such error, so every beginning has it that reaches as far.
	i := sort.Search(len(all), func(i int) bool {
		got := decode(document[:all[i].end])
		return got != nil && !isPlaced(got)
	})
	if i == len(all) {
		return err
	}
	at, key := all[i].culprit(document)
	line := 1 + bytes.Count(document[:at], []byte("\n"))
	if key == "" {
		return fmt.Errorf("line %d: %w", line, err)
	}
	return fmt.Errorf("line %d: %s: %w", line, key, err)
}

// decodeScratch tells which error a document of a Config gives.
func decodeScratch(document []byte) error { return toml.Unmarshal(document, new(ConfigTOML)) }

// tomlExpression is a key with its value, or the head of a section, of a TOML document.
type tomlExpression struct {
	start, end int    // from the beginning of its line to that of the next expression's
	section    string // that it is in
}

// tomlExpressions returns the expressions of a document; of one that is damaged those before the damage.
func tomlExpressions(document []byte) []tomlExpression {
	var (
		all     []tomlExpression
		parser  unstable.Parser
		section string
	)
	parser.Reset(document)
	for parser.NextExpression() {
		e := parser.Expression()
		if e.Kind != unstable.KeyValue && e.Kind != unstable.Table && e.Kind != unstable.ArrayTable {
			continue
		}
		key := e.Key()
		key.Next() // a key has a part at least
		start := bytes.LastIndexByte(document[:key.Node().Raw.Offset], '\n') + 1
		if len(all) > 0 {
			all[len(all)-1].end = start
		}
		if e.Kind != unstable.KeyValue {
			section = tomlKey("", e)
		}
		all = append(all, tomlExpression{start, len(document), section})
	}
	return all
}

// culprit returns where in the document the value begins that the decoder has no place for, and its key, which is empty if it
// may be any of several.
func (x *tomlExpression) culprit(document []byte) (at int, key string) {
	var parser unstable.Parser
	parser.Reset(document[x.start:x.end])
	if !parser.NextExpression() || parser.Expression().Kind != unstable.KeyValue {
		return x.start, x.section
	}
	e, key := parser.Expression(), tomlKey(x.section, parser.Expression())
	for value := e.Value(); value.Kind == unstable.InlineTable; value = e.Value() {
		it := value.Children()
		if !it.Next() || !it.IsLast() {
			return x.start, ""
		}
		e = it.Node()
		key = tomlKey(key, e)
	}
	if at, ok := firstNoString(e.Value()); ok {
		return x.start + at, key
	}
	return x.start, key
}

// firstNoString returns the offset of the first value that is no string, in a list or alone.
func firstNoString(value *unstable.Node) (at int, ok bool) {
	switch value.Kind {
	case unstable.String, unstable.Comment, unstable.InlineTable:
		return 0, false
	case unstable.Array:
		for it := value.Children(); it.Next(); {
			if at, ok := firstNoString(it.Node()); ok {
				return at, true
			}
		}
		return 0, false
	}
	return int(value.Raw.Offset), true
}

// tomlKey returns the key of an expression in a section.
func tomlKey(section string, e *unstable.Node) string {
	key := section
	for it := e.Key(); it.Next(); {
		if key != "" {
			key += "."
		}
		key += string(it.Node().Data)
	}
	return key
}
