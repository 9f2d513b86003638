package p2p

import (
	"testing"
	"time"
)

func TestOverloadPolicies(t *testing.T) {
	for _, test := range []struct {
		policy OverloadPolicy
		text   string
		wait   time.Duration
	}{
		{OverloadPolicy{}, "wait 10s", 10 * time.Second},
		{OverloadWait(10 * time.Second), "wait 10s", 10 * time.Second},
		{OverloadWait(50 * time.Millisecond), "wait 50ms", 50 * time.Millisecond},
		{OverloadWait(0), "stop", 0},
		{OverloadWait(-1), "stop", 0},
		{OverloadStop(), "stop", 0},
		{OverloadDropNewest(), "drop-newest", 0},
		{OverloadDropOldest(), "drop-oldest", 0},
	} {
		if s := test.policy.String(); s != test.text {
			t.Errorf("%q, want %q", s, test.text)
		}
		if d := test.policy.maxWait(); d != test.wait {
			t.Errorf("%v waits %v", test.policy, d)
		}
	}
	if (OverloadPolicy{}) != OverloadWait(10*time.Second) {
		t.Error("the zero value is not OverloadWait(10s)")
	}
}

func TestTheMemoryBudgetHasADefault(t *testing.T) {
	c := Config{}
	if c.memoryBudget() != 512<<20 {
		t.Errorf("memory budget %d", c.memoryBudget())
	}
}
