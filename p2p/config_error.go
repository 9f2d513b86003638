package p2p

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// wrongTypeText is what the TOML decoder says of a value of the wrong type, which names a Go type that means nothing to
// the writer of a file.
var wrongTypeText = regexp.MustCompile(`^cannot decode TOML (.+) into struct field .+ of type (\S+)$`)

// typeWords are the words for Go types.
var typeWords = map[string]string{
	"bool": "true or false", "int": "a whole number", "int64": "a whole number", "uint64": "a whole number",
	"float64": "a number", "string": "a string", "[]string": "a list of strings", "uint": "a whole number", "[]uint": "a list of whole numbers",
	"[]p2p.NodeSpec": "a list of nodes, each a string", "p2p.NetworkSpecs": "a list of networks, each a string",
	"p2p.NodeSpec": "a node, a string", "p2p.NetworkSpec": "a network, a string", "p2p.NATSpec": "a NAT setting, a string",
}

// explainWrongType puts the decoder's words for a value of the wrong type into plain ones, and leaves others as they are.
func explainWrongType(text string) string {
	m := wrongTypeText.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	want, ok := typeWords[m[2]]
	if !ok {
		want = m[2]
	}
	return fmt.Sprintf("the value is of type %s, want %s", m[1], want)
}

// isPlaced tells whether an error of the decoder says where it is.
func isPlaced(err error) bool {
	_, wrong := errors.AsType[*toml.DecodeError](err)
	_, missing := errors.AsType[*toml.StrictMissingError](err)
	return wrong || missing
}

// ExplainTOMLError makes an error of github.com/pelletier/go-toml/v2, which keeps such things apart, say where it is and
// what was wrong: line and key, of unknown keys all at once. It returns other errors, and nil, as they are; see
// [ExplainTOMLErrorIn] for those.
func ExplainTOMLError(err error) error {
	var (
		missing *toml.StrictMissingError
		wrong   *toml.DecodeError
	)
	switch {
	case errors.As(err, &missing):
		var all []error
		for _, e := range missing.Errors {
			line, _ := e.Position()
			all = append(all, fmt.Errorf("line %d: unknown key %s", line, strings.Join(e.Key(), ".")))
		}
		return errors.Join(all...)
	case errors.As(err, &wrong):
		line, column := wrong.Position()
		text := explainWrongType(strings.TrimPrefix(wrong.Error(), "toml: "))
		if key := strings.Join(wrong.Key(), "."); key != "" {
			return fmt.Errorf("line %d: %s: %s", line, key, text)
		}
		return fmt.Errorf("line %d, column %d: %s", line, column, text)
	}
	return err
}
