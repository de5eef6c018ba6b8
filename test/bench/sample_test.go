package bench

import (
	"math"
	"slices"
	"testing"
	"time"
)

// sample is how long something took, each time.
type sample []time.Duration

// at returns the value that a share of the sample does not exceed: the smallest that is there.
func (s sample) at(share float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

// report makes figures of it, in milliseconds. Few values have no 99th percentile; then it is their greatest.
func (s sample) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // the time of the benchmark itself says nothing
	b.ReportMetric(float64(len(s)), "n")
	b.ReportMetric(ms(s.at(0)), "min-ms")
	b.ReportMetric(ms(s.at(0.5)), "p50-ms")
	b.ReportMetric(ms(s.at(0.9)), "p90-ms")
	if len(s) >= 100 {
		b.ReportMetric(ms(s.at(0.99)), "p99-ms")
	}
	b.ReportMetric(ms(s.at(1)), "max-ms")
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func TestSampleAt(t *testing.T) {
	hundred := make(sample, 100)
	for i := range hundred {
		hundred[99-i] = time.Duration(i + 1)
	}
	for _, test := range []struct {
		name   string
		sample sample
		share  float64
		want   time.Duration
	}{
		{"bad: empty", nil, 0.5, 0},
		{"one", sample{7}, 0.99, 7},
		{"median of two", sample{9, 3}, 0.5, 3},
		{"least", hundred, 0, 1},
		{"median", hundred, 0.5, 50},
		{"p99", hundred, 0.99, 99},
		{"greatest", hundred, 1, 100},
	} {
		if got := test.sample.at(test.share); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{5}, 5}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}} {
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v: %v, want %v", test.values, got, test.want)
		}
	}
}
