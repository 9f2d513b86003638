package eth

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestARequestForHeadersSaysWhatIsWrongWithIt(t *testing.T) {
	for text, want := range map[string]string{
		`{"numbr":"0x5"}`: `unknown field "numbr"`,
		`{"number":5}`:    "non-string",
		`{"number":"0x5","amount":"0x2","skip":"0x1","reverse":true}`: "",
		`{}`: "",
	} {
		var r HeadersRequest
		if err := json.Unmarshal([]byte(text), &r); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := NewAPI(nil).PeerHeaders(t.Context(), "", HeadersRequest{}); err == nil || !strings.Contains(err.Error(), "amount") {
		t.Errorf("without an amount: %v", err)
	}
}
