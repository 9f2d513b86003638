package admin

import (
	"net/http"
	"strings"
	"testing"
)

// ask sends a request with the given headers and returns the answer, without its body.
func ask(t *testing.T, method, url, body string, headers map[string]string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = headers["Host"]
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}

func TestABrowserIsToldWhatPagesOfAnAllowedOriginMayDo(t *testing.T) {
	const mine, sandbox, evil = "http://mine.test:8000", "null", "http://evil.test"
	e := listen(t, Config{HTTPAddr: "127.0.0.1:0", HTTPNamespaces: []string{"echo"}, Origins: []string{mine, sandbox}})
	const call = `{"jsonrpc":"2.0","id":1,"method":"echo_say","params":["hello"]}`
	tests := []struct {
		name, method, host, origin string
		wants                      string // the method that a browser asks for
		status                     int
		allowed                    bool
	}{
		{"what is asked first", "OPTIONS", "", mine, "POST", http.StatusNoContent, true},
		{"the same of a page without an origin", "OPTIONS", "", sandbox, "POST", http.StatusNoContent, true},
		{"a call", "POST", "", mine, "", http.StatusOK, true},
		{"a call that goes wrong", "PUT", "", mine, "", http.StatusMethodNotAllowed, true},
		{"no page", "POST", "", "", "", http.StatusOK, false},
		{"no page that asks", "OPTIONS", "", "", "POST", http.StatusOK, false},
		{"a page of somebody else that asks", "OPTIONS", "", evil, "POST", http.StatusForbidden, false},
		{"a call of it", "POST", "", evil, "", http.StatusForbidden, false},
		{"another port", "POST", "", "http://mine.test", "", http.StatusForbidden, false},
		{"another host", "OPTIONS", "evil.test", mine, "POST", http.StatusForbidden, false},
	}
	for _, tt := range tests {
		headers := map[string]string{"Content-Type": "application/json", "Host": tt.host}
		if tt.origin != "" {
			headers["Origin"] = tt.origin
		}
		body := call
		if tt.wants != "" {
			headers["Access-Control-Request-Method"], headers["Access-Control-Request-Headers"] = tt.wants, "content-type,x-mine"
			body = ""
		}
		res := ask(t, tt.method, "http://"+e.HTTPAddr(), body, headers)
		want := make(http.Header)
		if tt.host == "" {
			want.Add("Vary", "Origin")
		}
		if tt.allowed {
			want.Set("Access-Control-Allow-Origin", tt.origin)
		}
		if tt.status == http.StatusNoContent {
			want["Vary"] = []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}
			want.Set("Access-Control-Allow-Methods", "POST, GET")
			want.Set("Access-Control-Allow-Headers", "content-type,x-mine")
			want.Set("Access-Control-Max-Age", "600")
		}
		if res.StatusCode != tt.status {
			t.Errorf("%s: %s, want %d", tt.name, res.Status, tt.status)
		}
		for _, name := range []string{"Vary", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age", "Access-Control-Allow-Credentials"} {
			if got := strings.Join(res.Header[name], "; "); got != strings.Join(want[name], "; ") {
				t.Errorf("%s: %s is %q, want %q", tt.name, name, got, want[name])
			}
		}
	}
}
