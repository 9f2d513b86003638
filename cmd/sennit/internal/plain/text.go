// Package plain makes text that a remote has sent fit to be shown to people.
package plain

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns text as it is if all of it can be printed, and otherwise quoted, with escapes for what is not ASCII: what a remote
// wrote must not make a terminal do anything but show it.
func Text(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToASCII(s)
	}
	return s
}
