package main

import (
	"context"
	"errors"
	"testing"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// counted is a provider that has counters. It does nothing else.
type counted struct {
	provider.Provider
	err error
}

func (c counted) Observe(context.Context, []*lbaas.LoadBalancer) (map[string]provider.Observation, error) {
	return map[string]provider.Observation{"lb": {Statistics: map[string]lbaas.Statistics{"l": {BytesIn: 7}}}}, c.err
}

// measured is one whose counters somebody else measures now and then. Nobody is to wait for that.
type measured struct {
	counted
	sampled bool
}

func (m measured) Sampled() bool { return m.sampled }

func TestStats(t *testing.T) {
	broken := errors.New("down")
	for name, test := range map[string]struct {
		p    provider.Provider
		want int64
		err  error
	}{
		"asked":                {counted{}, 7, nil},
		"asked, does not tell": {counted{err: broken}, 0, broken},
		"not measured":         {measured{counted{}, false}, 7, nil},
		"measured":             {measured{counted{err: broken}, true}, 0, nil},
	} {
		e := enabledProviders{providers: map[string]provider.Provider{"p": test.p}}
		got, err := e.stats(t.Context(), &lbaas.LoadBalancer{Object: lbaas.Object{ID: "lb"}, Provider: "p"})
		if !errors.Is(err, test.err) || got["l"].BytesIn != test.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := (enabledProviders{}).stats(t.Context(), &lbaas.LoadBalancer{Provider: "p"}); err == nil {
		t.Error("a provider that is not enabled tells something")
	}
}
