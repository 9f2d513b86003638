package plain

import "testing"

func TestWhatATerminalCouldTakeForSomethingElseIsQuoted(t *testing.T) {
	for s, want := range map[string]string{
		"":                 "",
		"Geth/v1.17.10":    "Geth/v1.17.10",
		"七彩 é":             "七彩 é",
		"\x1b[2J":          `"\x1b[2J"`,
		"a\nb/1":           `"a\nb/1"`,
		"\x9b31m":          `"\x9b31m"`,
		"\u009b31m":        `"\u009b31m"`,
		"é\u202etxt.exe":   `"\u00e9\u202etxt.exe"`,
		"zero\u200bwidth":  `"zero\u200bwidth"`,
		"half a rune \xe4": `"half a rune \xe4"`,
	} {
		if got := Text(s); got != want {
			t.Errorf("%q becomes %s, want %s", s, got, want)
		}
	}
}
