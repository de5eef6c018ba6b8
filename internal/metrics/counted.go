package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

func newRequests() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "plimsoll_api_request_duration_seconds", Help: "Requests to the APIs, by how long they took.",
		Buckets: []float64{0.005, 0.025, 0.1, 0.5, 2.5, 10},
	}, []string{"api", "method", "route", "code"})
}

func newSteps() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "plimsoll_loop_steps_total", Help: "What the loop did to load balancers, by how it was done.",
	}, []string{"provider", "method", "result"})
}

func newTook() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "plimsoll_loop_step_duration_seconds", Help: "What the loop did to load balancers, by how long it took.",
		Buckets: []float64{0.01, 0.05, 0.2, 1, 5, 30},
	}, []string{"provider"})
}

func code(status int) string { return strconv.Itoa(status) }
