package avi

import (
	"fmt"
	"testing"
)

// TestMemory: as many load balancers as there may be are remembered, those that were used last; and doubts end with an Apply.
func TestMemory(t *testing.T) {
	var m memories
	if m.get("lb").whole {
		t.Error("something is remembered of nothing")
	}
	for i := range remembered {
		m.put(fmt.Sprint(i), memory{whole: true})
	}
	m.get("0")
	m.put("one more", memory{whole: true})
	for id, want := range map[string]bool{"0": true, "1": false, "2": true, "one more": true} {
		if got := m.get(id).whole; got != want {
			t.Errorf("%s is remembered: %v", id, got)
		}
	}
	was := m.get("2")
	m.begin("2", stamp{1, 2})
	m.doubt("2", was) // of what was seen before
	if is := m.get("2"); is.doubted || is.whole || is.stamp != (stamp{1, 2}) {
		t.Errorf("while an Apply is at work: %+v", is)
	}
}
